"""The envelope a message travels in: CloudEvents binary mode in Kafka headers, with a W3C traceparent.

`Event` is what a service publishes; `Received` is what a service gets back from `decode`. A record without headers is
accepted: its id is then the body's own id, else its position ``topic-partition-offset``, so that a repeat of the same
record is always recognised.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID, uuid5

from pydantic import ValidationError

from evcharging.messages.base import Message, rfc3339
from evcharging.messages.topics import Topic

__all__ = [
    "Event",
    "Headers",
    "Received",
    "Undecodable",
    "child_of",
    "decode",
    "derived_id",
    "new_traceparent",
    "random_id",
]

M = TypeVar("M", bound=Message)
Headers = Sequence[tuple[str, bytes]]

SPEC_VERSION = "1.0"
TYPE_PREFIX = "evcharging."
_IDS = UUID("5b1f5c0e-6f0c-5d0e-9a63-0d7b9f6f3a41")


class Undecodable(ValueError):
    """A record that is not what its topic promises: bad JSON, a missing field, a wrong type."""


@dataclass(frozen=True, slots=True)
class Event(Generic[M]):
    """A message on its way out, with the id by which a repeat is recognised."""

    topic: Topic[M]
    message: M
    id: str
    source: str
    traceparent: str | None = None

    @property
    def key(self) -> bytes:
        """The partition key."""
        return self.topic.key_of(self.message).encode()

    @property
    def body(self) -> bytes:
        """The record's value."""
        return self.message.to_json()

    def headers(self) -> list[tuple[str, bytes]]:
        """CloudEvents attributes (binary content mode, Kafka protocol binding 1.0.2) and the trace."""
        headers = [
            ("ce_specversion", SPEC_VERSION.encode()),
            ("ce_id", self.id.encode()),
            ("ce_type", (TYPE_PREFIX + self.topic.name).encode()),
            ("ce_source", self.source.encode()),
            ("ce_time", rfc3339(self.message.ts).encode()),
            ("content-type", b"application/json"),
        ]
        if self.traceparent is not None:
            headers.append(("traceparent", self.traceparent.encode()))
        return headers


@dataclass(frozen=True, slots=True)
class Received(Generic[M]):
    """A decoded record and where it stood."""

    message: M
    id: str
    topic: str
    partition: int
    offset: int
    traceparent: str | None
    timestamp_ms: int


def decode(
    topic: Topic[M],
    *,
    body: bytes | None,
    headers: Headers,
    partition: int,
    offset: int,
    timestamp_ms: int = 0,
) -> Received[M]:
    """Validate one record against its topic's model.

    Raises:
        Undecodable: says what is wrong with the body, without repeating more than a part of it, and nothing of a
            message that has a field which is not to be shown.
    """
    if body is None:
        raise Undecodable(f"{topic.name}: empty record (a tombstone), expected a {topic.model.__name__}")
    try:
        message = topic.model.from_json(body)
    except ValidationError as error:
        problems = _first_problems(error, topic.model)
        raise Undecodable(f"{topic.name}: not a {topic.model.__name__}: {problems}") from None
    event_id = traceparent = None
    for name, value in headers:
        if name == "ce_id":
            event_id = value.decode("utf-8", "replace")
        elif name == "traceparent":
            traceparent = value.decode("utf-8", "replace")
    if not event_id:
        event_id = message.body_id() or f"{topic.name}-{partition}-{offset}"
    return Received(message, event_id, topic.name, partition, offset, traceparent, timestamp_ms)


def derived_id(cause: str, kind: str) -> str:
    """The id of an effect: the same for the same cause and kind, so that a repeat repeats it (uuid5)."""
    return str(uuid5(_IDS, f"{cause}\n{kind}"))


def random_id() -> str:
    """A fresh id for what has no cause that it could be derived from, in the form of a UUID of version 4."""
    digits = f"{_random.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def new_traceparent() -> str:
    """A fresh W3C trace context, sampled."""
    return f"00-{_random.getrandbits(128):032x}-{_random.getrandbits(64):016x}-01"


def child_of(traceparent: str | None) -> str:
    """A new span in the same trace; a new trace where there was none or it was malformed."""
    parts = (traceparent or "").split("-")
    if len(parts) < 4 or len(parts[1]) != 32 or len(parts[2]) != 16:
        return new_traceparent()
    return f"{parts[0]}-{parts[1]}-{_random.getrandbits(64):016x}-{parts[3]}"


_random = random.Random(secrets.randbits(256))
"""Of names, which are no secrets: to ask the system for each costs as much as the rest of an event."""
os.register_at_fork(after_in_child=lambda: _random.seed(secrets.randbits(256)))


def expired(expires_at: datetime | None, now: datetime) -> bool:
    """Whether a command's time has run out; one without a limit never expires."""
    return expires_at is not None and now >= expires_at


def _first_problems(error: ValidationError, model: type[Message]) -> str:
    secretive = any(not field.repr for field in model.model_fields.values())
    problems = error.errors(include_url=False, include_context=False, include_input=True)
    told = []
    for problem in problems[:3]:
        where = ".".join(str(part) for part in problem["loc"])[:80] or "body"
        got = "" if secretive else f" (got {str(problem['input'])[:60]!r})"
        told.append(f"{where}: {problem['msg']}{got}")
    if len(problems) > 3:
        told.append(f"and {len(problems) - 3} more")
    return "; ".join(told)
