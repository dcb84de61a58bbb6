"""The `ocpp` package's 1.6 charge point at our gateway: the package checks every message against the schemas."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import make_dataclass
from typing import Any

import pytest
from ocpp.exceptions import FormationViolationError, OCPPError
from ocpp.exceptions import NotImplementedError as NotImplementedFault
from ocpp.v16 import call
from ocpp.v201 import call as call201
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.support.gateway_process import GatewayProcess, gateway_process
from tests.support.ocpp_package import Peer, charge_point, now_text

OPERATIONS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "CancelReservation": ({"reservationId": 1}, {"status": "Accepted"}, {"status": "Accepted"}),
    "ChangeAvailability": ({"connectorId": 0, "type": "Operative"}, {"status": "Accepted"}, {"status": "Accepted"}),
    "ChangeConfiguration": ({"key": "K", "value": "V"}, {"status": "NotSupported"}, {"status": "NotSupported"}),
    "ClearCache": ({}, {"status": "Rejected"}, {"status": "Rejected"}),
    "ClearChargingProfile": ({"id": 1}, {"status": "Unknown"}, {"status": "Unknown"}),
    "DataTransfer": ({"vendorId": "v"}, {"status": "Accepted", "data": "d"}, {"status": "Accepted", "data": "d"}),
    "GetCompositeSchedule": ({"connectorId": 1, "duration": 60}, {"status": "Rejected"}, {"status": "Rejected"}),
    "GetConfiguration": (
        {"key": ["K"]},
        {"configuration_key": [{"key": "K", "readonly": True, "value": "V"}], "unknown_key": ["U"]},
        {"configurationKey": [{"key": "K", "readonly": True, "value": "V"}], "unknownKey": ["U"]},
    ),
    "GetDiagnostics": ({"location": "ftp://127.0.0.1/d"}, {"file_name": "f"}, {"fileName": "f"}),
    "GetLocalListVersion": ({}, {"list_version": 7}, {"listVersion": 7}),
    "RemoteStartTransaction": ({"idTag": "T", "connectorId": 1}, {"status": "Rejected"}, {"status": "Rejected"}),
    "RemoteStopTransaction": ({"transactionId": 1}, {"status": "Rejected"}, {"status": "Rejected"}),
    "ReserveNow": (
        {"connectorId": 1, "expiryDate": "2099-01-01T00:00:00Z", "idTag": "T", "reservationId": 3},
        {"status": "Occupied"},
        {"status": "Occupied"},
    ),
    "Reset": ({"type": "Soft"}, {"status": "Rejected"}, {"status": "Rejected"}),
    "SendLocalList": ({"listVersion": 1, "updateType": "Full"}, {"status": "Accepted"}, {"status": "Accepted"}),
    "SetChargingProfile": (
        {
            "connectorId": 1,
            "csChargingProfiles": {
                "chargingProfileId": 1,
                "stackLevel": 0,
                "chargingProfilePurpose": "TxDefaultProfile",
                "chargingProfileKind": "Relative",
                "chargingSchedule": {
                    "chargingRateUnit": "A",
                    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.5}],
                },
            },
        },
        {"status": "Accepted"},
        {"status": "Accepted"},
    ),
    "TriggerMessage": (
        {"requestedMessage": "Heartbeat"},
        {"status": "NotImplemented"},
        {"status": "NotImplemented"},
    ),
    "UnlockConnector": ({"connectorId": 1}, {"status": "Unlocked"}, {"status": "Unlocked"}),
    "UpdateFirmware": ({"location": "ftp://127.0.0.1/f", "retrieveDate": "2099-01-01T00:00:00Z"}, {}, {}),
}
"""By action: the request over HTTP, what the package's charge point answers, and what HTTP gives back."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("gateway")
    with gateway_process(folder, "--accept-unknown-id-tags") as gateway:
        yield gateway


async def booted(peer: Peer) -> None:
    answer = await peer.call(call.BootNotification(charge_point_model="Package", charge_point_vendor="Theirs"))
    assert answer.status == "Accepted"
    assert answer.interval > 0
    for connector_id in (0, 1):
        await peer.call(call.StatusNotification(connector_id=connector_id, error_code="NoError", status="Available"))


