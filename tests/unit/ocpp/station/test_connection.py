from tests.support.station_world import Csms, living


async def test_the_loss_of_a_connection_is_heard_and_counted():
    async with living() as world:
        world.network.cut()
        await world.clock.advance(5)
        assert world.ear.connections == ["up", "down", "up"]
        assert world.station.snapshot().reconnects == 1
        assert "Disconnected - dropped" in world.messages()


async def test_connecting_reconnecting_and_failing_to_are_in_the_log():
    csms = Csms()
    async with living(csms) as world:
        assert world.messages()[0] == "Connected"
        csms.refuse = "HTTP 503"
        world.network.cut()
        await world.clock.advance(2)
        assert any(line.startswith("Connection failed - HTTP 503; next attempt in ") for line in world.messages())
        csms.refuse = None
        await world.clock.advance(60)
        assert any(line.startswith("Reconnected (attempt ") for line in world.messages())


async def test_after_a_boot_every_state_is_told_and_after_a_mere_reconnection_none_that_is_known():
    async with living(connectors=2) as world:
        assert len(world.csms.of("StatusNotification")) == 3
        world.network.cut()
        await world.clock.advance(5)
        assert len(world.csms.of("StatusNotification")) == 3
