"""The bus as services see it: publish events, subscribe to topics, ask for health.

Two adapters keep this contract: `evcharging.bus.kafka` (aiokafka) and `evcharging.bus.memory` (an in-memory log with
partitions, offsets, groups and redelivery). Delivery is at least once and ordered per key. Nothing here knows what a
message means; effects are made idempotent by who causes them (see `evcharging.store`).

Errors::

    BusError
    ├── BusUnavailable    the broker cannot be reached (yet); what was accepted is kept and sent when it comes back
    ├── BusOverloaded     more is waiting to be sent than the bound allows
    ├── RecordRefused     the broker will never take this record (it is too large); the others are not held up by it
    └── BusStopped        publish or subscribe after stop; what was still waiting then was not sent
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from types import TracebackType
from typing import Any, Protocol, Self

from evcharging.messages.envelope import Event

__all__ = [
    "STALLED_AFTER_S",
    "AssignmentCallback",
    "Bus",
    "BusError",
    "BusHealth",
    "BusOverloaded",
    "BusStopped",
    "BusUnavailable",
    "Position",
    "Record",
    "RecordRefused",
    "Since",
    "Start",
    "Subscription",
    "SubscriptionHealth",
]


class BusError(Exception):
    """The base of every error of the bus."""


class BusUnavailable(BusError):
    """The broker cannot be reached. What was accepted for publishing is kept and sent when it returns."""


class BusOverloaded(BusError):
    """The bound on what waits to be sent is reached. Slow down, or refuse the work that causes it."""


class RecordRefused(BusError):
    """The broker will never take this record, whenever it is sent. Publish something smaller."""


class BusStopped(BusError):
    """The bus was stopped; make a new one. What was still waiting at the end of `Bus.stop` was not sent."""


class Position(Enum):
    """Where a reader begins."""

    COMMITTED = "committed"
    """A group's committed offset; the beginning where there is none."""
    BEGINNING = "beginning"
    END = "end"


@dataclass(frozen=True, slots=True)
class Since:
    """Begin at the first record that is not older than ``moment``.

    A broker that cannot look up offsets by time (the embedded one) is read from the beginning instead, and the older
    records are left out by their timestamps: the reader sees the same records either way.
    """

    moment: datetime


Start = Position | Since

AssignmentCallback = Callable[[frozenset[tuple[str, int]]], Awaitable[None]]
"""Told the whole set of (topic, partition) pairs after each rebalance, before any record of it is returned."""

STALLED_AFTER_S = 15.0
"""A reader that stands still this long while there is something to read makes no progress."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the broker has it. ``headers`` and ``value`` are undecoded."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class BusHealth:
    """Whether publishing makes progress. ``waiting`` counts records accepted and not yet acknowledged."""

    connected: bool
    waiting: int
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionHealth:
    """Whether reading makes progress: ready is progress, not a ping.

    ``lag`` counts records between the position and the end of the assigned partitions; ``stalled_s`` is how long the
    position has stood still while there was a lag (0 when caught up or moving); ``jumps`` counts records that were gone
    before they could be read (retention), each of which was also logged as an error. ``behind_s`` says how old what is
    read is: everything that was there so long ago was returned since (infinite: not known yet).
    """

    assigned: int
    lag: int
    stalled_s: float
    jumps: int
    behind_s: float = 0.0

    @property
    def progressing(self) -> bool:
        """False once the position has stood still for 15 s with a lag."""
        return self.stalled_s < STALLED_AFTER_S


class Subscription(Protocol):
    """A reader of some topics: with a group (shared, committed) or without (all partitions, never committed)."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def getmany(self, *, timeout_s: float = 0.1, max_records: int = 1000) -> Sequence[Record]:
        """Wait up to ``timeout_s`` for records and return them, in offset order within each partition.

        Returns an empty sequence on timeout. While the broker is away it keeps waiting and retrying; it does not raise.
        """
        ...

    async def commit(self, records: Iterable[Record]) -> None:
        """Commit ``offset + 1`` of the last of ``records`` in each partition. For readers with a group only.

        A partition that was taken away meanwhile is left out: its new owner reads the records again.
        """
        ...

    async def rewind(self, records: Iterable[Record]) -> None:
        """Have ``records`` (and what follows them in their partitions) delivered again."""
        ...

    def caught_up(self) -> bool:
        """Whether every record that was there when the reader started (or was last assigned) has been returned."""
        ...

    def partitions(self) -> frozenset[tuple[str, int]]:
        """The (topic, partition) pairs read at the moment."""
        ...

    def health(self) -> SubscriptionHealth:
        """See `SubscriptionHealth`."""
        ...


class Bus(Protocol):
    """A connection to the log."""

    async def start(self) -> None:
        """Connect, waiting for a broker that is not there yet (each attempt is logged), and create missing topics."""
        ...

    async def stop(self) -> None:
        """Send what was accepted (for a bounded time), then disconnect. Idempotent."""
        ...

    async def publish(self, event: Event[Any]) -> asyncio.Future[None]:
        """Accept ``event`` for sending; the future resolves when the broker has it (acks=all).

        Waits for room when too much is in flight. Events of one key are sent in the order of the calls. While the
        broker is away events are kept, up to a bound.

        Nobody has to await the future: one that is dropped causes no warning, and what was accepted is sent all the
        same. It fails with `RecordRefused`, or with `BusStopped` where `stop` ran out of time.

        Raises:
            BusOverloaded: the bound is reached and the broker is away.
            RecordRefused: the record is larger than the bus takes.
            BusStopped: after `stop`.
        """
        ...

    async def publish_raw(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]
    ) -> asyncio.Future[None]:
        """As `publish`, for bytes that are no message of ours: dead letters. Without a key any partition is taken."""
        ...

    async def flush(self) -> None:
        """Wait until everything accepted so far has been acknowledged."""
        ...

    def subscribe(
        self,
        topics: Mapping[str, Start],
        *,
        group: str | None = None,
        sticky: bool = False,
        on_assignment: AssignmentCallback | None = None,
    ) -> Subscription:
        """Read ``topics``; partitions are read from when the subscription is entered.

        Without a group all partitions are read and nothing is committed; `Position.COMMITTED` then means the
        beginning. With a group the partitions are shared with its other members and a start is `Position.COMMITTED`,
        or `Position.BEGINNING` for a topic to be read anew by whoever is given a partition. ``sticky`` keeps
        partitions where they are at a rebalance as far as it can (all members must agree); otherwise they are dealt
        out in ranges, so that topics with equal counts go together.

        Raises:
            ValueError: no topic, or a start that a group cannot have.
            BusStopped: after `stop`.
        """
        ...

    def health(self) -> BusHealth:
        """See `BusHealth`."""
        ...
