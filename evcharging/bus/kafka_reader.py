"""Reading from Kafka: one subscription, with a group or without, that outlives its consumer.

A consumer of aiokafka can stop reading without an error. So the subscription keeps the positions itself, measures
progress against the broker's own end offsets, and puts a new consumer in place of one that stands still while there is
something to read. It decodes nothing and never commits of its own accord.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from evcharging.bus.kafka_consumer import UNREACHABLE, FetchPace, discard, open_with_group, open_without_group
from evcharging.bus.kafka_link import Link
from evcharging.bus.kafka_settings import KafkaSettings
from evcharging.bus.kafka_starting import Starting
from evcharging.bus.pause import GrowingPause
from evcharging.bus.progress import Progress
from evcharging.bus.protocol import (
    STALLED_AFTER_S,
    AssignmentCallback,
    BusError,
    Record,
    Start,
    SubscriptionHealth,
)
from evcharging.bus.ratelimit import RateLimit

__all__ = ["KafkaSubscription"]

log = structlog.get_logger(__name__)

Partition = tuple[str, int]

WATCH_EVERY_S = 2.0
WATCH_TIMEOUT_S = 5.0
RETRY_S = 0.5
JOINING_FOR_S = 60.0
"""A member may wait this long for its partitions before it joins anew: others wait for it while it does."""
COMPLAIN_PER_S = 0.2
GRACE_S = 0.5


class KafkaSubscription:
    """See `evcharging.bus.protocol.Subscription`. Made by `evcharging.bus.kafka.KafkaBus.subscribe`."""

    def __init__(
        self,
        settings: KafkaSettings,
        starts: Mapping[str, Start],
        *,
        group: str | None,
        sticky: bool,
        on_assignment: AssignmentCallback | None,
        link: Link,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._starts = starts
        self._group = group
        self._sticky = sticky
        self._on_assignment = on_assignment
        self._link = link
        self._moves = 0
        self._shrunk = False
        self._monotonic = monotonic
        self._progress = Progress(monotonic)
        self._starting = Starting(starts)
        self._pace = FetchPace(settings, monotonic)
        self._consumer: AIOKafkaConsumer | None = None
        self._settled = asyncio.Event()
        self._unannounced = False
        self._broken: Exception | None = None
        self._watch: asyncio.Task[None] | None = None
        self._watched_at = monotonic()
        self._pause = GrowingPause(first_s=RETRY_S, longest_s=30.0, calm_s=60.0, monotonic=monotonic)
        self._empty_since: float | None = None
        self._complaints = RateLimit(per_s=COMPLAIN_PER_S)

    async def __aenter__(self) -> Self:
        while self._consumer is None:
            await self._try_open()
        self._watch = asyncio.create_task(self._watch_ends(), name="bus watch reader")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._close()

    async def getmany(self, *, timeout_s: float = 0.1, max_records: int = 1000) -> Sequence[Record]:
        """See `evcharging.bus.protocol.Subscription.getmany`."""
        deadline = self._monotonic() + timeout_s
        while True:
            await self._announce()
            left_s = max(deadline - self._monotonic(), 0.0)
            try:
                records = await self._poll(left_s, max_records)
            except UNREACHABLE as error:
                await self._reopen(f"reading failed: {error!r}")
                records = []
            if records:
                self._empty_since = None
                return records
            await self._reopen_if_hung()
            if self._monotonic() >= deadline:
                return records

    async def commit(self, records: Iterable[Record]) -> None:
        """See `evcharging.bus.protocol.Subscription.commit`."""
        if self._group is None:
            raise BusError("a reader without a group has nothing to commit; subscribe with a group")
        consumer = self._consumer
        if consumer is None:
            return
        assigned = consumer.assignment()
        offsets: dict[TopicPartition, int] = {}
        for record in records:
            tp = TopicPartition(record.topic, record.partition)
            if tp in assigned:
                offsets[tp] = max(offsets.get(tp, 0), record.offset + 1)
        if not offsets:
            return
        try:
            await consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError) as error:
            log.info("partitions were dealt out before a commit; their records come again", error=type(error).__name__)
        except UNREACHABLE as error:
            log.warning("a commit failed; the records may come again", group=self._group, error=repr(error))

    async def rewind(self, records: Iterable[Record]) -> None:
        """See `evcharging.bus.protocol.Subscription.rewind`."""
        self._seek(self._progress.rewind(records))

    def caught_up(self) -> bool:
        """See `evcharging.bus.protocol.Subscription.caught_up`."""
        return self._settled.is_set() and self._progress.caught_up()

    def partitions(self) -> frozenset[tuple[str, int]]:
        """See `evcharging.bus.protocol.Subscription.partitions`."""
        return self._progress.partitions() if self._settled.is_set() else frozenset()

    def health(self) -> SubscriptionHealth:
        """See `evcharging.bus.protocol.Subscription.health`."""
        return self._progress.health()

    async def _poll(self, timeout_s: float, max_records: int) -> list[Record]:
        consumer = self._consumer
        if consumer is None:
            await asyncio.sleep(min(self._pause.left_s(), timeout_s))
            if not self._pause.left_s():
                await self._try_open()
            return []
        timeout_s = self._pace.hold_s(timeout_s)
        try:
            async with asyncio.timeout(timeout_s + GRACE_S):
                fetched = await consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=max_records)
                self._pace.follow(consumer, had_records=bool(fetched))
                if self._unannounced or not self._settled.is_set():
                    self._seek({(tp.topic, tp.partition): found[0].offset for tp, found in fetched.items()})
                    await self._settled.wait()
                    return []
        except TimeoutError:
            return []
        records: list[Record] = []
        for tp, found in fetched.items():
            self._take((tp.topic, tp.partition), found, records)
        return records

    def _take(self, partition: Partition, found: Sequence[Any], records: list[Record]) -> None:
        first, last = found[0].offset, found[-1].offset
        if last - first + 1 == len(found):
            self._progress.returned(partition, first, last)
        else:
            for record in found:
                self._progress.returned(partition, record.offset, record.offset)
        records += self._starting.records(partition, found)

    def _seek(self, positions: Mapping[Partition, int]) -> None:
        if self._consumer is None:
            return
        assigned = self._consumer.assignment()
        for partition, offset in positions.items():
            tp = TopicPartition(*partition)
            if tp in assigned:
                self._consumer.seek(tp, offset)

    async def _try_open(self) -> None:
        """Put a consumer in place, or say why there is none yet and wait a little."""
        try:
            if self._group is None:
                self._consumer = await open_without_group(self._settings, self._starting, self._progress)
                self._settled.set()
            else:
                self._settled.clear()
                self._consumer = await open_with_group(
                    self._settings,
                    self._starting,
                    self._progress,
                    group=self._group,
                    sticky=self._sticky,
                    on_revoked=self._settled.clear,
                    on_assigned=self._assigned,
                )
        except UNREACHABLE as error:
            if self._complaints.admit() is not None:
                log.warning("waiting for Kafka to read from", topics=sorted(self._starts), error=repr(error))
            await asyncio.sleep(RETRY_S)
        else:
            self._moves = self._link.moves
            self._shrunk = False
            self._watched_at = self._monotonic()
            self._empty_since = None

    async def _assigned(self, consumer: AIOKafkaConsumer, assigned: Iterable[TopicPartition]) -> None:
        """Called by the consumer after each rebalance; records wait until this is done.

        It sends no heartbeat meanwhile: whoever wants to hear of the assignment is told from `getmany`, at leisure.
        """
        try:
            await self._starting.begin_assignment(consumer, assigned, self._progress)
        except Exception as error:  # noqa: BLE001 - aiokafka would swallow it; `getmany` deals with it instead
            self._broken = error
        self._unannounced = True
        self._settled.set()

    async def _announce(self) -> None:
        while self._unannounced and self._settled.is_set():
            self._unannounced = False
            if self._broken is not None:
                error, self._broken = self._broken, None
                if not isinstance(error, UNREACHABLE):
                    raise error
                self._settled.clear()
                await self._reopen(f"its partitions could not be placed: {error!r}")
            elif self._on_assignment is not None:
                await self._on_assignment(self._progress.partitions())

    async def _reopen(self, why: str) -> None:
        """Close the consumer; the next one is opened after a pause that grows while it keeps happening.

        A member that cannot join has the others deal their partitions out anew each time it tries.
        """
        log.warning("replacing a reader", topics=sorted(self._starts), group=self._group, reason=why)
        await self._close()
        self._pause.begin()

    async def _close(self) -> None:
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await discard(consumer)

    async def _reopen_if_hung(self) -> None:
        """Replace a consumer that was asked all the while and has stood still, or whose broker cannot be asked."""
        if self._consumer is None or not self._link.connected:
            return
        if self._moves != self._link.moves or self._shrunk:
            await self._reopen("the log has shrunk" if self._shrunk else "the broker has moved")
            return
        now = self._monotonic()
        self._empty_since = now if self._empty_since is None else self._empty_since
        if now - self._empty_since < (STALLED_AFTER_S if self._settled.is_set() else JOINING_FOR_S):
            return
        if not self._progress.health().progressing:
            await self._reopen(f"no progress for {STALLED_AFTER_S:.0f} s, {self._progress.lag()} records behind")
        elif now - self._watched_at >= STALLED_AFTER_S:
            await self._reopen("its broker has not answered it, while it answers others")

    async def _watch_ends(self) -> None:
        """Ask the broker for the ends of the partitions, so that lag is known whatever the consumer does."""
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            consumer = self._consumer
            if consumer is None or not self._settled.is_set():
                continue
            assigned, positions = sorted(consumer.assignment()), self._progress.positions()
            try:
                async with asyncio.timeout(WATCH_TIMEOUT_S):
                    ends = await consumer.end_offsets(assigned)
                    for tp in assigned:
                        self._progress.passed((tp.topic, tp.partition), await consumer.position(tp))
            except UNREACHABLE:
                continue
            except Exception:
                log.exception("the ends of the partitions could not be asked for", topics=sorted(self._starts))
                continue
            if consumer is self._consumer and self._settled.is_set():
                self._watched_at = self._monotonic()
                found = {(tp.topic, tp.partition): end for tp, end in ends.items()}
                self._shrunk = self._progress.overtakes(found, positions)
                for partition, end in found.items():
                    self._progress.saw_end(partition, end)
