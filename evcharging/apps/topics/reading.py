"""What one record says, for people and for programs. Pure: takes a record of the bus, prints nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from evcharging.bus.protocol import Record
from evcharging.messages.base import rfc3339
from evcharging.messages.envelope import Undecodable, decode
from evcharging.messages.topics import DEAD_LETTER_SUFFIX, TOPICS, dead_letter_name, topic_named

__all__ = ["Reading", "read_record", "topic_names"]


def topic_names() -> list[str]:
    """Every topic and its dead letters."""
    return [name for topic in TOPICS for name in (topic.name, dead_letter_name(topic.name))]


@dataclass(frozen=True, slots=True)
class Reading:
    """A record and what it says.

    Attributes:
        fields: the message as JSON values, without what is unset; None where it cannot be decoded.
        problem: why it cannot be decoded, else None.
        dead_because: the reason a dead letter was set aside, else None.
        raw: the undecoded value as text.
    """

    record: Record
    key: str | None
    headers: dict[str, str]
    fields: dict[str, Any] | None
    problem: str | None
    dead_because: str | None
    raw: str | None

    @property
    def moment(self) -> datetime:
        """When the broker got it."""
        return datetime.fromtimestamp(self.record.timestamp_ms / 1000, UTC)

    def as_json(self) -> str:
        """One line of JSON: where it stood, key, headers, and the message or what is wrong with it."""
        record = self.record
        shown: dict[str, Any] = {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": rfc3339(self.moment),
            "key": self.key,
            "headers": self.headers,
        }
        if self.fields is not None:
            shown["message"] = self.fields
        else:
            shown["undecodable"] = self.problem
            shown["value"] = self.raw
        return json.dumps(shown)


def read_record(record: Record) -> Reading:
    """Decode ``record`` by its topic's model; a dead letter by that of the topic it was meant for."""
    headers = {name: _text(value) for name, value in record.headers}
    fields = problem = None
    try:
        topic = topic_named(record.topic.removesuffix(DEAD_LETTER_SUFFIX))
        received = decode(
            topic, body=record.value, headers=record.headers, partition=record.partition, offset=record.offset
        )
        fields = received.message.model_dump(mode="json", exclude_none=True)
    except Undecodable as error:
        problem = str(error)
    return Reading(
        record=record,
        key=None if record.key is None else _text(record.key),
        headers=headers,
        fields=fields,
        problem=problem,
        dead_because=headers.get("dlq_error"),
        raw=None if record.value is None else _text(record.value),
    )


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")
