from tests.support.station_world import VEHICLE, living


async def test_a_state_is_told_once_and_each_true_change_is():
    async with living() as world:
        world.station.plug_in(1, VEHICLE)
        await world.clock.advance(30)
        world.station.unplug(1)
        await world.settle()
        assert world.csms.statuses() == ["Available", "Preparing", "Available"]


async def test_a_state_shorter_than_minimum_status_duration_is_never_told():
    async with living(configuration={"MinimumStatusDuration": "5"}) as world:
        world.station.plug_in(1, VEHICLE)
        await world.clock.advance(3)
        world.station.unplug(1)
        await world.clock.advance(10)
        assert world.csms.statuses() == ["Available"]
        world.station.plug_in(1, VEHICLE)
        await world.clock.advance(6)
        assert world.csms.statuses() == ["Available", "Preparing"]


async def test_the_time_told_is_that_of_the_change():
    async with living(configuration={"MinimumStatusDuration": "5"}) as world:
        await world.clock.advance(7)
        world.station.plug_in(1, VEHICLE)
        await world.clock.advance(6)
        assert world.csms.of("StatusNotification")[-1]["timestamp"] == "2025-06-16T00:00:07.000Z"


async def test_what_changed_without_a_connection_is_told_after_it_and_what_came_back_is_not():
    async with living(connectors=2) as world:
        world.network.up = False
        world.network.cut()
        await world.settle()
        world.station.plug_in(1, VEHICLE)
        world.station.plug_in(2, VEHICLE)
        world.station.unplug(2)
        world.network.up = True
        await world.clock.advance(10)
        assert world.csms.statuses(1) == ["Available", "Preparing"]
        assert world.csms.statuses(2) == ["Available"]


async def test_connector_changes_are_in_the_log():
    async with living() as world:
        world.station.plug_in(1, VEHICLE)
        assert "Connector 1 Preparing" in world.messages()
