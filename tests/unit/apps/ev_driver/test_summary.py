"""A driver's summary: counts, energy, cost."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from evcharging.apps.ev_driver.summary import Summary, write_summary
from evcharging.messages.drivers import DriverUpdate, UpdateStatus

NOW = datetime(2025, 10, 13, 12, tzinfo=UTC)


def end(status: UpdateStatus, *, kwh: float | None = None, euros: float | None = None) -> DriverUpdate:
    return DriverUpdate(ts=NOW, request_id="r", driver_id="d", cp_id="CP-001", status=status, kwh=kwh, euros=euros)


def test_each_end_is_counted_with_its_energy_and_cost():
    summary = Summary(requests=6)
    for update in (
        end(UpdateStatus.COMPLETED, kwh=0.1, euros=0.1),
        end(UpdateStatus.COMPLETED, kwh=0.2, euros=0.2),
        end(UpdateStatus.DENIED),
        end(UpdateStatus.FAILED, kwh=1, euros=0.3),
        end(UpdateStatus.CANCELLED, kwh=0),
    ):
        summary.count(update)
    assert summary.as_dict() == {
        "requests": 6,
        "completed": 2,
        "denied": 1,
        "failed": 1,
        "cancelled": 1,
        "open": 1,
        "kwh": 1.3,
        "euros": 0.6,
    }
    assert str(summary) == ("6 requests: 2 completed, 1 denied, 1 failed, 1 cancelled, 1 open; 1.30 kWh, €0.60")


@pytest.mark.parametrize("status", [UpdateStatus.ACCEPTED, UpdateStatus.IN_PROGRESS])
def test_what_is_no_end_is_not_counted(status):
    with pytest.raises(ValueError, match="no end"):
        Summary().count(end(status))


def test_summaries_add_up():
    one, two = Summary(requests=1), Summary(requests=2)
    one.count(end(UpdateStatus.COMPLETED, kwh=1, euros=0.3))
    two.count(end(UpdateStatus.DENIED))
    total = Summary.of([one, two])
    assert (total.requests, total.completed, total.denied, total.open, float(total.kwh)) == (3, 1, 1, 1, 1.0)


def test_it_is_written_as_json_in_place_of_an_older_one(tmp_path):
    path = tmp_path / "summary.json"
    path.write_text("old", encoding="utf-8")
    write_summary(path, ["d-1", "d-2"], total=Summary(requests=2), earlier=Summary())
    written = json.loads(path.read_text(encoding="utf-8"))
    assert (written["drivers"], written["requests"], written["earlier"]["requests"]) == (["d-1", "d-2"], 2, 0)
    assert [entry.name for entry in tmp_path.iterdir()] == ["summary.json"]
