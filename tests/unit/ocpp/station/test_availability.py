from tests.support.station_world import VEHICLE, World, living


async def change(world: World, connector_id: int, kind: str) -> str:
    answer = await world.csms.call("ChangeAvailability", {"connectorId": connector_id, "type": kind})
    await world.settle()
    return answer["status"]


async def test_a_free_connector_goes_out_of_service_at_once_and_comes_back():
    async with living() as world:
        assert await change(world, 1, "Inoperative") == "Accepted"
        assert world.csms.statuses()[-1] == "Unavailable"
        world.station.plug_in(1, VEHICLE)
        assert not await world.station.present("TAG", 1)
        world.station.unplug(1)
        assert await change(world, 1, "Operative") == "Accepted"
        assert world.csms.statuses()[-1] == "Available"


async def test_a_charging_connector_is_scheduled_and_goes_when_its_transaction_has_ended():
    async with living() as world:
        await world.charge()
        assert await change(world, 1, "Inoperative") == "Scheduled"
        assert world.csms.statuses()[-1] == "Charging"
        await world.clock.advance(20)
        world.station.unplug(1)
        await world.settle()
        assert world.csms.statuses()[-1] == "Unavailable"


async def test_a_scheduled_change_can_be_taken_back():
    async with living() as world:
        await world.charge()
        await change(world, 1, "Inoperative")
        assert await change(world, 1, "Operative") == "Accepted"
        world.station.unplug(1)
        await world.settle()
        assert world.csms.statuses()[-1] == "Available"


async def test_connector_0_is_the_whole_station():
    async with living(connectors=2) as world:
        await world.charge(connector_id=2)
        assert await change(world, 0, "Inoperative") == "Scheduled"
        assert world.csms.statuses(1)[-1] == "Unavailable"
        assert world.csms.statuses(2)[-1] == "Charging"


async def test_a_station_that_still_charges_is_not_said_to_be_out_of_service_as_a_whole():
    async with living(connectors=2) as world:
        await world.charge(connector_id=2)
        await change(world, 0, "Inoperative")
        assert world.csms.statuses(0)[-1] == "Available"
        world.station.unplug(2)
        await world.settle()
        assert world.csms.statuses(0)[-1] == "Unavailable"
        assert await change(world, 0, "Operative") == "Accepted"
        assert world.csms.statuses(0)[-1] == "Available"


async def test_a_station_that_was_to_close_and_is_to_stay_open_after_all_is_never_said_to_be_closed():
    async with living() as world:
        await world.charge()
        await change(world, 0, "Inoperative")
        await change(world, 0, "Operative")
        world.station.unplug(1)
        await world.settle()
        assert "Unavailable" not in world.csms.statuses(0)


async def test_a_connector_that_is_not_there_is_rejected():
    async with living() as world:
        assert await change(world, 2, "Inoperative") == "Rejected"
        assert await change(world, -1, "Operative") == "Rejected"


async def test_maintenance_puts_nothing_back_in_service_that_the_csms_wants_out():
    async with living(connectors=2) as world:
        await change(world, 2, "Inoperative")
        asked = {"location": "ftp://host/v2.bin", "retrieveDate": "2025-06-16T00:00:00Z"}
        await world.csms.call("UpdateFirmware", asked)
        await world.clock.advance(60.0)
        assert (world.csms.statuses(1)[-1], world.csms.statuses(2)[-1]) == ("Available", "Unavailable")
        await change(world, 0, "Inoperative")
        await world.csms.call("UpdateFirmware", asked)
        await world.clock.advance(60.0)
        assert [world.csms.statuses(number)[-1] for number in (0, 1, 2)] == ["Unavailable"] * 3


async def test_what_is_out_of_service_for_maintenance_is_nothing_the_csms_has_set():
    async with living() as world:
        asked = {"location": "ftp://host/v2.bin", "retrieveDate": "2025-06-16T00:00:00Z"}
        await world.csms.call("UpdateFirmware", asked)
        await world.clock.advance(3.0)
        assert world.csms.statuses(1)[-1] == "Unavailable"
        assert world.station.snapshot().orders is None


async def test_what_the_csms_takes_out_of_service_during_maintenance_stays_out_after_it():
    async with living(connectors=2) as world:
        asked = {"location": "ftp://host/v2.bin", "retrieveDate": "2025-06-16T00:00:00Z"}
        await world.csms.call("UpdateFirmware", asked)
        await world.clock.advance(3.0)
        assert await change(world, 2, "Inoperative") == "Accepted"
        await world.clock.advance(60.0)
        assert (world.csms.statuses(1)[-1], world.csms.statuses(2)[-1]) == ("Available", "Unavailable")
