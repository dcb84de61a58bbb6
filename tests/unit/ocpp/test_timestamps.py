"""Timestamps as chargers send them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.ocpp.errors import CallRejected, Fault
from evcharging.ocpp.timestamps import parse_timestamp, timestamp, timestamp_of

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00", "2026-01-31T12:00:00.000Z", "2026-01-31T13:00:00+01:00"],
)
def test_a_moment_is_read_in_utc_whatever_its_zone(text):
    assert parse_timestamp(text) == NOON


@pytest.mark.parametrize(
    "text", ["", "noon", "12:00:00", "2026-13-01T00:00:00Z", "9" * 100, "0001-01-01T00:00:00+14:00"]
)
def test_what_is_no_moment_is_a_type_violation(text):
    with pytest.raises(CallRejected) as caught:
        parse_timestamp(text, field="meterValue.timestamp")
    assert caught.value.fault is Fault.TYPE_CONSTRAINT
    assert "meterValue.timestamp" in caught.value.description


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)), st.integers(-840, 840))  # noqa: DTZ001
def test_what_is_written_is_read_to_the_millisecond(moment, offset_minutes):
    moment = moment.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    text = timestamp(moment)
    assert text.endswith("Z")
    assert timedelta(0) <= moment - parse_timestamp(text) < timedelta(milliseconds=1)


@given(st.floats(0.0, 7e9))
def test_unix_seconds_are_written_as_their_moment_is(at_s):
    assert timestamp_of(at_s) == timestamp(datetime.fromtimestamp(at_s, UTC))


@pytest.mark.parametrize("at_s", [1_750_032_000.9999999, 1_750_032_000.1239, -0.25])
def test_unix_seconds_close_to_the_next_second_are_rounded_as_moments_are(at_s):
    assert timestamp_of(at_s) == timestamp(datetime.fromtimestamp(at_s, UTC))
