"""What is kept of a 2.0.1 station's variables; what is kept of calls is in tests/integration/test_gateway_v201.py."""

from __future__ import annotations

from typing import Any

import pytest

from evcharging.apps.ocpp_gateway.records_v201 import note_report, record_of, variable_key


@pytest.mark.parametrize(
    ("component", "variable", "key"),
    [
        ({"name": "ClockCtrlr"}, {"name": "DateTime"}, "ClockCtrlr.DateTime"),
        ({"name": "EVSE", "evse": {"id": 2}}, {"name": "Power"}, "EVSE@2.Power"),
        ({"name": "Connector", "evse": {"id": 2, "connectorId": 1}}, {"name": "Type"}, "Connector@2.1.Type"),
        ({"name": "A", "instance": "x"}, {"name": "B", "instance": "y"}, "A[x].B[y]"),
    ],
)
def test_a_variable_has_one_key(component: dict[str, Any], variable: dict[str, Any], key: str) -> None:
    assert variable_key({"component": component, "variable": variable}) == key


def test_a_report_of_nothing_is_not_kept() -> None:
    assert note_report("CP-001", []) is None
    target = {"component": {"name": "A"}, "variable": {"name": "B"}, "variableAttribute": [{"type": "Target"}]}
    assert note_report("CP-001", [target]) is None


@pytest.mark.parametrize(
    ("action", "request_", "response"),
    [
        ("ReserveNow", {"id": 1}, {"status": "Occupied"}),
        ("CancelReservation", {"reservationId": 1}, {"status": "Rejected"}),
        ("SendLocalList", {"versionNumber": 1}, {"status": "VersionMismatch"}),
        ("SetChargingProfile", {"evseId": 1}, {"status": "Rejected"}),
        ("ClearChargingProfile", {}, {"status": "Unknown"}),
        ("SetVariables", {"setVariableData": []}, {"setVariableResult": []}),
        ("Reset", {"type": "OnIdle"}, {"status": "Accepted"}),
    ],
)
def test_what_a_station_did_not_take_is_not_kept(action: str, request_: dict[str, Any], response: Any) -> None:
    assert record_of("CP-001", action, request_, response) is None
