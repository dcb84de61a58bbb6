"""What the CSMS has set at a station that is made anew, from what its last snapshot said."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from evcharging.ocpp.station.interfaces import HeldReservation, StandingOrders, StillThere, TransactionRecord
from evcharging.ocpp.versions import OcppVersion
from tests.support.station_v201 import living_201, variable
from tests.support.station_world import NOON_S, VEHICLE, World, living

LIST = {"idTag": "LISTED", "idTagInfo": {"status": "Blocked", "parentIdTag": "FLEET"}}
EXPIRES = datetime.fromtimestamp(NOON_S + 600.0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def orders(world: World) -> StandingOrders:
    """What whoever runs the station next is given."""
    found = world.station.snapshot().orders
    assert found is not None
    return found


async def told(world: World, action: str, **payload: Any) -> Any:
    answer = await world.csms.call(action, payload)
    await world.settle()
    return answer


async def value(world: World, key: str) -> str:
    answer = await told(world, "GetConfiguration", key=[key])
    return answer["configurationKey"][0]["value"]


async def test_a_station_that_nobody_set_anything_at_has_nothing_to_keep():
    async with living(configuration={"MeterValueSampleInterval": "7"}) as world:
        await world.charge()
        assert world.station.snapshot().orders is None


async def test_configuration_that_the_csms_changed_holds_at_the_next_and_goes_before_its_settings():
    async with living(configuration={"MeterValueSampleInterval": "7"}) as world:
        await told(world, "ChangeConfiguration", key="metervaluesampleinterval", value="30")
        await told(world, "ChangeConfiguration", key="LightIntensity", value="40")
        await told(world, "ChangeConfiguration", key="ResetRetries", value="many")
        kept = orders(world)
    assert kept.configuration == {"MeterValueSampleInterval": "30", "LightIntensity": "40"}
    async with living(configuration={"MeterValueSampleInterval": "7"}, orders=kept) as world:
        assert (await value(world, "MeterValueSampleInterval"), await value(world, "LightIntensity")) == ("30", "40")
        await world.charge()
        await world.clock.advance(29.0)
        assert world.csms.of("MeterValues") == []
        await world.clock.advance(2.0)
        assert len(world.csms.of("MeterValues")) == 1
        assert orders(world) == kept


async def test_variables_that_the_csms_set_hold_at_the_next():
    asked = variable("OCPPCommCtrlr", "MessageAttempts", instance="TransactionEvent")
    async with living_201() as world:
        await told(world, "SetVariables", setVariableData=[{**asked, "attributeValue": "7"}])
        kept = orders(world)
    assert kept.configuration == {"OCPPCommCtrlr.MessageAttempts[TransactionEvent]": "7"}
    async with living_201(orders=kept) as world:
        (answer,) = (await told(world, "GetVariables", getVariableData=[asked]))["getVariableResult"]
        assert answer["attributeValue"] == "7"
        assert orders(world) == kept


async def test_a_password_is_kept_by_nobody_in_the_clear():
    async with living() as world:
        answer = await told(world, "ChangeConfiguration", key="AuthorizationKey", value="0123456789abcdef")
        assert answer["status"] == "Accepted"
        assert world.station.snapshot().orders is None
    async with living_201() as world:
        asked = {**variable("SecurityCtrlr", "BasicAuthPassword"), "attributeValue": "0123456789abcdef"}
        (answer,) = (await told(world, "SetVariables", setVariableData=[asked]))["setVariableResult"]
        assert answer["attributeStatus"] == "Accepted"
        assert world.station.snapshot().orders is None


@pytest.mark.parametrize("version", [OcppVersion.V16, OcppVersion.V201])
async def test_what_makes_no_sense_any_more_is_left_out(version):
    kept = StandingOrders({"NoSuchKey": "1", "TxCtrlr.StopTxOnInvalidId": "maybe", "ResetRetries": "?"})
    make = living if version is OcppVersion.V16 else living_201
    async with make(orders=kept) as world:
        assert world.station.snapshot().orders is None


async def test_the_local_list_goes_on_with_its_version():
    async with living() as world:
        await told(world, "SendLocalList", listVersion=4, updateType="Full", localAuthorizationList=[LIST])
        kept = orders(world)
    async with living(orders=kept) as world:
        assert (await told(world, "GetLocalListVersion"))["listVersion"] == 4
        known = world.station.authorization.known("listed", NOON_S)
        assert known is not None
        assert (known.status, known.parent_id_tag) == ("Blocked", "FLEET")
        more = {"idTag": "MORE", "idTagInfo": {"status": "Accepted"}}
        sent = {"listVersion": 5, "updateType": "Differential", "localAuthorizationList": [more]}
        assert (await told(world, "SendLocalList", **sent))["status"] == "Accepted"
        assert orders(world).local_list.entries.keys() == {"listed", "more"}
        await told(world, "SendLocalList", listVersion=6, updateType="Full")
        assert world.station.snapshot().orders is None


async def test_a_connector_that_is_out_of_service_stays_so_until_the_csms_puts_it_back():
    async with living(connectors=2) as world:
        await told(world, "ChangeAvailability", connectorId=2, type="Inoperative")
        kept = orders(world)
    async with living(connectors=2, orders=kept) as world:
        assert (world.csms.statuses(1), world.csms.statuses(2)) == (["Available"], ["Unavailable"])
        world.station.plug_in(2, VEHICLE)
        assert not await world.station.present("TAG", 2)
        world.station.unplug(2)
        await told(world, "ChangeAvailability", connectorId=2, type="Operative")
        assert world.csms.statuses(2)[-1] == "Available"
        assert world.station.snapshot().orders is None


async def test_a_station_that_is_out_of_service_as_a_whole_stays_so():
    async with living() as world:
        await told(world, "ChangeAvailability", connectorId=0, type="Inoperative")
        kept = orders(world)
    async with living(orders=kept) as world:
        assert (world.csms.statuses(0), world.csms.statuses(1)) == (["Unavailable"], ["Unavailable"])


async def test_what_is_to_be_out_of_service_once_nothing_charges_is_so_after_a_transaction_that_goes_on():
    record = TransactionRecord("CP-001", 1, "left", "TAG", NOON_S - 1000, 1000, 1500, transaction_id=77)
    async with living() as world:
        await world.charge()
        assert (await told(world, "ChangeAvailability", connectorId=0, type="Inoperative"))["status"] == "Scheduled"
        kept = orders(world)
    goes_on = {"resume": (record,), "still_there": {"left": StillThere(VEHICLE, 0.55)}}
    async with living(orders=kept, **goes_on) as world:
        assert (world.csms.statuses(0), world.csms.statuses(1)) == (["Available"], ["Charging"])
        world.station.charging.end_all("Local")
        await world.settle()
        assert (world.csms.statuses(0)[-1], world.csms.statuses(1)[-1]) == ("Unavailable", "Unavailable")


async def test_reservations_hold_to_their_end_and_no_longer():
    async with living(connectors=3) as world:
        for number, connector_id in ((1, 2), (2, 0)):
            asked = {"connectorId": connector_id, "expiryDate": EXPIRES, "idTag": "MINE", "reservationId": number}
            assert (await told(world, "ReserveNow", **asked, parentIdTag="FLEET"))["status"] == "Accepted"
        kept = orders(world)
    async with living(connectors=3, orders=kept) as world:
        assert orders(world) == kept
        assert world.csms.statuses(2) == ["Reserved"]
        assert not world.station.reservations.admits(world.station.connectors[1], "OTHER", None)
        assert world.station.reservations.admits(world.station.connectors[1], "mine", None)
        await world.clock.advance(601.0)
        assert world.csms.statuses(2)[-1] == "Available"
        assert world.station.snapshot().orders is None
    async with living(connectors=3, orders=kept, now_s=NOON_S + 600.0) as world:
        assert world.csms.statuses(2) == ["Available"]


async def test_a_reservation_that_held_before_can_be_cancelled_and_used():
    mine, yours = (HeldReservation(at, at + 4, tag, None, NOON_S + 600.0) for at, tag in ((1, "MINE"), (2, "YOURS")))
    kept = StandingOrders(reservations=(mine, yours))
    async with living(connectors=2, orders=kept) as world:
        assert (await told(world, "CancelReservation", reservationId=6))["status"] == "Accepted"
        await world.charge("MINE", 1)
        assert world.csms.of("StartTransaction")[0]["reservationId"] == 5
        assert world.station.snapshot().orders is None


async def test_firmware_that_was_installed_stays_installed():
    async with living() as world:
        await told(world, "UpdateFirmware", location="ftp://host/v2.5.bin", retrieveDate="2025-06-16T00:00:00Z")
        await world.clock.advance(60.0)
        kept = orders(world)
    assert kept == StandingOrders(firmware_version="v2.5")
    async with living(orders=kept) as world:
        assert world.csms.of("BootNotification")[0]["firmwareVersion"] == "v2.5"


async def test_a_reset_keeps_what_was_set():
    async with living(connectors=2) as world:
        await told(world, "ChangeConfiguration", key="ConnectionTimeOut", value="11")
        await told(world, "SendLocalList", listVersion=4, updateType="Full", localAuthorizationList=[LIST])
        await told(world, "ChangeAvailability", connectorId=1, type="Inoperative")
        asked = {"connectorId": 2, "expiryDate": EXPIRES, "idTag": "MINE", "reservationId": 5}
        await told(world, "ReserveNow", **asked)
        before = orders(world)
        await told(world, "Reset", type="Hard")
        await world.clock.advance(30.0)
        assert len(world.csms.of("BootNotification")) == 2
        assert orders(world) == before
        assert await value(world, "ConnectionTimeOut") == "11"
        assert (world.csms.statuses(1)[-1], world.csms.statuses(2)[-1]) == ("Unavailable", "Reserved")
