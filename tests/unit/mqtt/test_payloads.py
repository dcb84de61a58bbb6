from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evcharging.domain.states import MqttStatus
from evcharging.messages.commands import CommandOutcome
from evcharging.mqtt.payloads import (
    Availability,
    PayloadError,
    SitePrice,
    UnitAck,
    UnitAlarm,
    UnitCommand,
    UnitEvent,
    UnitPayload,
    UnitState,
    UnitTelemetry,
    read_availability,
    read_unit,
)

NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
FIELDS = [
    "v",
    "ts",
    "seq",
    "unit_id",
    "status",
    "session_id",
    "power_kw",
    "energy_kwh",
    "current_a",
    "voltage_v",
    "soc",
    "temperature_c",
    "solar_kw",
    "grid_kw",
    "cost",
    "currency",
]


def read(body: dict[str, Any] | bytes, unit_id: str = "CP-001") -> UnitTelemetry:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_unit(UnitTelemetry, raw, unit_id=unit_id, received_at=NOW)


def test_telemetry_has_exactly_the_documented_fields_even_where_they_are_unset() -> None:
    written = json.loads(UnitTelemetry(ts=NOW, unit_id="CP-001", status=MqttStatus.AVAILABLE).to_json())
    assert sorted(written) == sorted(FIELDS)
    assert written["session_id"] is None


def test_telemetry_survives_the_wire() -> None:
    telemetry = UnitTelemetry(
        ts=NOW,
        seq=7,
        unit_id="CP-001",
        status=MqttStatus.CHARGING,
        session_id="s-1",
        power_kw=21.9,
        energy_kwh=3.25,
        current_a=31.8,
        voltage_v=230.1,
        soc=0.42,
        temperature_c=-4.5,
        solar_kw=10.0,
        grid_kw=11.9,
        cost=0.98,
        currency="EUR",
    )
    assert read(telemetry.to_json()) == telemetry


def test_the_time_is_written_in_utc_with_milliseconds() -> None:
    moment = datetime(2026, 5, 1, 14, 30, 0, 125_000, tzinfo=timezone(timedelta(hours=2)))
    written = json.loads(UnitTelemetry(ts=moment, unit_id="CP-001", status=MqttStatus.AVAILABLE).to_json())
    assert written["ts"] == "2026-05-01T12:30:00.125Z"


def test_a_small_publisher_may_leave_out_all_but_the_status() -> None:
    telemetry = read({"status": "charging"})
    assert (telemetry.unit_id, telemetry.ts, telemetry.seq, telemetry.v) == ("CP-001", NOW, 0, 1)
    assert (telemetry.power_kw, telemetry.energy_kwh, telemetry.session_id) == (0.0, 0.0, None)


def test_nulls_are_taken_as_left_out() -> None:
    assert read({"status": "available", "power_kw": None, "ts": None, "unit_id": None, "cost": None}).power_kw == 0.0


def test_whole_numbers_do_for_floats_and_floats_for_whole_numbers() -> None:
    telemetry = read({"status": "charging", "power_kw": 7, "seq": 12.0, "session_id": 4711, "temperature_c": 31})
    assert (telemetry.power_kw, telemetry.seq, telemetry.session_id, telemetry.temperature_c) == (7.0, 12, "4711", 31.0)


def test_unknown_fields_are_ignored() -> None:
    assert read({"status": "charging", "firmware": "1.2", "nested": {"a": [1]}}).status is MqttStatus.CHARGING


@pytest.mark.parametrize(
    "status", ["available", "preparing", "charging", "finishing", "unavailable", "faulted", "offline"]
)
def test_every_word_of_the_vocabulary_is_read_in_any_case(status: str) -> None:
    assert read({"status": status}).status.value == status
    assert read({"status": status.title()}).status.value == status


@pytest.mark.parametrize(
    "ts",
    [
        1_777_638_600,
        1_777_638_600.0,
        1_777_638_600_000,
        "2026-05-01T12:30:00",
        "2026-05-01T12:30:00Z",
        "2026-05-01T14:30:00+02:00",
    ],
)
def test_a_moment_may_be_a_number_or_lack_its_zone(ts: object) -> None:
    assert read({"status": "charging", "ts": ts}).ts == NOW


