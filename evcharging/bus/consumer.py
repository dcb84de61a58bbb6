"""The loop that services read with: take records, decode them, have them handled, commit.

A record is committed when its handler has finished, so a crash before that has it delivered again. Bad input costs
only itself: what cannot be decoded, and what a handler fails on again and again, is set aside in the dead letter topic
with the reason, by readers with a group; a reader without one logs and counts it. What a record means is the handler's.

Errors::

    Retry    raised by a handler: not now (the database is away); the batch comes again after a pause, nothing is lost
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import structlog

from evcharging.bus import metrics
from evcharging.bus.dead_letters import DeadLetters
from evcharging.bus.protocol import (
    AssignmentCallback,
    Bus,
    Position,
    Record,
    Start,
    Subscription,
    SubscriptionHealth,
)
from evcharging.bus.ratelimit import RateLimit
from evcharging.messages.envelope import Received, Undecodable, decode
from evcharging.messages.topics import Topic

__all__ = ["Consumer", "Handler", "Retry", "Tombstone", "TombstoneHandler"]

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
ATTEMPTS = 3
REPORT_EVERY_S = 1.0


class Retry(Exception):
    """Raised by a handler that cannot do its work at the moment. The batch comes again, in order, after a pause.

    Messages in ``settled`` were dealt with all the same (refused, for instance) and do not come again, as far as no
    message before them in their partition must.
    """

    def __init__(self, reason: str, *, settled: Iterable[Received[Any]] = ()) -> None:
        super().__init__(reason)
        self.settled = frozenset((message.topic, message.partition, message.offset) for message in settled)


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A record without a value on a compacted topic: what its key stood for is gone."""

    topic: str
    key: bytes
    partition: int
    offset: int
    timestamp_ms: int


Handler = Callable[[Sequence[Received[Any]]], Awaitable[None]]
TombstoneHandler = Callable[[Tombstone], Awaitable[None]]
Item = tuple[Record, Received[Any] | Tombstone]


