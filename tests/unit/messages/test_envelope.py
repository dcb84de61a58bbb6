"""The envelope: what headers say, what a record without them is called, and that bad input raises one thing only."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.messages.charge_points import Health, Telemetry
from evcharging.messages.commands import Command, CommandAction
from evcharging.messages.envelope import (
    Event,
    Received,
    Undecodable,
    child_of,
    decode,
    derived_id,
    expired,
    new_traceparent,
    random_id,
)
from evcharging.messages.network import OcppConfig
from evcharging.messages.topics import COMMANDS, HEALTH, OCPP_CONFIG, TELEMETRY, TOPICS, Topic

NOW = datetime(2026, 5, 1, 12, 30, 15, 250_000, tzinfo=UTC)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def health(**fields: Any) -> Health:
    return Health(**({"ts": NOW, "cp_id": "CP-001", "healthy": True} | fields))


def decoded(topic: Topic[Any], body: bytes | None, headers: list[tuple[str, bytes]] | None = None) -> Received[Any]:
    return decode(topic, body=body, headers=headers or [], partition=2, offset=17, timestamp_ms=5)


def test_an_event_carries_cloudevents_in_binary_mode_and_the_trace() -> None:
    event = Event(HEALTH, health(), id="event-1", source="central", traceparent=TRACE)
    assert event.key == b"CP-001"
    assert event.headers() == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"event-1"),
        ("ce_type", b"evcharging.cp.health"),
        ("ce_source", b"central"),
        ("ce_time", b"2026-05-01T12:30:15.250Z"),
        ("content-type", b"application/json"),
        ("traceparent", TRACE.encode()),
    ]
    assert "traceparent" not in dict(Event(HEALTH, health(), id="event-1", source="central").headers())


def test_what_is_published_is_what_is_received() -> None:
    event = Event(HEALTH, health(detail="ok"), id="event-1", source="central", traceparent=TRACE)
    assert decoded(HEALTH, event.body, event.headers()) == Received(
        event.message, "event-1", "cp.health", 2, 17, TRACE, 5
    )


def test_without_headers_the_id_is_that_of_the_body() -> None:
    command = Command(ts=NOW, command_id="cmd-1", cp_id="CP-001", action=CommandAction.STOP_CP)
    assert decoded(COMMANDS, command.to_json()).id == "cmd-1"
    assert decoded(COMMANDS, command.to_json(), [("ce_id", b"")]).id == "cmd-1"


def test_without_headers_and_an_id_of_the_body_the_id_is_its_place() -> None:
    assert decoded(HEALTH, health().to_json()).id == "cp.health-2-17"


def test_headers_of_others_and_odd_bytes_are_tolerated() -> None:
    headers = [("x", b"\xff"), ("ce_id", b"caf\xe9"), ("traceparent", b"\xff")]
    received = decoded(HEALTH, health().to_json(), headers)
    assert received.id == "caf�"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (None, "cp.health: empty record (a tombstone), expected a Health"),
        (b"", "cp.health: not a Health: body: Invalid JSON"),
        (b"{", "cp.health: not a Health: body: Invalid JSON"),
        (b"\xff\xfe", "cp.health: not a Health: body: Invalid JSON"),
        (b"[" * 100_000, "cp.health: not a Health: body: Invalid JSON"),
        (b"[]", "cp.health: not a Health: body: "),
        (b'{"cp_id": "CP-001"}', "ts: Field required"),
        (b'{"ts": "2026-05-01T12:00:00", "cp_id": "CP-001", "healthy": true}', "ts: Input should have timezone info"),
        (b'{"ts": "9999-12-31T23:59:59-12:00", "cp_id": "CP-001", "healthy": true}', "ts: "),
        (b'{"ts": "2026-05-01T12:00:00Z", "cp_id": "a/b", "healthy": true}', "cp_id: String should match pattern"),
        (b'{"ts": "2026-05-01T12:00:00Z", "cp_id": "CP-001", "healthy": {}}', "healthy: Input should be"),
        (b'{"ts": "2026-05-01T12:00:00Z", "cp_id": "\\ud800", "healthy": true}', "not a Health"),
    ],
)
def test_what_is_not_its_topics_message_says_why(body: bytes | None, complaint: str) -> None:
    with pytest.raises(Undecodable, match=re.escape(complaint)):
        decoded(HEALTH, body)


def test_a_complaint_repeats_a_part_of_the_body_only() -> None:
    with pytest.raises(Undecodable) as caught:
        decoded(HEALTH, json.dumps({"ts": "x" * 1_000_000, "cp_id": "y" * 1_000_000, "detail": [1] * 1000}).encode())
    assert len(str(caught.value)) < 600
    assert "and 1 more" in str(caught.value)


def test_a_complaint_does_not_repeat_a_key_without_end() -> None:
    body = {"ts": "2026-05-01T12:00:00Z", "cp_id": "CP-001", "configuration": {"k" * 1_000_000: 1}}
    with pytest.raises(Undecodable) as caught:
        decoded(OCPP_CONFIG, json.dumps(body).encode())
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "body",
    [
        {"cp_id": "CP-001", "password_hash": "$argon2id$hidden"},
        {"ts": "2026-05-01T12:00:00Z", "cp_id": "CP-001", "password_hash": ["$argon2id$hidden"]},
    ],
)
def test_a_complaint_about_a_message_with_a_secret_repeats_nothing_of_it(body: dict[str, Any]) -> None:
    with pytest.raises(Undecodable) as caught:
        decoded(OCPP_CONFIG, json.dumps(body).encode())
    assert "hidden" not in str(caught.value)
    with pytest.raises(Undecodable) as caught:
        decoded(OCPP_CONFIG, json.dumps(body).encode()[:-1])
    assert "hidden" not in str(caught.value)
    assert "hidden" not in repr(OcppConfig(ts=NOW, cp_id="CP-001", password_hash="$argon2id$hidden"))


@given(topic=st.sampled_from(TOPICS), body=st.none() | st.binary(max_size=200))
def test_no_bytes_raise_anything_but_undecodable(topic: Topic[Any], body: bytes | None) -> None:
    with pytest.raises(Undecodable):
        decoded(topic, body)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(data=st.data(), topic=st.sampled_from(TOPICS))
def test_any_json_is_taken_or_refused_and_what_is_taken_can_be_sent_on(data: st.DataObject, topic: Topic[Any]) -> None:
    fields = {name: data.draw(JSON_VALUES, label=name) for name in topic.model.model_fields if data.draw(st.booleans())}
    fields.setdefault("ts", "2026-05-01T12:00:00Z")
    try:
        received = decoded(topic, json.dumps(fields).encode())
    except Undecodable:
        return
    event = Event(topic, received.message, id=received.id, source="test")
    again = decoded(topic, event.body, event.headers())
    assert (again.message.to_json(), again.id) == (received.message.to_json(), received.id)


def test_an_effect_has_the_same_id_whenever_its_cause_comes_again() -> None:
    assert (
        derived_id("req-1", "accepted") == derived_id("req-1", "accepted") == str(UUID(derived_id("req-1", "accepted")))
    )
    ids = {derived_id(cause, kind) for cause in ("a", "a\nb", "b") for kind in ("x", "y", "b\nx")}
    assert len(ids) == 9 - 1, "only a cause with a line break can be taken for another"


def test_a_child_stays_in_its_trace_with_a_span_of_its_own() -> None:
    child = child_of(TRACE)
    assert child[:36] == TRACE[:36]
    assert child[36:52] != TRACE[36:52]
    assert child.endswith("-01")


@pytest.mark.parametrize("parent", [None, "", "garbage", "00-short-b7ad6b7169203331-01"])
def test_a_child_of_nothing_begins_a_trace(parent: str | None) -> None:
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", child_of(parent))
    assert new_traceparent() != new_traceparent()


def test_an_id_without_a_cause_is_a_uuid_that_nothing_else_has() -> None:
    ids = [random_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    for text in ids:
        assert (str(UUID(text)), UUID(text).version) == (text, 4)


def test_a_forked_process_makes_ids_of_its_own() -> None:
    program = (
        "import os; from evcharging.messages.envelope import random_id\n"
        "child = os.fork(); child and os.waitpid(child, 0); print(random_id(), flush=True)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert len(set(ran.stdout.split())) == 2


def test_a_command_expires_at_its_moment_and_never_without_one() -> None:
    assert not expired(NOW, NOW - timedelta(milliseconds=1))
    assert expired(NOW, NOW)
    assert not expired(None, NOW)


def test_a_telemetry_record_is_known_by_its_session_and_number() -> None:
    body = Telemetry(
        ts=NOW, cp_id="CP-001", session_id="s-1", seq=3, interval_start=NOW, interval_end=NOW,
        register_wh=1, energy_wh=1, kw=1, kwh=1, euros=1,
    ).to_json()  # fmt: skip
    assert decoded(TELEMETRY, body).id == "s-1:3"