def metered(register_wh: int, transaction_id: int | None = None) -> call.MeterValues:
    samples = [
        {"value": str(register_wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
        {"value": "3680", "measurand": "Power.Active.Import", "unit": "W"},
        {"value": "16", "measurand": "Current.Import", "unit": "A"},
        {"value": "230", "measurand": "Voltage", "unit": "V"},
        {"value": "40", "measurand": "SoC", "unit": "Percent"},
    ]
    value = {"timestamp": now_text(), "sampled_value": samples}
    return call.MeterValues(connector_id=1, meter_value=[value], transaction_id=transaction_id)


async def test_TC_001_a_cold_boot_is_accepted_with_an_interval(gateway):
    async with charge_point(f"{gateway.url}/BOOT") as peer:
        await booted(peer)
        heartbeat = await peer.call(call.Heartbeat())
        assert heartbeat.current_time.endswith("Z")
        assert peer.errors == []


async def test_TC_003_a_regular_session_is_numbered_metered_and_kept(gateway):
    async with charge_point(f"{gateway.url}/SESSION") as peer:
        await booted(peer)
        assert (await peer.call(call.Authorize(id_tag="ABC123"))).id_tag_info["status"] == "Accepted"
        started_at = now_text()
        start = await peer.call(
            call.StartTransaction(connector_id=1, id_tag="ABC123", meter_start=1000, timestamp=started_at)
        )
        assert 0 < start.transaction_id < 2**31
        assert start.id_tag_info["status"] == "Accepted"
        await peer.call(call.StatusNotification(connector_id=1, error_code="NoError", status="Charging"))
        for register_wh in (1100, 1200, 1300):
            await peer.call(metered(register_wh, start.transaction_id))
        stop = call.StopTransaction(
            meter_stop=1350, timestamp=now_text(), transaction_id=start.transaction_id, reason="Local", id_tag="ABC123"
        )
        assert (await peer.call(stop)).id_tag_info["status"] == "Accepted"
        kept = (await gateway.transactions("SESSION"))[0]
        assert kept["transaction_id"] == start.transaction_id
        assert (kept["meter_start_wh"], kept["meter_stop_wh"], kept["stop_reason"]) == (1000, 1350, "Local")
        assert peer.errors == []


async def test_a_repeated_start_and_stop_have_no_second_effect(gateway):
    async with charge_point(f"{gateway.url}/TWICE") as peer:
        await booted(peer)
        start = call.StartTransaction(connector_id=1, id_tag="ABC123", meter_start=5, timestamp="2026-01-31T12:00:00Z")
        first, second = await peer.call(start), await peer.call(start)
        assert first.transaction_id == second.transaction_id
        stop = call.StopTransaction(
            meter_stop=9, timestamp="2026-01-31T13:00:00Z", transaction_id=first.transaction_id, reason="Local"
        )
        await peer.call(stop)
        await peer.call(stop)
        kept = await gateway.transactions("TWICE")
        assert [(row["meter_start_wh"], row["meter_stop_wh"]) for row in kept] == [(5, 9)]


async def test_TC_039_a_stop_of_an_unknown_transaction_is_accepted_and_kept(gateway):
    async with charge_point(f"{gateway.url}/UNKNOWN") as peer:
        await booted(peer)
        await peer.call(
            call.StopTransaction(meter_stop=77, timestamp=now_text(), transaction_id=424242, reason="Local")
        )
        kept = await gateway.transactions("UNKNOWN")
        assert [row["meter_stop_wh"] for row in kept] == [77]


@pytest.mark.parametrize("action", OPERATIONS)
async def test_every_operation_reaches_the_charge_point_and_its_answer_comes_back(gateway, action):
    request, answer, told = OPERATIONS[action]
    async with charge_point(f"{gateway.url}/OP-{action}", answers={action: answer}) as peer:
        await booted(peer)
        response = await gateway.ask(f"OP-{action}", action, request)
        assert response.status_code == 200, response.text
        assert response.json() == told
        assert [name for name, _ in peer.requests] == [action]
        assert peer.errors == []


async def test_every_plain_report_is_answered(gateway):
    async with charge_point(f"{gateway.url}/REPORTS") as peer:
        await booted(peer)
        await peer.call(call.DiagnosticsStatusNotification(status="Uploading"))
        await peer.call(call.FirmwareStatusNotification(status="Downloading"))
        await peer.call(metered(10))
        transfer = await peer.call(call.DataTransfer(vendor_id="nobody-knows"))
        assert transfer.status in ("UnknownVendorId", "Rejected")
        assert peer.errors == []


async def test_a_charge_point_that_answers_an_error_is_a_bad_gateway_with_its_code(gateway):
    async with charge_point(f"{gateway.url}/REFUSES") as peer:
        await booted(peer)
        response = await gateway.ask("REFUSES", "ClearCache", {})
        assert response.status_code == 502
        assert response.json()["error_code"] in ("NotImplemented", "NotSupported")


async def test_invalid_payloads_unknown_actions_and_strangers_are_told_apart(gateway):
    async with charge_point(f"{gateway.url}/HTTP") as peer:
        await booted(peer)
        assert (await gateway.ask("HTTP", "Reset", {"type": "Medium"})).status_code == 422
        assert (await gateway.ask("HTTP", "BrewCoffee", {})).status_code == 404
        assert (await gateway.ask("NEVER-SEEN", "Reset", {"type": "Soft"})).status_code == 404
    async with asyncio.timeout(30):
        while (answer := await gateway.ask("HTTP", "Reset", {"type": "Soft"})).status_code != 409:
            await asyncio.sleep(0.05)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_call_that_breaks_its_schema_gets_the_standards_error_and_the_next_one_its_answer(gateway):
    async with charge_point(f"{gateway.url}/BROKEN") as peer:
        await booted(peer)
        with pytest.raises(OCPPError) as caught:
            await peer.charge_point.call(
                call.StatusNotification(connector_id=1, error_code="NoError", status="Sleepy"),
                suppress=False,
                skip_schema_validation=True,
            )
        assert caught.value.code == "PropertyConstraintViolation"
        surprising = make_dataclass("Heartbeat", [("surprise", int)])(1)
        with pytest.raises(FormationViolationError):
            await peer.charge_point.call(surprising, suppress=False, skip_schema_validation=True)
        await peer.call(call.Heartbeat())


async def test_an_action_of_a_later_version_is_not_implemented(gateway):
    async with charge_point(f"{gateway.url}/LATER") as peer:
        await booted(peer)
        report = call201.NotifyReport(request_id=1, generated_at=now_text(), seq_no=0)
        with pytest.raises(NotImplementedFault):
            await peer.charge_point.call(report, suppress=False, skip_schema_validation=True)


async def test_a_station_of_another_protocol_is_let_go_at_once(gateway):
    # OCPP-J 1.6 section 3.1.2: the handshake is completed without a subprotocol, and the socket closed.
    async with connect(f"{gateway.url}/WRONG", subprotocols=["mqtt"]) as socket:  # type: ignore[list-item]
        assert socket.subprotocol is None
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 30)
