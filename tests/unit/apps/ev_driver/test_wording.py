"""What a driver's log says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from evcharging.apps.ev_driver.wording import asked, told
from evcharging.messages.drivers import DriverRequest, DriverUpdate

NOW = datetime(2025, 10, 13, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kwh", "line"), [(None, "Requested charging at CP-001"), (10, "Requested charging at CP-001, 10 kWh")]
)
def test_a_request_is_told_with_its_amount(kwh, line):
    assert asked(DriverRequest(ts=NOW, request_id="r", driver_id="d", cp_id="CP-001", kwh=kwh)) == line


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"status": "ACCEPTED"}, "CP-001 | ACCEPTED"),
        ({"status": "IN_PROGRESS", "kw": 22.0, "euros": 0.01}, "CP-001 | IN_PROGRESS | 22.0 kW, €0.01"),
        (
            {"status": "IN_PROGRESS", "kw": 22.0, "euros": 1.5, "currency": "EUR"},
            "CP-001 | IN_PROGRESS | 22.0 kW, €1.50",
        ),
        (
            {"status": "COMPLETED", "kwh": 1.0, "euros": 20.0, "currency": "INR"},
            "CP-001 | COMPLETED | 1.00 kWh, 20.00 INR",
        ),
        ({"status": "IN_PROGRESS", "kw": 21.96, "kwh": 3.2, "euros": 0.9649}, "CP-001 | IN_PROGRESS | 22.0 kW, €0.96"),
        ({"status": "IN_PROGRESS"}, "CP-001 | IN_PROGRESS"),
        (
            {"status": "IN_PROGRESS", "kw": 0.0, "euros": 0.01, "reason": "engine_unreachable", "detail": "kept"},
            "CP-001 | IN_PROGRESS | 0.0 kW, €0.01 | engine_unreachable",
        ),
        ({"status": "COMPLETED", "kw": 0, "kwh": 0.0611, "euros": 0.02}, "CP-001 | COMPLETED | 0.06 kWh, €0.02"),
        ({"status": "COMPLETED", "reason": "target_energy"}, "CP-001 | COMPLETED"),
        ({"status": "DENIED", "reason": "busy"}, "CP-001 | DENIED | busy"),
        (
            {"status": "DENIED", "reason": "invalid_request", "detail": "no such request"},
            "CP-001 | DENIED | invalid_request (no such request)",
        ),
        (
            {"status": "FAILED", "reason": "engine_lost", "kwh": 1, "euros": 0.3},
            "CP-001 | FAILED | engine_lost | 1.00 kWh, €0.30",
        ),
        ({"status": "CANCELLED", "reason": "driver_cancel", "kwh": 0}, "CP-001 | CANCELLED | driver_cancel | 0.00 kWh"),
    ],
)
def test_an_update_is_told_in_one_line(fields: dict[str, Any], line: str):
    assert told(DriverUpdate(ts=NOW, request_id="r", driver_id="d", cp_id="CP-001", **fields)) == line
