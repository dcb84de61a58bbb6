import pytest

from evcharging.domain.charger_state import FaultCode
from tests.support.station_world import VEHICLE, Csms, World, living


async def reserve(
    world: World, reservation_id: int = 1, connector_id: int = 1, id_tag: str = "TAG", minutes: int = 5, **more: str
) -> str:
    answer = await world.csms.call(
        "ReserveNow",
        {
            "connectorId": connector_id,
            "reservationId": reservation_id,
            "idTag": id_tag,
            "expiryDate": f"2025-06-16T00:{minutes:02d}:00Z",
            **more,
        },
    )
    await world.settle()
    return answer["status"]


async def test_TC_046_1_a_reserved_connector_charges_the_card_it_is_for_and_says_so():
    async with living() as world:
        assert await reserve(world, 42) == "Accepted"
        assert world.csms.statuses()[-1] == "Reserved"
        await world.charge("TAG")
        assert world.csms.of("StartTransaction")[0]["reservationId"] == 42
        assert world.csms.statuses() == ["Available", "Reserved", "Preparing", "Charging"]


async def test_TC_046_2_another_card_is_refused_at_a_reserved_connector():
    async with living() as world:
        await reserve(world)
        world.station.plug_in(1, VEHICLE)
        assert not await world.station.present("OTHER", 1)
        await world.settle()
        assert world.csms.of("Authorize") == []


async def test_TC_047_a_reservation_expires():
    async with living() as world:
        await reserve(world)
        await world.clock.advance(299)
        assert world.csms.statuses()[-1] == "Reserved"
        await world.clock.advance(2)
        assert world.csms.statuses()[-1] == "Available"
        await world.charge("OTHER")
        assert "reservationId" not in world.csms.of("StartTransaction")[0]


async def test_TC_048_what_cannot_be_reserved_is_answered_with_its_reason():
    async with living(connectors=4) as world:
        station = world.station
        await world.charge("X", 1)
        station.inject_fault(2, FaultCode.GROUND_FAULT)
        await world.csms.call("ChangeAvailability", {"connectorId": 3, "type": "Inoperative"})
        assert await reserve(world, 1, 1) == "Occupied"
        assert await reserve(world, 2, 2) == "Faulted"
        assert await reserve(world, 3, 3) == "Unavailable"
        assert await reserve(world, 4, 9) == "Rejected"
        assert await reserve(world, 5, 4, minutes=0) == "Rejected"
        assert await reserve(world, 6, 4) == "Accepted"
        assert await reserve(world, 7, 4) == "Occupied"


async def test_TC_049_a_reservation_of_the_whole_station_keeps_one_connector_free():
    async with living(connectors=2) as world:
        assert await reserve(world, 1, 0) == "Accepted"
        await world.charge("OTHER", 1)
        world.station.plug_in(2, VEHICLE)
        assert not await world.station.present("OTHER", 2)
        assert await world.station.present("TAG", 2)
        await world.settle()
        assert world.csms.of("StartTransaction")[1]["reservationId"] == 1


async def test_TC_051_a_cancelled_reservation_is_over():
    async with living() as world:
        await reserve(world, 3)
        assert await world.csms.call("CancelReservation", {"reservationId": 9}) == {"status": "Rejected"}
        assert await world.csms.call("CancelReservation", {"reservationId": 3}) == {"status": "Accepted"}
        await world.settle()
        assert world.csms.statuses()[-1] == "Available"


async def test_TC_053_a_card_of_the_reserved_group_may_charge():
    csms = Csms()
    csms.answers["Authorize"] = {"idTagInfo": {"status": "Accepted", "parentIdTag": "FLEET"}}
    async with living(csms) as world:
        await reserve(world, 8, parentIdTag="FLEET")
        await world.charge("COUSIN")
        assert csms.of("StartTransaction")[0]["reservationId"] == 8


async def test_the_same_reservation_again_replaces_the_first_without_a_flicker():
    async with living() as world:
        await reserve(world, 1, minutes=5)
        assert await reserve(world, 1, id_tag="NEW", minutes=9) == "Accepted"
        await world.clock.advance(400)
        assert world.csms.statuses() == ["Available", "Reserved"]
        await world.charge("NEW")


@pytest.mark.parametrize("text", ["tomorrow", "2025-13-01T00:00:00Z"])
async def test_an_expiry_that_is_no_time_is_refused_as_the_standard_says(text: str):
    async with living() as world:
        request = {"connectorId": 1, "reservationId": 1, "idTag": "TAG", "expiryDate": text}
        with pytest.raises(Exception, match="TypeConstraintViolation"):
            await world.csms.call("ReserveNow", request)
