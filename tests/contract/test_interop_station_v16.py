"""Our 1.6 station on the `ocpp` package's central system: the package checks every message against the schemas.

Tests that follow a case of the Open Charge Alliance's compliance tests carry its number.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from ocpp.v16 import call
from ocpp.v16.enums import RegistrationStatus

from evcharging.domain.charger_state import FaultCode
from evcharging.domain.vehicle import DEMO_VEHICLE
from evcharging.ocpp.station.interfaces import ConnectorState
from tests.support.interop_station import STATION_ID, Pair, running
from tests.support.ocpp_package import now_text


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with running() as pair:
        await pair.statuses("Available")
        yield pair


async def test_TC_001_a_cold_boot_is_a_boot_notification_then_the_state_of_every_connector():
    async with running(connectors=2) as pair:
        await pair.all_of("StatusNotification", 3)
        assert pair.peer.requests[0][0] == "BootNotification"
        told = {(r["connector_id"], r["status"]) for r in pair.peer.of("StatusNotification")}
        assert told == {(0, "Available"), (1, "Available"), (2, "Available")}


async def test_TC_002_a_pending_boot_is_repeated_after_the_interval_and_charges_nobody():
    answers = iter(["Pending", "Rejected", "Accepted"])

    def boot(**_request: Any) -> dict[str, Any]:
        return {"current_time": now_text(), "interval": 2, "status": RegistrationStatus(next(answers, "Accepted"))}

    async with running({"BootNotification": boot}) as pair:
        await pair.all_of("BootNotification", 3)
        await pair.statuses("Available")
        actions = [action for action, _ in pair.peer.requests]
        assert actions[:3] == ["BootNotification"] * 3


async def test_TC_003_a_regular_session_plugged_in_first(pair):
    start = await pair.begin()
    assert (start["connector_id"], start["id_tag"]) == (1, "ABC123")
    meter_values = await pair.all_of("MeterValues", 3)
    assert all(request["transaction_id"] == 1001 for request in meter_values)
    await pair.station.present("ABC123", 1)
    stop = await pair.peer.next("StopTransaction")
    assert (stop["transaction_id"], stop["id_tag"]) == (1001, "ABC123")
    assert stop.get("reason", "Local") == "Local"  # which the standard lets a station leave out
    assert stop["meter_stop"] > start["meter_start"]
    await pair.statuses("Preparing", "Charging", "Finishing")
    pair.station.unplug(1)
    await pair.statuses("Preparing", "Charging", "Finishing", "Available")


async def test_TC_005_pulling_the_plug_ends_the_transaction(pair):
    await pair.begin()
    pair.station.unplug(1)
    stop = await pair.peer.next("StopTransaction")
    assert stop["reason"] == "EVDisconnected"


async def test_TC_010_a_remote_start_waits_for_the_cable(pair):
    answer = await pair.peer.call(call.RemoteStartTransaction(id_tag="REMOTE", connector_id=1))
    assert answer.status == "Accepted"
    await pair.statuses("Preparing")
    pair.station.plug_in(1, DEMO_VEHICLE)
    start = await pair.peer.next("StartTransaction")
    assert start["id_tag"] == "REMOTE"


async def test_TC_012_a_remote_stop_ends_the_transaction(pair):
    await pair.begin()
    assert (await pair.peer.call(call.RemoteStopTransaction(transaction_id=1001))).status == "Accepted"
    assert (await pair.peer.next("StopTransaction"))["reason"] == "Remote"


async def test_TC_028_a_remote_stop_of_no_transaction_is_rejected(pair):
    assert (await pair.peer.call(call.RemoteStopTransaction(transaction_id=99))).status == "Rejected"


@pytest.mark.parametrize(("kind", "reason"), [("Hard", "HardReset"), ("Soft", "SoftReset")])
async def test_TC_015_a_reset_stops_with_its_reason_and_boots_anew(pair, kind, reason):
    await pair.begin()
    assert (await pair.peer.call(call.Reset(type=kind))).status == "Accepted"
    again = await pair.system.connected(STATION_ID, times=2)
    await again.next("BootNotification")
    await pair.until(lambda: pair.peer.of("StopTransaction") or again.of("StopTransaction"))
    stop = (pair.peer.of("StopTransaction") or again.of("StopTransaction"))[0]
    assert stop["reason"] == reason
    assert again.errors == []


async def test_TC_017_unlocking_a_connector_ends_its_transaction(pair):
    await pair.begin()
    assert (await pair.peer.call(call.UnlockConnector(connector_id=1))).status == "Unlocked"
    assert (await pair.peer.next("StopTransaction"))["reason"] == "UnlockCommand"


async def test_TC_019_every_configuration_key_is_told(pair):
    answer = await pair.peer.call(call.GetConfiguration())
    keys = {entry["key"]: entry for entry in answer.configuration_key}
    assert {"ClockAlignedDataInterval", "MeterValuesAlignedData", "LocalAuthorizeOffline", "LocalPreAuthorize"} <= set(
        keys
    )
    assert {"StopTransactionOnInvalidId", "StopTxnSampledData", "TransactionMessageAttempts"} <= set(keys)
    assert {"TransactionMessageRetryInterval", "ResetRetries", "GetConfigurationMaxKeys"} <= set(keys)
    assert {"ChargeProfileMaxStackLevel", "ChargingScheduleMaxPeriods", "MaxChargingProfilesInstalled"} <= set(keys)
    assert "ChargingScheduleAllowedChargingRateUnit" in keys
    assert keys["NumberOfConnectors"] == {"key": "NumberOfConnectors", "readonly": True, "value": "1"}
    answer = await pair.peer.call(call.GetConfiguration(key=["HeartbeatInterval", "NoSuchKey"]))
    assert [entry["key"] for entry in answer.configuration_key] == ["HeartbeatInterval"]
    assert answer.unknown_key == ["NoSuchKey"]


@pytest.mark.parametrize(
    ("key", "value", "status"),
    [
        ("MeterValueSampleInterval", "5", "Accepted"),
        ("MeterValueSampleInterval", "-5", "Rejected"),
        ("NumberOfConnectors", "7", "Rejected"),
        ("NoSuchKey", "7", "NotSupported"),
    ],
)
async def test_TC_021_a_configuration_key_is_changed_or_the_reason_is_told(pair, key, value, status):
    assert (await pair.peer.call(call.ChangeConfiguration(key=key, value=value))).status == status


@pytest.mark.parametrize("status", ["Invalid", "Expired", "Blocked"])
async def test_TC_023_a_card_that_is_not_accepted_starts_nothing(status):
    async with running({"Authorize": {"id_tag_info": {"status": status}}}) as pair:
        await pair.statuses("Available")
        pair.station.plug_in(1, DEMO_VEHICLE)
        assert not await pair.station.present("ABC123", 1)
        assert pair.peer.of("StartTransaction") == []
        assert pair.station.logs[-1].endswith(f"Authorization failed - ABC123 ({status})")


async def test_a_start_that_is_answered_invalid_ends_as_the_configuration_says():
    answer = {"transaction_id": 7, "id_tag_info": {"status": "Invalid"}}
    async with running({"StartTransaction": answer}) as pair:
        await pair.statuses("Available")
        await pair.begin()
        stop = await pair.peer.next("StopTransaction")
        assert (stop["transaction_id"], stop["reason"]) == (7, "DeAuthorized")


async def test_TC_037_transactions_without_a_connection_are_told_later_in_order(pair):
    await pair.begin()
    pair.station.drop()
    pair.station.unplug(1)
    again = await pair.system.connected(STATION_ID, times=2)
    stop = await again.next("StopTransaction")
    assert (stop["transaction_id"], stop["reason"]) == (1001, "EVDisconnected")
    assert pair.peer.of("StopTransaction") == []
    assert again.errors == []


async def test_TC_042_the_local_list_is_sent_and_its_version_told(pair):
    entries = [{"idTag": "LOCAL", "idTagInfo": {"status": "Accepted"}}]
    assert (await pair.peer.call(call.GetLocalListVersion())).list_version == 0
    sent = call.SendLocalList(list_version=3, update_type="Full", local_authorization_list=entries)
    assert (await pair.peer.call(sent)).status == "Accepted"
    assert (await pair.peer.call(call.GetLocalListVersion())).list_version == 3
    older = call.SendLocalList(list_version=2, update_type="Differential", local_authorization_list=entries)
    assert (await pair.peer.call(older)).status == "VersionMismatch"


async def test_TC_044_firmware_is_updated_step_by_step(pair):
    await pair.peer.call(call.UpdateFirmware(location="ftp://127.0.0.1/new.bin", retrieve_date=now_text()))
    wanted = ["Downloading", "Downloaded", "Installing", "Installed"]

    def told() -> list[str]:
        peers = pair.system.peers[STATION_ID]
        return [request["status"] for peer in peers for request in peer.of("FirmwareStatusNotification")]

    await pair.until(lambda: told() == wanted)


async def test_TC_045_diagnostics_are_uploaded(pair):
    answer = await pair.peer.call(call.GetDiagnostics(location="ftp://127.0.0.1/diagnostics"))
    assert answer.file_name
    requests = await pair.all_of("DiagnosticsStatusNotification", 2)
    assert [request["status"] for request in requests] == ["Uploading", "Uploaded"]


async def test_TC_046_a_reservation_is_for_its_own_card(pair):
    reserve = call.ReserveNow(connector_id=1, expiry_date="2099-01-01T00:00:00Z", id_tag="MINE", reservation_id=5)
    assert (await pair.peer.call(reserve)).status == "Accepted"
    await pair.statuses("Available", "Reserved")
    pair.station.plug_in(1, DEMO_VEHICLE)
    assert not await pair.station.present("OTHER", 1)
    assert await pair.station.present("MINE", 1)
    assert (await pair.peer.next("StartTransaction"))["reservation_id"] == 5


async def test_TC_048_an_outlet_that_cannot_be_reserved_says_why(pair):
    pair.station.inject_fault(1, FaultCode.GROUND_FAULT)
    await pair.statuses("Available", "Faulted")
    reserve = call.ReserveNow(connector_id=1, expiry_date="2099-01-01T00:00:00Z", id_tag="MINE", reservation_id=5)
    assert (await pair.peer.call(reserve)).status == "Faulted"


async def test_TC_051_a_reservation_is_cancelled_once(pair):
    reserve = call.ReserveNow(connector_id=1, expiry_date="2099-01-01T00:00:00Z", id_tag="MINE", reservation_id=5)
    await pair.peer.call(reserve)
    assert (await pair.peer.call(call.CancelReservation(reservation_id=5))).status == "Accepted"
    assert (await pair.peer.call(call.CancelReservation(reservation_id=5))).status == "Rejected"
    await pair.statuses("Reserved", "Available")


@pytest.mark.parametrize(
    "action",
    [
        "BootNotification",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "MeterValues",
        "StatusNotification",
    ],
)
async def test_TC_054_a_triggered_message_comes_after_the_answer(pair, action):
    before = len(pair.peer.of(action))
    answer = await pair.peer.call(call.TriggerMessage(requested_message=action, connector_id=1))
    assert answer.status == "Accepted"
    await pair.all_of(action, before + 1)


def profile(
    limit_amps: float, *, purpose: str = "TxDefaultProfile", profile_id: int = 1, **more: Any
) -> dict[str, Any]:
    return {
        "chargingProfileId": profile_id,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit_amps}],
        },
        **more,
    }


async def measured_amps(pair: Pair, matches: Callable[[float], bool]) -> None:
    def values(request: dict[str, Any]) -> list[float]:
        samples = [sample for value in request["meter_value"] for sample in value["sampled_value"]]
        return [float(s["value"]) for s in samples if s.get("measurand") == "Current.Import"]

    await pair.peer.next("MeterValues", lambda request: any(matches(amps) for amps in values(request)))


MEASURED = {"MeterValuesSampledData": "Energy.Active.Import.Register,Current.Import"}


async def test_TC_056_a_default_profile_limits_the_current_that_is_metered():
    async with running(configuration=MEASURED) as pair:
        await pair.statuses("Available")
        sent = call.SetChargingProfile(connector_id=1, cs_charging_profiles=profile(10))
        assert (await pair.peer.call(sent)).status == "Accepted"
        await pair.begin()
        await measured_amps(pair, lambda amps: abs(amps - 10) < 0.1)


async def test_TC_057_a_transactions_own_profile_acts_while_it_runs_and_is_refused_without_one():
    async with running(configuration=MEASURED) as pair:
        await pair.statuses("Available")
        sent = call.SetChargingProfile(connector_id=1, cs_charging_profiles=profile(8, purpose="TxProfile"))
        assert (await pair.peer.call(sent)).status == "Rejected"
        await pair.begin()
        await measured_amps(pair, lambda amps: amps > 12)
        assert (await pair.peer.call(sent)).status == "Accepted"
        await measured_amps(pair, lambda amps: abs(amps - 8) < 0.1)


async def test_TC_059_a_remote_start_brings_its_profile():
    async with running(configuration=MEASURED) as pair:
        await pair.statuses("Available")
        start = call.RemoteStartTransaction(
            id_tag="REMOTE", connector_id=1, charging_profile=profile(9, purpose="TxProfile")
        )
        assert (await pair.peer.call(start)).status == "Accepted"
        pair.station.plug_in(1, DEMO_VEHICLE)
        await measured_amps(pair, lambda amps: abs(amps - 9) < 0.1)


async def test_TC_061_the_cache_is_cleared(pair):
    assert (await pair.peer.call(call.ClearCache())).status in ("Accepted", "Rejected")


async def test_TC_064_data_of_an_unknown_vendor_is_refused(pair):
    assert (await pair.peer.call(call.DataTransfer(vendor_id="nobody"))).status == "UnknownVendorId"


async def test_TC_066_the_composite_schedule_is_the_least_of_all_profiles(pair):
    assert (await pair.peer.call(call.SetChargingProfile(1, profile(20)))).status == "Accepted"
    station = profile(12, purpose="ChargePointMaxProfile", profile_id=2, chargingProfileKind="Absolute")
    assert (await pair.peer.call(call.SetChargingProfile(0, station))).status == "Accepted"
    answer = await pair.peer.call(call.GetCompositeSchedule(connector_id=1, duration=600, charging_rate_unit="A"))
    assert answer.status == "Accepted"
    periods = answer.charging_schedule["charging_schedule_period"]
    assert [period["limit"] for period in periods] == [12]


async def test_TC_067_a_profile_is_cleared_once(pair):
    await pair.peer.call(call.SetChargingProfile(1, profile(20)))
    assert (await pair.peer.call(call.ClearChargingProfile(id=1))).status == "Accepted"
    assert (await pair.peer.call(call.ClearChargingProfile(id=1))).status == "Unknown"


@pytest.mark.parametrize(("busy", "status"), [(False, "Accepted"), (True, "Scheduled")])
async def test_TC_078_an_outlet_goes_out_of_service_at_once_or_after_its_transaction(pair, busy, status):
    if busy:
        await pair.begin()
    answer = await pair.peer.call(call.ChangeAvailability(connector_id=1, type="Inoperative"))
    assert answer.status == status
    if busy:
        assert pair.station.snapshot().connectors[0].state is ConnectorState.CHARGING
        pair.station.unplug(1)
    await pair.statuses("Unavailable")
    assert (await pair.peer.call(call.ChangeAvailability(connector_id=1, type="Operative"))).status == "Accepted"
    await pair.statuses("Unavailable", "Available")
