"""The bus over a log in memory, for tests and for services that run in one process.

It keeps the contract of `evcharging.bus.protocol` as Kafka does: at least once, ordered per key, redelivered after a
reader went away without committing. It never loses a record of its own accord; the two faults it can be given,
`unreachable` and `dropping_acks`, end as they do with Kafka: what was accepted is delivered, perhaps twice.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from evcharging.bus import futures
from evcharging.bus.checks import checked_starts, refuse_impossible
from evcharging.bus.memory_log import MemoryLog
from evcharging.bus.memory_reader import MemorySubscription
from evcharging.bus.protocol import (
    AssignmentCallback,
    BusHealth,
    BusOverloaded,
    BusStopped,
    Start,
    Subscription,
)
from evcharging.messages.envelope import Event

__all__ = ["MemoryBus", "dropping_acks", "unreachable"]

Headers = Sequence[tuple[str, bytes]]


class _Pending:
    __slots__ = ("future", "headers", "key", "partition", "timestamp_ms", "topic", "value")

    def __init__(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers, timestamp_ms: int
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.key = key
        self.value = value
        self.headers = tuple(headers)
        self.timestamp_ms = timestamp_ms
        self.future = futures.quiet_future()


class MemoryBus:
    """A `evcharging.bus.protocol.Bus` over a `MemoryLog`.

    Args:
        log: where records are kept; buses that share it see each other.
        max_waiting: how many records may wait while the log is out of reach.
        wall_clock: seconds since the epoch, for the records' timestamps.
        monotonic: seconds, for telling progress from standstill.
    """

    def __init__(
        self,
        log: MemoryLog | None = None,
        *,
        max_waiting: int = 50_000,
        wall_clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.log = log if log is not None else MemoryLog()
        self.reachable = True
        self.acknowledging = True
        self._max_waiting = max_waiting
        self._wall_clock = wall_clock
        self._monotonic = monotonic
        self._waiting: deque[_Pending] = deque()
        self._stopped = False

    async def start(self) -> None:
        """There is nothing to connect to."""
        self._refuse_if_stopped()

    async def stop(self) -> None:
        """Deliver what waits if the log is in reach, fail it otherwise."""
        if self.reachable and self.acknowledging:
            self.deliver()
        self._stopped = True
        while self._waiting:
            futures.fail(
                self._waiting.popleft().future, BusStopped("the bus was stopped before the log was in reach again")
            )

    async def publish(self, event: Event[Any]) -> asyncio.Future[None]:
        """See `evcharging.bus.protocol.Bus.publish`."""
        return await self.publish_raw(event.topic.name, event.key, event.body, event.headers())

    async def publish_raw(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers
    ) -> asyncio.Future[None]:
        """See `evcharging.bus.protocol.Bus.publish_raw`."""
        self._refuse_if_stopped()
        refuse_impossible(topic, key)
        if len(self._waiting) >= self._max_waiting:
            raise BusOverloaded(f"{len(self._waiting)} records wait for the log, the bound is {self._max_waiting}")
        pending = _Pending(
            topic, self.log.partition_of(key), key, value, headers, timestamp_ms=int(self._wall_clock() * 1000)
        )
        self._waiting.append(pending)
        if self.reachable:
            if self.acknowledging:
                self.deliver()
            else:
                self._append(pending)
        return pending.future

    async def flush(self) -> None:
        """See `evcharging.bus.protocol.Bus.flush`."""
        if waiting := [pending.future for pending in self._waiting]:
            await asyncio.wait(waiting)

    def subscribe(
        self,
        topics: Mapping[str, Start],
        *,
        group: str | None = None,
        sticky: bool = False,
        on_assignment: AssignmentCallback | None = None,
    ) -> Subscription:
        """See `evcharging.bus.protocol.Bus.subscribe`."""
        self._refuse_if_stopped()
        return MemorySubscription(
            self.log,
            checked_starts(topics, group),
            group=group,
            sticky=sticky,
            on_assignment=on_assignment,
            reachable=lambda: self.reachable,
            monotonic=self._monotonic,
        )

    def health(self) -> BusHealth:
        """See `evcharging.bus.protocol.BusHealth`."""
        detail = None if self.reachable else "the log in memory was made unreachable"
        return BusHealth(connected=self.reachable and not self._stopped, waiting=len(self._waiting), detail=detail)

    def deliver(self) -> None:
        """Append and acknowledge everything that waits, in the order it was accepted."""
        while self._waiting:
            pending = self._waiting.popleft()
            self._append(pending)
            futures.succeed(pending.future)

    def _append(self, pending: _Pending) -> None:
        self.log.append(
            pending.topic, pending.partition, pending.key, pending.value, pending.headers, pending.timestamp_ms
        )

    def _refuse_if_stopped(self) -> None:
        if self._stopped:
            raise BusStopped("the bus was stopped; make a new one")


@contextmanager
def unreachable(bus: MemoryBus) -> Iterator[None]:
    """Take the log out of ``bus``'s reach: nothing is read, and what is published waits. Both go on at the end."""
    bus.reachable = False
    try:
        yield
    finally:
        bus.reachable = True
        if bus.acknowledging:
            bus.deliver()


@contextmanager
def dropping_acks(bus: MemoryBus) -> Iterator[None]:
    """Lose the acknowledgements of ``bus``: records arrive, their publisher does not learn of it.

    At the end they are sent again, as a producer would whose broker had answered into the void: every record that was
    published inside is then there twice, in order, and acknowledged once.
    """
    bus.acknowledging = False
    try:
        yield
    finally:
        bus.acknowledging = True
        if bus.reachable:
            bus.deliver()
