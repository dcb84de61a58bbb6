from tests.support.station_world import living


async def test_a_snapshot_shows_what_runs():
    async with living(connectors=2) as world:
        await world.charge(connector_id=2)
        await world.clock.advance(60)
        shown = world.station.snapshot()
        assert (shown.running, shown.connected, shown.registered) == (True, True, True)
        assert shown.kw == 7.36
        assert shown.session_kwh == shown.delivered_kwh == 0.122
        assert [one.state.value for one in shown.connectors] == ["Available", "Charging"]
        running = shown.connectors[1].transaction
        assert running is not None
        assert running.transaction_id == 1
        world.station.unplug(2)
        shown = world.station.snapshot()
        assert (shown.kw, shown.session_kwh, shown.delivered_kwh, shown.sessions) == (0.0, 0.0, 0.122, 1)