@pytest.mark.parametrize(
    ("given_soc", "soc"), [(0, 0.0), (0.42, 0.42), (1, 1.0), (42, 0.42), (100, 1.0), (99.5, 0.995)]
)
def test_a_state_of_charge_over_one_is_taken_as_per_cent(given_soc: float, soc: float) -> None:
    assert read({"status": "charging", "soc": given_soc}).soc == pytest.approx(soc)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"status": "sleeping"},
        {"status": None},
        {"status": 3},
        {"status": "charging", "power_kw": "fast"},
        {"status": "charging", "power_kw": "7.2"},
        {"status": "charging", "power_kw": True},
        {"status": "charging", "power_kw": -1},
        {"status": "charging", "soc": 101},
        {"status": "charging", "soc": -0.1},
        {"status": "charging", "seq": -1},
        {"status": "charging", "seq": 1.5},
        {"status": "charging", "seq": True},
        {"status": "charging", "ts": "yesterday"},
        {"status": "charging", "ts": True},
        {"status": "charging", "ts": 1e300},
        {"status": "charging", "currency": "JM$"},
        {"status": "charging", "session_id": ["x"]},
        {"status": "charging", "unit_id": "CP-002"},
        {"status": "charging", "unit_id": "no spaces"},
    ],
)
def test_what_does_not_hold_is_a_typed_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(PayloadError):
        read(wrong)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"charging"',
        b"\xff\xfe",
        b'{"status": "charging", "power_kw": NaN}',
        b'{"status": "charging", "power_kw": 1e999}',
        b"[" * 5_000,
        b'{"status": "charging", "x": "' + b"y" * 70_000 + b'"}',
    ],
)
def test_what_is_no_json_object_is_a_typed_error(body: bytes) -> None:
    with pytest.raises(PayloadError):
        read(body)


@given(st.binary())
@example(b'{"seq": ' + b"9" * 5_000 + b', "status": "charging"}')
@example(b'{"power_kw": ' + b"9" * 5_000 + b', "status": "charging"}')
@example(b'{"ts": ' + b"9" * 5_000 + b', "status": "charging"}')
@example(b'{"status": "\\ud800"}')
def test_any_bytes_are_telemetry_or_a_typed_error(body: bytes) -> None:
    try:
        telemetry = read(body)
    except PayloadError as error:
        told = str(error)
    else:
        told = repr(telemetry.status)
    assert len(told) < 2_000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(FIELDS), json_values),
    st.sampled_from([UnitTelemetry, UnitState, UnitEvent, UnitAlarm, UnitCommand, UnitAck]),
)
def test_any_json_object_is_a_payload_that_can_be_written_again_or_a_typed_error(
    fields: dict[str, Any], model: type[UnitPayload]
) -> None:
    try:
        payload = read_unit(model, json.dumps(fields).encode(), unit_id="CP-001", received_at=NOW)
    except PayloadError:
        return
    again = read_unit(model, payload.to_json(), unit_id="CP-001", received_at=NOW)
    assert again.model_copy(update={"ts": payload.ts}) == payload
    assert abs(again.ts - payload.ts) < timedelta(milliseconds=1)


def test_an_error_names_the_field_and_shows_no_more_than_a_part_of_what_was_got() -> None:
    with pytest.raises(PayloadError, match=r"power_kw.*got 'xxxx") as refused:
        read({"status": "charging", "power_kw": "x" * 10_000})
    assert len(str(refused.value)) < 500


def test_an_empty_command_is_one_without_arguments() -> None:
    command = read_unit(UnitCommand, b"", unit_id="CP-001", received_at=NOW)
    assert (command.command_id, command.expires_at, command.payload) == (None, None, {})


def test_an_acknowledgement_survives_the_wire() -> None:
    ack = UnitAck(ts=NOW, unit_id="CP-001", verb="stop", command_id="c-1", outcome=CommandOutcome.ACCEPTED)
    assert read_unit(UnitAck, ack.to_json(), unit_id="CP-001", received_at=NOW) == ack


def test_a_price_needs_a_currency_of_three_letters() -> None:
    with pytest.raises(ValueError, match="currency"):
        SitePrice(ts=NOW, site_id="home", price_per_kwh=0.3, currency="euro")


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b"online", Availability.ONLINE), (b"offline", Availability.OFFLINE), (b" Online\n", Availability.ONLINE)],
)
def test_a_status_is_plain_text(body: bytes, expected: Availability) -> None:
    assert read_availability(body) is expected


@given(st.binary().filter(lambda body: body.strip().lower() not in (b"online", b"offline")))
def test_any_other_status_is_a_typed_error(body: bytes) -> None:
    with pytest.raises(PayloadError, match="expected online or offline"):
        read_availability(body)