class Consumer:
    """Reads topics and has their messages handled, until it is cancelled.

    Enter it, then await `run` in a task of your own; leaving closes the subscription.

    Args:
        bus: where to read; dead letters are published there.
        topics: the topics with where to begin in each; a plain sequence begins at `Position.COMMITTED`.
        group: share the partitions with the other members of this group; without it all partitions are read.
        handler: is given messages in order, of several topics and partitions; all are committed when it returns.
            What it raises decides: `Retry` has them delivered again, anything else has them handled one by one.
        on_tombstone: is given records without a value of compacted topics, in order with the rest; without it they
            are counted and passed over.
        on_assignment: see `evcharging.bus.protocol.AssignmentCallback`.
        sticky: see `evcharging.bus.protocol.Bus.subscribe`.
        name: labels log lines and metrics; the group by default.
        max_records: the most that one call of the handler is given.
    """

    def __init__(
        self,
        bus: Bus,
        topics: Mapping[Topic[Any], Start] | Iterable[Topic[Any]],
        *,
        handler: Handler,
        group: str | None = None,
        on_tombstone: TombstoneHandler | None = None,
        on_assignment: AssignmentCallback | None = None,
        sticky: bool = False,
        name: str | None = None,
        max_records: int = 1000,
    ) -> None:
        starts = dict(topics) if isinstance(topics, Mapping) else dict.fromkeys(topics, Position.COMMITTED)
        self._bus = bus
        self._topics = {topic.name: topic for topic in starts}
        self._group = group
        self._handler = handler
        self._on_tombstone = on_tombstone
        self._max_records = max_records
        self.name = name or group or "+".join(sorted(self._topics))
        self._subscription: Subscription = bus.subscribe(
            {topic.name: start for topic, start in starts.items()},
            group=group,
            sticky=sticky,
            on_assignment=on_assignment,
        )
        self._dead_letters = None if group is None else DeadLetters(bus, group=group, reader=self.name)
        self._caught_up = asyncio.Event()
        self._complaints = RateLimit(per_s=1.0)
        self._reported_at = 0.0
        self._set_aside_now: frozenset[tuple[str, int, int]] = frozenset()

    async def __aenter__(self) -> Self:
        await self._subscription.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._subscription.__aexit__(kind, error, trace)

    async def run(self) -> None:
        """Read, handle and commit for ever.

        Raises:
            BusStopped: the bus was stopped while a dead letter waited; the record comes again at the next start.
            Exception: what ``on_assignment`` raised.
        """
        pause_s = FIRST_PAUSE_S
        while True:
            records = await self._subscription.getmany(timeout_s=0.25, max_records=self._max_records)
            self._report()
            try:
                if records:
                    await self._handle(records)
            except Retry as reason:
                log.warning("a batch is taken back", reader=self.name, pause_s=round(pause_s, 3), reason=str(reason))
                for topic in {record.topic for record in records}:
                    metrics.HANDLER_RETRIES.labels(topic).inc()
                await self._take_back(records, reason.settled | self._set_aside_now)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            pause_s = FIRST_PAUSE_S
            if not self._caught_up.is_set() and self._subscription.caught_up():
                self._caught_up.set()

    async def wait_caught_up(self) -> None:
        """Wait until everything that was there at the start has been handled. `run` must be running."""
        await self._caught_up.wait()

    def caught_up(self) -> bool:
        """Whether everything that was there at the start has been handled."""
        return self._caught_up.is_set()

    def partitions(self) -> frozenset[tuple[str, int]]:
        """The (topic, partition) pairs read at the moment."""
        return self._subscription.partitions()

    def health(self) -> SubscriptionHealth:
        """Whether reading makes progress; a handler that hangs or retries makes none."""
        return self._subscription.health()

    async def _handle(self, records: Sequence[Record]) -> None:
        items: list[Item] = []
        self._set_aside_now = frozenset()
        for record in records:
            item = await self._decode(record)
            if item is not None:
                items.append((record, item))
        for part in _runs(items):
            await self._handle_run(part)
        if self._group is not None:
            await self._subscription.commit(records)

    async def _take_back(self, records: Sequence[Record], settled: frozenset[tuple[str, int, int]]) -> None:
        """Commit what is settled at the head of each partition; have the rest delivered again."""
        done: list[Record] = []
        again: list[Record] = []
        waiting: set[tuple[str, int]] = set()
        for record in records:
            partition = (record.topic, record.partition)
            if partition in waiting or (*partition, record.offset) not in settled:
                waiting.add(partition)
                again.append(record)
            else:
                done.append(record)
        if done and self._group is not None:
            await self._subscription.commit(done)
        await self._subscription.rewind(again)

    async def _decode(self, record: Record) -> Received[Any] | Tombstone | None:
        topic = self._topics[record.topic]
        if record.value is None and topic.compacted and record.key is not None:
            metrics.TOMBSTONES.labels(record.topic).inc()
            return Tombstone(record.topic, record.key, record.partition, record.offset, record.timestamp_ms)
        try:
            return decode(
                topic,
                body=record.value,
                headers=record.headers,
                partition=record.partition,
                offset=record.offset,
                timestamp_ms=record.timestamp_ms,
            )
        except Undecodable as error:
            metrics.DECODE_ERRORS.labels(record.topic).inc()
            await self._set_aside(record, str(error), attempts=1)
            return None

    async def _handle_run(self, run: Sequence[Item]) -> None:
        """Have a run of messages handled together; if that fails, each alone, up to three times."""
        messages = [item for _, item in run if isinstance(item, Received)]
        if not messages or len(run) == 1:
            for entry in run:
                await self._handle_alone(entry)
        else:
            try:
                await self._handler(messages)
            except Retry:
                raise
            except Exception as error:  # noqa: BLE001 - a handler's fault costs only the record that causes it
                log.warning(
                    "a handler failed; its messages are tried one by one",
                    reader=self.name,
                    messages=len(messages),
                    error=repr(error),
                )
                for entry in run:
                    await self._handle_alone(entry)
        for topic, count in Counter(message.topic for message in messages).items():
            metrics.CONSUMED.labels(topic).inc(count)

    async def _handle_alone(self, entry: Item) -> None:
        record, item = entry
        for attempt in range(1, ATTEMPTS + 1):
            try:
                if isinstance(item, Received):
                    await self._handler([item])
                elif self._on_tombstone is not None:
                    await self._on_tombstone(item)
            except Retry:
                raise
            except Exception as error:
                log.exception("a handler failed on a message", reader=self.name, attempt=attempt, **_where(record))
                if attempt == ATTEMPTS:
                    await self._set_aside(record, f"{type(error).__name__}: {error}", attempts=ATTEMPTS)
                else:
                    await asyncio.sleep(FIRST_PAUSE_S)
            else:
                return

    async def _set_aside(self, record: Record, reason: str, *, attempts: int) -> None:
        self._set_aside_now |= {(record.topic, record.partition, record.offset)}
        if self._dead_letters is None:
            if (unsaid := self._complaints.admit()) is not None:
                log.error("a record is passed over", reader=self.name, reason=reason, unsaid=unsaid, **_where(record))
            return
        await self._dead_letters.put(record, reason, attempts=attempts)

    def _report(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._reported_at < REPORT_EVERY_S:
            return
        self._reported_at = now
        health = self._subscription.health()
        metrics.LAG.labels(self.name).set(health.lag)
        metrics.STALLED_SECONDS.labels(self.name).set(health.stalled_s)


def _runs(items: Sequence[Item]) -> Iterable[Sequence[Item]]:
    """Cut at tombstones, each of which is a run of its own, so that the order is kept."""
    start = 0
    for index, (_, item) in enumerate(items):
        if isinstance(item, Tombstone):
            if index > start:
                yield items[start:index]
            yield items[index : index + 1]
            start = index + 1
    if start < len(items):
        yield items[start:]


def _where(record: Record) -> dict[str, Any]:
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}
