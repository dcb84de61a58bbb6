"""The `ocpp` package's 2.0.1 charge point at our gateway: the package checks every message against the schemas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import make_dataclass
from typing import Any

import pytest
from ocpp.exceptions import OCPPError
from ocpp.v201 import call

from tests.support.gateway_process import GatewayProcess, gateway_process
from tests.support.ocpp_package import Peer, charge_point, now_text

CARD = {"id_token": "ABC123", "type": "ISO14443"}
WIRE_CARD = {"idToken": "ABC123", "type": "ISO14443"}
VARIABLE = {"component": {"name": "SampledDataCtrlr"}, "variable": {"name": "TxUpdatedInterval"}}
PROFILE = {
    "id": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": [
        {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.5}]}
    ],
}
OPERATIONS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "ChangeAvailability": ({"operationalStatus": "Operative"}, {"status": "Accepted"}, {"status": "Accepted"}),
    "ClearCache": ({}, {"status": "Rejected"}, {"status": "Rejected"}),
    "GetVariables": (
        {"getVariableData": [VARIABLE]},
        {"get_variable_result": [{**VARIABLE, "attribute_status": "Accepted", "attribute_value": "5"}]},
        {"getVariableResult": [{**VARIABLE, "attributeStatus": "Accepted", "attributeValue": "5"}]},
    ),
    "RequestStartTransaction": (
        {"idToken": WIRE_CARD, "remoteStartId": 7, "evseId": 1},
        {"status": "Rejected"},
        {"status": "Rejected"},
    ),
    "RequestStopTransaction": ({"transactionId": "none"}, {"status": "Rejected"}, {"status": "Rejected"}),
    "Reset": ({"type": "OnIdle"}, {"status": "Scheduled"}, {"status": "Scheduled"}),
    "SetChargingProfile": (
        {"evseId": 1, "chargingProfile": PROFILE},
        {"status": "Accepted"},
        {"status": "Accepted"},
    ),
    "SetVariables": (
        {"setVariableData": [{**VARIABLE, "attributeValue": "7"}]},
        {"set_variable_result": [{**VARIABLE, "attribute_status": "Accepted"}]},
        {"setVariableResult": [{**VARIABLE, "attributeStatus": "Accepted"}]},
    ),
    "TriggerMessage": ({"requestedMessage": "Heartbeat"}, {"status": "Accepted"}, {"status": "Accepted"}),
}
"""By action: the request over HTTP, what the package's charge point answers, and what HTTP gives back."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with gateway_process(tmp_path_factory.mktemp("gateway"), "--accept-unknown-id-tags") as gateway:
        yield gateway


async def booted(peer: Peer) -> None:
    station = {"model": "Package", "vendor_name": "Theirs"}
    answer = await peer.call(call.BootNotification(charging_station=station, reason="PowerUp"))
    assert answer.status == "Accepted"
    assert answer.interval > 0
    await peer.call(
        call.StatusNotification(timestamp=now_text(), connector_status="Available", evse_id=1, connector_id=1)
    )


def event(kind: str, seq_no: int, register_wh: float, *, transaction_id: str = "tx-1", **more: Any) -> Any:
    reasons = {"Started": "Authorized", "Updated": "MeterValuePeriodic", "Ended": "EVDeparted"}
    sample = {"value": register_wh, "measurand": "Energy.Active.Import.Register", "unit_of_measure": {"unit": "Wh"}}
    info = {"transaction_id": transaction_id, **more.pop("info", {})}
    return call.TransactionEvent(
        event_type=kind,
        timestamp=now_text(),
        trigger_reason=reasons[kind],
        seq_no=seq_no,
        transaction_info=info,
        meter_value=[{"timestamp": now_text(), "sampled_value": [sample]}],
        evse={"id": 1, "connector_id": 1},
        **more,
    )


async def test_the_subprotocol_of_201_is_chosen_and_a_boot_accepted(gateway):
    async with charge_point(f"{gateway.url}/BOOT", version="2.0.1") as peer:
        await booted(peer)
        assert (await peer.call(call.Heartbeat())).current_time
        assert peer.errors == []


async def test_a_transaction_is_metered_and_kept_from_its_start_to_its_end(gateway):
    async with charge_point(f"{gateway.url}/SESSION", version="2.0.1") as peer:
        await booted(peer)
        assert (await peer.call(call.Authorize(id_token=CARD))).id_token_info["status"] == "Accepted"
        start = await peer.call(event("Started", 0, 1000.0, id_token=CARD))
        assert start.id_token_info["status"] == "Accepted"
        for number, register_wh in enumerate((1100.0, 1200.5), 1):
            await peer.call(event("Updated", number, register_wh))
        await peer.call(event("Ended", 3, 1350.0, info={"stopped_reason": "EVDisconnected"}))
        kept = (await gateway.transactions("SESSION"))[0]
        assert (kept["meter_start_wh"], kept["meter_stop_wh"], kept["stop_reason"]) == (1000, 1350, "EVDisconnected")
        assert peer.errors == []


async def test_a_repeated_event_has_no_second_effect(gateway):
    async with charge_point(f"{gateway.url}/TWICE", version="2.0.1") as peer:
        await booted(peer)
        started, ended = event("Started", 0, 10.0, id_token=CARD), event("Ended", 1, 60.0)
        for _ in range(2):
            await peer.call(started)
        for _ in range(2):
            await peer.call(ended)
        kept = await gateway.transactions("TWICE")
        assert [(row["meter_start_wh"], row["meter_stop_wh"]) for row in kept] == [(10, 60)]


@pytest.mark.parametrize("action", OPERATIONS)
async def test_every_operation_reaches_the_charge_point_and_its_answer_comes_back(gateway, action):
    request, answer, told = OPERATIONS[action]
    async with charge_point(f"{gateway.url}/OP-{action}", version="2.0.1", answers={action: answer}) as peer:
        await booted(peer)
        response = await gateway.ask(f"OP-{action}", action, request)
        assert response.status_code == 200, response.text
        assert response.json() == told
        assert [name for name, _ in peer.requests] == [action]
        assert peer.errors == []


async def test_a_call_that_breaks_its_schema_gets_the_codes_of_201(gateway):
    async with charge_point(f"{gateway.url}/BROKEN", version="2.0.1") as peer:
        await booted(peer)
        empty = make_dataclass("Authorize", [])()
        with pytest.raises(OCPPError) as caught:
            await peer.charge_point.call(empty, suppress=False, skip_schema_validation=True)
        assert caught.value.code == "OccurrenceConstraintViolation"
        await peer.call(call.Heartbeat())
