"""Our 2.0.1 station on the `ocpp` package's central system: the package checks every message against the schemas."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from ocpp.v201 import call

from evcharging.domain.vehicle import DEMO_VEHICLE
from tests.support.interop_station import STATION_ID, Pair, running
from tests.support.ocpp_package import now_text

CARD = {"idToken": "REMOTE", "type": "ISO14443"}


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with running(version="2.0.1") as pair:
        await pair.statuses("Available")
        yield pair


async def began(pair: Pair) -> dict[str, Any]:
    pair.station.plug_in(1, DEMO_VEHICLE)
    assert await pair.station.present("ABC123", 1)
    return await event(pair, "Started")


async def event(pair: Pair, kind: str, matches: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
    return await pair.peer.next("TransactionEvent", lambda r: r["event_type"] == kind and matches(r))


async def test_a_cold_boot_is_a_boot_notification_then_the_state_of_every_connector():
    async with running(version="2.0.1", connectors=2) as pair:
        await pair.all_of("StatusNotification", 2)
        action, boot = pair.peer.requests[0]
        assert (action, boot["reason"]) == ("BootNotification", "PowerUp")
        told = {(r["evse_id"], r["connector_status"]) for r in pair.peer.of("StatusNotification")}
        assert told == {(1, "Available"), (2, "Available")}


async def test_a_pending_boot_is_repeated_after_the_interval():
    answers = iter(["Pending", "Rejected"])

    def boot(**_request: Any) -> dict[str, Any]:
        return {"current_time": now_text(), "interval": 2, "status": next(answers, "Accepted")}

    async with running({"BootNotification": boot}, version="2.0.1") as pair:
        await pair.all_of("BootNotification", 3)
        await pair.statuses("Available")


async def test_a_transaction_is_numbered_without_gaps_from_its_start_to_its_end(pair):
    start = await began(pair)
    transaction_id = start["transaction_info"]["transaction_id"]
    await event(pair, "Updated", lambda request: "meter_value" in request)
    pair.station.unplug(1)
    end = await event(pair, "Ended")
    assert end["transaction_info"]["transaction_id"] == transaction_id
    assert end["transaction_info"]["stopped_reason"] == "EVDisconnected"
    numbers = [request["seq_no"] for request in pair.peer.of("TransactionEvent")]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_a_remote_start_brings_its_number_into_the_transaction(pair):
    answer = await pair.peer.call(call.RequestStartTransaction(id_token=CARD, remote_start_id=77, evse_id=1))
    assert answer.status == "Accepted"
    pair.station.plug_in(1, DEMO_VEHICLE)
    request = await pair.peer.next("TransactionEvent", lambda r: r["transaction_info"].get("remote_start_id") == 77)
    stopped = await pair.peer.call(
        call.RequestStopTransaction(transaction_id=request["transaction_info"]["transaction_id"])
    )
    assert stopped.status == "Accepted"
    assert (await event(pair, "Ended"))["transaction_info"]["stopped_reason"] == "Remote"


async def test_a_remote_stop_of_no_transaction_is_rejected(pair):
    assert (await pair.peer.call(call.RequestStopTransaction(transaction_id="none"))).status == "Rejected"


async def test_a_card_that_is_not_accepted_starts_nothing():
    async with running({"Authorize": {"id_token_info": {"status": "Blocked"}}}, version="2.0.1") as pair:
        await pair.statuses("Available")
        pair.station.plug_in(1, DEMO_VEHICLE)
        assert not await pair.station.present("ABC123", 1)
        assert pair.station.logs[-1].endswith("Authorization failed - ABC123 (Blocked)")


async def test_transactions_without_a_connection_are_told_later_in_order_and_marked(pair):
    await began(pair)
    pair.station.drop()
    await pair.until(lambda: not pair.station.snapshot().connected)
    pair.station.unplug(1)
    again = await pair.system.connected(STATION_ID, times=2)
    end = await again.next("TransactionEvent", lambda request: request["event_type"] == "Ended")
    assert end["offline"] is True
    before = [request["seq_no"] for request in pair.peer.of("TransactionEvent")]
    after = [request["seq_no"] for request in again.of("TransactionEvent")]
    numbers = list(dict.fromkeys(before + after))
    assert numbers == list(range(len(numbers)))
    assert again.errors == []


@pytest.mark.parametrize(
    ("component", "variable", "status"),
    [
        ("SampledDataCtrlr", "TxUpdatedInterval", "Accepted"),
        ("NoSuchCtrlr", "X", "UnknownComponent"),
        ("SampledDataCtrlr", "NoSuchVariable", "UnknownVariable"),
    ],
)
async def test_variables_are_told_or_the_reason_is(pair, component, variable, status):
    asked = {"component": {"name": component}, "variable": {"name": variable}}
    answer = await pair.peer.call(call.GetVariables(get_variable_data=[asked]))
    assert [result["attribute_status"] for result in answer.get_variable_result] == [status]


async def test_a_variable_that_is_set_acts(pair):
    asked = {"component": {"name": "SampledDataCtrlr"}, "variable": {"name": "TxUpdatedInterval"}}
    answer = await pair.peer.call(call.SetVariables(set_variable_data=[{**asked, "attributeValue": "2"}]))
    assert [result["attribute_status"] for result in answer.set_variable_result] == ["Accepted"]
    told = await pair.peer.call(call.GetVariables(get_variable_data=[asked]))
    assert told.get_variable_result[0]["attribute_value"] == "2"


async def test_a_reset_boots_anew_with_its_reason(pair):
    assert (await pair.peer.call(call.Reset(type="Immediate"))).status == "Accepted"
    again = await pair.system.connected(STATION_ID, times=2)
    assert (await again.next("BootNotification"))["reason"] == "RemoteReset"


async def test_a_connector_goes_out_of_service_and_back(pair):
    out = call.ChangeAvailability(operational_status="Inoperative", evse={"id": 1})
    assert (await pair.peer.call(out)).status == "Accepted"
    await pair.statuses("Unavailable")
    back = call.ChangeAvailability(operational_status="Operative", evse={"id": 1})
    assert (await pair.peer.call(back)).status == "Accepted"
    await pair.statuses("Unavailable", "Available")


@pytest.mark.parametrize("message", ["BootNotification", "Heartbeat", "StatusNotification", "MeterValues"])
async def test_a_triggered_message_comes_after_the_answer(pair, message):
    before = len(pair.peer.of(message))
    answer = await pair.peer.call(call.TriggerMessage(requested_message=message, evse={"id": 1, "connectorId": 1}))
    if message == "BootNotification":
        assert answer.status == "Rejected"  # F06.FR.17: its boot was accepted already
        return
    assert answer.status == "Accepted"
    await pair.all_of(message, before + 1)


async def test_a_charging_profile_limits_the_current_that_is_metered():
    measured = {"SampledDataCtrlr.TxUpdatedMeasurands": "Energy.Active.Import.Register,Current.Import"}
    schedule = {
        "id": 1,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10}],
    }
    profile = {
        "id": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": [schedule],
    }
    async with running(version="2.0.1", configuration=measured) as pair:
        await pair.statuses("Available")
        answer = await pair.peer.call(call.SetChargingProfile(evse_id=1, charging_profile=profile))
        assert answer.status == "Accepted"
        await began(pair)

        def at_ten_amps(request: dict[str, Any]) -> bool:
            samples = [s for value in request.get("meter_value", []) for s in value["sampled_value"]]
            return any(s.get("measurand") == "Current.Import" and abs(s["value"] - 10) < 0.1 for s in samples)

        await event(pair, "Updated", at_ten_amps)
