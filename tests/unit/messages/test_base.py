from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from evcharging.domain.states import ChargePointState
from evcharging.messages.base import CpId, Message, UtcTime, rfc3339
from evcharging.messages.charge_points import (
    Alert,
    ConnectorDetail,
    Health,
    Severity,
    Status,
    StatusDetail,
    StatusSource,
    Telemetry,
)
from evcharging.messages.commands import Command, CommandAction, CommandOutcome, Reply
from evcharging.messages.drivers import DriverRequest, DriverUpdate, UpdateStatus
from evcharging.messages.network import (
    AuthToken,
    OcppConfig,
    OcppFrame,
    SiteSignal,
    SwarmDesired,
    SwarmHandover,
    SwarmLog,
    SwarmPolicy,
    SwarmState,
    SwarmStatus,
    SwarmTransaction,
    TokenStatus,
)
from evcharging.messages.topics import TOPICS

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


LATER = NOW + timedelta(seconds=1, microseconds=999_999)
TEXT = 'é\u2028 "\\\x00\x1f\x7f 😀'
DETAIL = StatusDetail(
    text=TEXT,
    started_at=LATER,
    transaction_id=7,
    connectors=(
        ConnectorDetail(connector_id=0, state=ChargePointState.ACTIVATED),
        ConnectorDetail(connector_id=1, state=ChargePointState.SUPPLYING, id_tag="A", newer=True, newest=None),
    ),
    error_code="NoError",
    info=None,
)
TRANSACTION = SwarmTransaction(
    local_id="1", connector_id=1, id_tag="A", started_at=LATER, meter_start_wh=0, meter_wh=12, transaction_id="x"
)
SAMPLES: tuple[Message, ...] = (
    Alert(ts=NOW, alert_id="a", cp_id="CP-1", kind="k", severity=Severity.WARNING, started_at=LATER, source="ocpp"),
    AuthToken(ts=NOW, id_tag="A", status=TokenStatus.ACCEPTED, expires_at=LATER),
    Command(
        ts=NOW,
        command_id="c",
        cp_id="CP-1",
        action=CommandAction.OCPP_CALL,
        payload={"none": None, "list": [1, None, {"deep": 0.1}], "large": 2**70},
    ),
    Command(ts=NOW, command_id="c", cp_id="CP-1", action=CommandAction.START_SUPPLY, limit_amps=16.0, expires_at=LATER),
    DriverRequest(ts=NOW, request_id="r", driver_id="D-1", cp_id="CP-1", kwh=1e-7),
    DriverUpdate(ts=NOW, request_id="r", driver_id="D-1", cp_id="CP-1", status=UpdateStatus.ACCEPTED, euros=-0.0),
    Health(ts=LATER, cp_id="CP-1", healthy=True, latency_ms=1e16),
    OcppConfig(ts=NOW, cp_id="CP-1", configuration={"HeartbeatInterval": "60"}),
    OcppFrame(ts=NOW, cp_id="CP-1", direction="in", frame=[2, "1", "Heartbeat", {"none": None}]),
    OcppFrame(ts=NOW, cp_id="CP-1", direction="in", frame={1: float("nan")}),
    Reply(ts=NOW, command_id="c", cp_id="CP-1", outcome=CommandOutcome.CALL_RESULT, payload={"status": "Accepted"}),
    SiteSignal(ts=NOW, site_id="s", price_per_kwh=0.3, currency="EUR", simulated_time=LATER),
    Status(ts=NOW, cp_id="CP-1", state=ChargePointState.SUPPLYING, source=StatusSource.OCPP, detail=DETAIL),
    SwarmDesired(ts=NOW, station_id="S-1", running=True),
    SwarmLog(ts=NOW, station_id="S-1", line=TEXT),
    SwarmStatus(
        ts=NOW,
        station_id="S-1",
        state=SwarmState.CHARGING,
        profile="default",
        policy=SwarmPolicy(action="wait", reason=TEXT),
        handover=SwarmHandover(term=1, holder="w", registers_wh=(0.5,), transactions=(TRANSACTION,), queue=({"n": 1},)),
    ),
    Telemetry(
        ts=NOW,
        cp_id="CP-1",
        session_id="s",
        seq=1,
        interval_start=NOW.astimezone(timezone(timedelta(hours=2))),
        interval_end=LATER,
        register_wh=1234.567,
        energy_wh=1 / 3,
        kw=1e21,
        kwh=5e-324,
        euros=0,
    ),
)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_what_was_read_is_written_as_it_was(sample: Message) -> None:
    written = sample.to_json()
    assert type(sample).from_json(written).to_json() == written


def test_every_topic_has_a_sample_of_its_message() -> None:
    assert {type(sample) for sample in SAMPLES} == {topic.model for topic in TOPICS}


@given(number=st.floats(allow_nan=False, allow_infinity=False) | st.integers(), text=st.text())
def test_numbers_and_texts_are_read_as_they_were_written(number: float, text: str) -> None:
    frame = OcppFrame(ts=NOW, cp_id="CP-1", direction="in", frame={text: [number, text]})
    assert json.loads(frame.to_json())["frame"] == {text: [number, text]}


def test_what_is_no_number_is_written_as_null() -> None:
    frame = OcppFrame(ts=NOW, cp_id="CP-1", direction="in", frame=[float("nan"), float("inf")])
    assert json.loads(frame.to_json())["frame"] == [None, None]


def test_a_message_that_is_kept_takes_no_more_than_it_is_long() -> None:
    sample = SAMPLES[-1]
    before = psutil.Process().memory_info().rss
    kept = [sample.to_json() for _ in range(20_000)]
    grown = psutil.Process().memory_info().rss - before
    assert grown < 4 * sum(map(len, kept))
