"""Payloads against the standard's own schemas, with the error that the standard has for each kind of mistake."""

from __future__ import annotations

import pytest

from evcharging.ocpp.errors import CallRejected, Fault
from evcharging.ocpp.schemas import actions, check_definition, check_order, check_request, check_response
from evcharging.ocpp.versions import OcppVersion

V16, V201 = OcppVersion.V16, OcppVersion.V201
OPERATIONS_16 = {
    *("Authorize", "BootNotification", "DataTransfer", "DiagnosticsStatusNotification", "FirmwareStatusNotification"),
    *("Heartbeat", "MeterValues", "StartTransaction", "StatusNotification", "StopTransaction"),
    *("CancelReservation", "ChangeAvailability", "ChangeConfiguration", "ClearCache", "ClearChargingProfile"),
    *("GetCompositeSchedule", "GetConfiguration", "GetDiagnostics", "GetLocalListVersion", "RemoteStartTransaction"),
    *("RemoteStopTransaction", "ReserveNow", "Reset", "SendLocalList", "SetChargingProfile", "TriggerMessage"),
    *("UnlockConnector", "UpdateFirmware"),
}
START = {"connectorId": 1, "idTag": "ABC123", "meterStart": 0, "timestamp": "2026-01-31T12:00:00Z"}


def test_all_28_operations_of_16_are_known():
    assert len(OPERATIONS_16) == 28
    assert actions(V16) >= OPERATIONS_16


@pytest.mark.parametrize("version", OcppVersion)
def test_every_action_has_schemas_that_compile(version):
    for action in sorted(actions(version)):
        for check in (check_request, check_response):
            with pytest.raises(CallRejected):
                check(version, action, {"no such field": 1, "id": []})


def test_a_valid_request_passes():
    check_request(V16, "StartTransaction", START)


@pytest.mark.parametrize(
    ("change", "fault", "named"),
    [
        ({"connectorId": "1"}, Fault.TYPE_CONSTRAINT, "connectorId"),
        ({"connectorId": None}, Fault.TYPE_CONSTRAINT, "connectorId"),
        ({"idTag": "x" * 21}, Fault.PROPERTY_CONSTRAINT, "idTag"),
        ({"surprise": 1}, Fault.FORMAT_VIOLATION, "surprise"),
        ({"surprise": 1, "connectorId": "1"}, Fault.TYPE_CONSTRAINT, "connectorId"),
    ],
)
def test_a_wrong_field_is_named_with_the_error_the_standard_has_for_it(change, fault, named):
    with pytest.raises(CallRejected) as caught:
        check_request(V16, "StartTransaction", {**START, **change})
    assert caught.value.fault is fault
    assert named in caught.value.description


def test_a_missing_field_is_an_occurrence_violation():
    with pytest.raises(CallRejected) as caught:
        check_request(V16, "StartTransaction", {"connectorId": 1})
    assert caught.value.fault is Fault.OCCURRENCE_CONSTRAINT


def test_a_value_outside_an_enumeration_is_a_property_violation():
    with pytest.raises(CallRejected) as caught:
        check_request(V16, "Reset", {"type": "Medium"})
    assert caught.value.fault is Fault.PROPERTY_CONSTRAINT


def test_an_action_that_is_none_is_not_implemented():
    for check in (check_request, check_response):
        with pytest.raises(CallRejected) as caught:
            check(V16, "BrewCoffee", {})
        assert caught.value.fault is Fault.NOT_IMPLEMENTED


@pytest.mark.parametrize("action", ["../v201/schemas/Heartbeat", "BootNotificationResponse", ""])
def test_an_action_is_no_path_to_a_file(action):
    with pytest.raises(CallRejected) as caught:
        check_request(V16, action, {})
    assert caught.value.fault is Fault.NOT_IMPLEMENTED


def test_unknown_fields_are_let_through_where_that_is_asked_for_and_nothing_else_is():
    check_request(V16, "StartTransaction", {**START, "surprise": 1}, tolerate_unknown=True)
    with pytest.raises(CallRejected) as caught:
        check_request(V16, "StartTransaction", {**START, "surprise": 1, "connectorId": "1"}, tolerate_unknown=True)
    assert "connectorId" in caught.value.description


@pytest.mark.parametrize("limit", [21.4, 16, 0.1, 31.9])
def test_a_tenth_of_an_ampere_is_a_multiple_of_a_tenth(limit):
    profile = {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
        },
    }
    check_request(V16, "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile})
    check_definition(V16, "SetChargingProfile", "csChargingProfiles", profile)


def test_a_part_of_a_request_is_checked_by_itself():
    with pytest.raises(CallRejected) as caught:
        check_definition(V201, "SetChargingProfile", "chargingProfile", {"id": "one"})
    assert caught.value.fault in (Fault.TYPE_CONSTRAINT, Fault.OCCURRENCE_CONSTRAINT)


def test_a_response_is_held_to_its_own_schema():
    check_response(V16, "Heartbeat", {"currentTime": "2026-01-31T12:00:00Z"})
    with pytest.raises(CallRejected):
        check_response(V16, "Heartbeat", {})


class TestWhatIsAskedOfAStation:
    RESERVATION = {"connectorId": 1, "idTag": "TAG", "reservationId": 7}  # noqa: RUF012

    @pytest.mark.parametrize("moment", ["2026-11-21T18:00:00Z", "2026-11-21T18:00:00.5+02:00"])
    def test_a_time_with_its_zone_is_taken(self, moment: str) -> None:
        check_order(OcppVersion.V16, "ReserveNow", {**self.RESERVATION, "expiryDate": moment})

    @pytest.mark.parametrize("moment", ["tomorrow", "", "2026-11-21", "2026-11-21T18:00:00", "2026-13-21T18:00:00Z"])
    def test_what_is_no_time_is_refused_with_what_was_expected(self, moment: str) -> None:
        expected = f"expiryDate: expected a date and time with its zone, as in 2026-01-31T12:00:00Z, got {moment!r}"
        with pytest.raises(CallRejected) as refused:
            check_order(OcppVersion.V16, "ReserveNow", {**self.RESERVATION, "expiryDate": moment})
        assert (refused.value.fault, refused.value.description) == (Fault.TYPE_CONSTRAINT, expected)

    def test_a_time_within_is_named_by_its_place(self) -> None:
        schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6}]}
        profile = {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {**schedule, "startSchedule": "noon"},
        }
        with pytest.raises(CallRejected, match=r"csChargingProfiles\.chargingSchedule\.startSchedule: expected a date"):
            check_order(OcppVersion.V16, "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile})

    def test_a_place_for_files_may_be_any_text(self) -> None:
        check_order(OcppVersion.V16, "GetDiagnostics", {"location": "uploads/here"})

    def test_what_stations_say_is_not_held_to_it(self) -> None:
        check_request(OcppVersion.V16, "ReserveNow", {**self.RESERVATION, "expiryDate": "2026-11-21T18:00:00"})

    def test_what_else_is_wrong_is_told_as_ever(self) -> None:
        with pytest.raises(CallRejected, match="expiryDate"):
            check_order(OcppVersion.V16, "ReserveNow", self.RESERVATION)
