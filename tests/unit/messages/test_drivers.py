from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from evcharging.messages.drivers import Denial, DriverRequest, RequestKind, UpdateStatus

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def test_cancelling_a_request_is_another_event_than_making_it() -> None:
    ids = {
        kind: DriverRequest(ts=NOW, request_id="r-1", driver_id="alice", kind=kind, cp_id="CP-001").body_id()
        for kind in RequestKind
    }
    assert ids == {RequestKind.CHARGE: "r-1", RequestKind.CANCEL: "r-1:CANCEL", RequestKind.RESERVE: "r-1:RESERVE"}


def test_a_request_is_over_once_it_is_denied_completed_failed_or_cancelled() -> None:
    assert {status for status in UpdateStatus if not status.is_final} == {
        UpdateStatus.ACCEPTED,
        UpdateStatus.IN_PROGRESS,
    }


def test_the_reasons_for_a_denial_are_spelled_as_documented() -> None:
    assert {denial.value for denial in Denial} == {
        "unknown_charge_point", "busy", "stopped", "faulted", "disconnected", "reserved", "payment_declined",
        "no_free_charge_point", "invalid_request", "database_unavailable",
    }  # fmt: skip


@pytest.mark.parametrize("wrong", [{"kwh": 0}, {"kwh": 1001}, {"request_id": "x" * 65}, {"driver_id": ""}])
def test_a_request_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        DriverRequest.model_validate({"ts": NOW, "request_id": "r", "driver_id": "a", "cp_id": "any"} | wrong)
