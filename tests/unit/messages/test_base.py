from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from evcharging.messages.base import CpId, UtcTime, rfc3339
from evcharging.messages.charge_points import Health

NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
CP_ID: TypeAdapter[str] = TypeAdapter(CpId)
EARLY, LATE = (datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None) for year in (2, 9998))
TIME: TypeAdapter[datetime] = TypeAdapter(UtcTime)


def test_a_moment_is_written_in_utc_with_milliseconds() -> None:
    assert (
        rfc3339(datetime(2026, 5, 1, 14, 30, 1, 2999, tzinfo=timezone(timedelta(hours=2))))
        == "2026-05-01T12:30:01.002Z"
    )


@given(moment=st.datetimes(min_value=EARLY, max_value=LATE, timezones=st.timezones()))
def test_a_moment_comes_back_as_it_was_to_the_millisecond(moment: datetime) -> None:
    again = TIME.validate_json(json.dumps(rfc3339(moment)))
    assert again.tzinfo is UTC
    assert timedelta(0) <= moment - again < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    "moment", ["2026-05-01T12:00:00", "yesterday", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"]
)
def test_a_moment_without_a_zone_or_outside_the_calendar_is_refused(moment: str) -> None:
    with pytest.raises(ValidationError):
        TIME.validate_python(moment)


@pytest.mark.parametrize("cp_id", ["CP-001", "a", "urn:ev|7=x*@b.c_d", "X" * 48])
def test_a_charge_point_has_a_name_that_every_protocol_can_carry(cp_id: str) -> None:
    assert CP_ID.validate_python(cp_id) == cp_id


@pytest.mark.parametrize("cp_id", ["", "a/b", "a+b", "#", "a b", "X" * 49, "é", "CP-001\n"])
def test_other_names_are_refused(cp_id: str) -> None:
    with pytest.raises(ValidationError):
        CP_ID.validate_python(cp_id)


def test_a_message_leaves_unset_fields_out_and_tolerates_unknown_ones() -> None:
    health = Health(ts=NOW, cp_id="CP-001", healthy=True)
    assert json.loads(health.to_json()) == {"ts": "2026-05-01T12:30:00.000Z", "cp_id": "CP-001", "healthy": True}
    newer = health.to_json()[:-1] + b', "colour": "green"}'
    assert Health.from_json(newer) == health


def test_a_message_cannot_be_changed() -> None:
    health = Health(ts=NOW, cp_id="CP-001", healthy=True)
    with pytest.raises(ValidationError, match="frozen"):
        health.healthy = False  # type: ignore[misc]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1"])
def test_a_quantity_is_a_number_and_not_negative(number: str) -> None:
    with pytest.raises(ValidationError):
        Health.from_json(f'{{"ts": "2026-05-01T12:30:00Z", "cp_id": "a", "healthy": true, "latency_ms": {number}}}')
