from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from evcharging.apps.topics.reading import read_record, topic_names
from evcharging.apps.topics.rendering import render
from evcharging.bus.protocol import Record
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Status, StatusDetail, StatusSource
from evcharging.messages.envelope import Event
from evcharging.messages.topics import STATUS

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
STATUS_MESSAGE = Status(
    ts=MOMENT, cp_id="CP-001", connector_id=1, state=ChargePointState.SUPPLYING, source=StatusSource.ENGINE
)


def record(topic: str = "cp.status", **changes: object) -> Record:
    event = Event(STATUS, STATUS_MESSAGE, id="id-1", source="test")
    fields = {
        "topic": topic,
        "partition": 2,
        "offset": 17,
        "key": b"CP-001",
        "value": event.body,
        "headers": event.headers(),
        "timestamp_ms": int(MOMENT.timestamp() * 1000),
    }
    return Record(**{**fields, **changes})  # type: ignore[arg-type]


def test_every_topic_and_its_dead_letters_are_known():
    names = topic_names()
    assert "central.commands" in names
    assert "cp.telemetry.dlq" in names
    assert len(names) == 30


def test_a_record_is_decoded_by_its_topics_model():
    reading = read_record(record())
    assert reading.fields is not None
    assert reading.fields["state"] == "SUPPLYING"
    assert reading.problem is None
    assert reading.moment == MOMENT


def test_json_has_the_place_the_headers_and_the_message():
    shown = json.loads(read_record(record()).as_json())
    assert (shown["topic"], shown["partition"], shown["offset"], shown["key"]) == ("cp.status", 2, 17, "CP-001")
    assert shown["timestamp"] == "2026-01-02T03:04:05.678Z"
    assert shown["headers"]["ce_id"] == "id-1"
    assert shown["message"]["cp_id"] == "CP-001"
    assert "undecodable" not in shown


@pytest.mark.parametrize("value", [b"not JSON", b"\xff\xfe", b"{}", b'{"cp_id": "CP-001"}'])
def test_a_record_that_cannot_be_decoded_is_shown_as_such(value):
    reading = read_record(record(value=value))
    assert reading.fields is None
    assert "not a Status" in (reading.problem or "")
    shown = json.loads(reading.as_json())
    assert "not a Status" in shown["undecodable"]
    assert shown["value"] == value.decode("utf-8", "backslashreplace")
    assert "undecodable" in render(reading).plain


def test_a_tombstone_is_shown_as_such():
    reading = read_record(record(value=None))
    assert "tombstone" in (reading.problem or "")
    assert json.loads(reading.as_json())["value"] is None


def test_a_dead_letter_is_decoded_as_what_it_was_meant_for_and_tells_why_it_was_set_aside():
    headers = [("dlq_error", b"unknown session"), ("dlq_topic", b"cp.status")]
    reading = read_record(record("cp.status.dlq", headers=headers))
    assert reading.fields is not None
    assert reading.dead_because == "unknown session"
    assert "set aside: unknown session" in render(reading).plain


def test_a_line_shows_time_place_key_and_fields_but_not_the_key_twice():
    line = render(read_record(record())).plain
    assert " 2@17 CP-001 connector_id=1 state=SUPPLYING source=engine" in line
    assert "cp_id=" not in line


def test_a_record_without_key_or_headers_is_shown():
    line = render(read_record(record(key=None, headers=[]))).plain
    assert " 2@17 - " in line


def test_what_a_record_says_cannot_steer_the_terminal():
    evil = "\x1b[2J\r\nREADY\u2028"
    telling = render(read_record(record(key=evil.encode(), value=evil.encode()))).plain
    assert telling.isprintable()
    message = STATUS_MESSAGE.model_copy(update={"reason": evil})
    assert render(read_record(record(value=message.to_json()))).plain.isprintable()
    nested = STATUS_MESSAGE.model_copy(update={"detail": StatusDetail(text=evil)})
    assert render(read_record(record(value=nested.to_json()))).plain.isprintable()


def test_a_huge_record_is_cut():
    line = render(read_record(record(value=b"x" * 100_000))).plain
    assert len(line) < 1000
