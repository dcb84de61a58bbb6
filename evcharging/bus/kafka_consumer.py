"""Opening, placing and closing aiokafka consumers; `evcharging.bus.kafka_reader` reads from them.

Where the broker cannot look up offsets by time (the embedded one answers every such question with "none"), a partition
is read from its beginning and the records that are too old are left out here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from evcharging.bus.bounded import ended
from evcharging.bus.kafka_cluster import create_topics, describe_cluster
from evcharging.bus.kafka_settings import KafkaSettings
from evcharging.bus.progress import Progress
from evcharging.bus.protocol import Position, Since, Start

__all__ = ["UNREACHABLE", "Starting", "discard", "open_with_group", "open_without_group"]

log = structlog.get_logger(__name__)

Partition = tuple[str, int]

UNREACHABLE = (KafkaError, OSError, TimeoutError)
"""What aiokafka raises for a broker that is away, restarting or dealing partitions out."""

STOP_S = 5.0


class Starting:
    """Where a subscription begins in each partition, and what is too old for it."""

    def __init__(self, starts: Mapping[str, Start]) -> None:
        self._starts = starts
        self._not_before_ms: dict[Partition, int] = {}
        self._cluster_id: str | None = None

    @property
    def topics(self) -> list[str]:
        """The topics to read."""
        return list(self._starts)

    async def recognise(self, settings: KafkaSettings, progress: Progress) -> None:
        """Forget the positions if another cluster answers than before: they say nothing of its log.

        That log is then read from its beginning, since all of it is younger than this reader.
        """
        cluster_id = (await describe_cluster(settings)).id
        if self._cluster_id not in (None, cluster_id):
            log.error(
                "another broker answers, with a log of its own; reading it from the beginning, what the old one held "
                "and was not read is gone",
                topics=self.topics,
                bootstrap=settings.bootstrap,
            )
            self._starts = {
                topic: Position.COMMITTED if start is Position.COMMITTED else Position.BEGINNING
                for topic, start in self._starts.items()
            }
            self._not_before_ms.clear()
            progress.assign({})
        self._cluster_id = cluster_id

    def not_too_old(self, partition: Partition, found: Sequence[Any]) -> Sequence[Any]:
        """Leave out what comes before the first record of the moment that `Since` names."""
        not_before_ms = self._not_before_ms.get(partition)
        if not_before_ms is None:
            return found
        for index, record in enumerate(found):
            if record.timestamp >= not_before_ms:
                del self._not_before_ms[partition]
                return found[index:]
        return ()

    async def begin(self, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition], progress: Progress) -> None:
        """Place a consumer without a group: where it was, else where its start says."""
        first = await consumer.beginning_offsets(partitions)
        end = await consumer.end_offsets(partitions)
        by_time = await self._by_time(consumer, partitions, first, end)
        before = progress.positions()
        positions: dict[Partition, int] = {}
        for tp in partitions:
            partition = (tp.topic, tp.partition)
            if partition in before:
                positions[partition] = before[partition]
            elif tp in by_time:
                positions[partition] = by_time[tp]
            else:
                positions[partition] = end[tp] if self._starts[tp.topic] is Position.END else first[tp]
        self._place(consumer, positions, first, end, progress)

    async def begin_assignment(
        self, consumer: AIOKafkaConsumer, assigned: Iterable[TopicPartition], progress: Progress
    ) -> None:
        """Place a member of a group in what it was assigned: where the group has committed, else the beginning."""
        partitions = sorted(assigned)
        first = await consumer.beginning_offsets(partitions)
        end = await consumer.end_offsets(partitions)
        before = progress.positions()
        positions: dict[Partition, int] = {}
        for tp in partitions:
            partition = (tp.topic, tp.partition)
            if self._starts[tp.topic] is Position.BEGINNING:
                positions[partition] = before.get(partition, first[tp])
            else:
                committed = await consumer.committed(tp)
                positions[partition] = first[tp] if committed is None else committed
        self._place(consumer, positions, first, end, progress)

    def _place(
        self,
        consumer: AIOKafkaConsumer,
        positions: dict[Partition, int],
        first: Mapping[TopicPartition, int],
        end: Mapping[TopicPartition, int],
        progress: Progress,
    ) -> None:
        for (topic, number), position in positions.items():
            tp = TopicPartition(topic, number)
            if position > end[tp]:
                log.error(
                    "a partition is shorter than what was read of it: the broker lost its log or was replaced; "
                    "reading from its beginning",
                    topic=topic,
                    partition=number,
                    position=position,
                    end=end[tp],
                )
                positions[topic, number] = first[tp]
        progress.assign(positions)
        for tp in first:
            partition = (tp.topic, tp.partition)
            progress.skipped_to(partition, first[tp])
            progress.aim(partition, end[tp])
            consumer.seek(tp, progress.positions()[partition])

    async def _by_time(
        self,
        consumer: AIOKafkaConsumer,
        partitions: Sequence[TopicPartition],
        first: Mapping[TopicPartition, int],
        end: Mapping[TopicPartition, int],
    ) -> dict[TopicPartition, int]:
        moments: dict[TopicPartition, int] = {}
        for tp in partitions:
            start = self._starts[tp.topic]
            if isinstance(start, Since):
                moments[tp] = max(int(start.moment.timestamp() * 1000), 0)
        found = await consumer.offsets_for_times(dict(moments)) if moments else {}
        placed: dict[TopicPartition, int] = {}
        unknown: list[TopicPartition] = []
        for tp in moments:
            if found[tp] is not None:
                placed[tp] = found[tp].offset
            elif first[tp] == end[tp]:
                placed[tp] = end[tp]
            else:
                unknown.append(tp)
        if unknown:
            # A record of the year 1970 or later is in every partition that is not empty, for who can look it up.
            can_look_up = await consumer.offsets_for_times(dict.fromkeys(unknown, 0))
            for tp in unknown:
                if can_look_up[tp] is not None:
                    placed[tp] = end[tp]
                else:
                    placed[tp] = first[tp]
                    self._not_before_ms[tp.topic, tp.partition] = moments[tp]
        return placed


async def open_without_group(settings: KafkaSettings, starting: Starting, progress: Progress) -> AIOKafkaConsumer:
    """A consumer of all partitions, placed.

    Raises:
        KafkaError, OSError, TimeoutError: not now; see `UNREACHABLE`.
    """
    consumer = AIOKafkaConsumer(**settings.consumer_options())
    try:
        async with asyncio.timeout(settings.request_timeout_s):
            await starting.recognise(settings, progress)
            await consumer.start()
            partitions = [
                TopicPartition(topic, number)
                for topic in starting.topics
                for number in sorted(await _partitions_of(settings, consumer, topic))
            ]
            consumer.assign(partitions)
            await starting.begin(consumer, partitions, progress)
    except BaseException:
        await discard(consumer)
        raise
    return consumer


async def open_with_group(
    settings: KafkaSettings,
    starting: Starting,
    progress: Progress,
    *,
    group: str,
    sticky: bool,
    on_revoked: Callable[[], None],
    on_assigned: Callable[[AIOKafkaConsumer, Iterable[TopicPartition]], Awaitable[None]],
) -> AIOKafkaConsumer:
    """A member of ``group`` that begins to join; its partitions come by ``on_assigned``.

    Raises:
        KafkaError, OSError, TimeoutError: not now; see `UNREACHABLE`.
    """
    consumer = AIOKafkaConsumer(
        **settings.consumer_options(),
        group_id=group,
        partition_assignment_strategy=(_sticky_assignor() if sticky else RangePartitionAssignor,),
    )
    try:
        async with asyncio.timeout(settings.request_timeout_s):
            await starting.recognise(settings, progress)
            await consumer.start()
            for topic in starting.topics:
                await _partitions_of(settings, consumer, topic)
        consumer.subscribe(starting.topics, listener=_Listener(consumer, on_revoked, on_assigned))
    except BaseException:
        await discard(consumer)
        raise
    return consumer


async def discard(consumer: AIOKafkaConsumer) -> None:
    """Close ``consumer``, leaving its group, within a bounded time whatever state the broker is in."""
    if not await ended(consumer.stop(), STOP_S):
        await _close_parts(consumer)


async def _close_parts(consumer: AIOKafkaConsumer) -> None:
    # `stop` hangs in the group's coordinator when its broker does, and leaves tasks behind that nothing public ends.
    coordinator, fetcher = consumer._coordinator, consumer._fetcher  # noqa: SLF001
    tasks = [
        task
        for name in ("_coordination_task", "_heartbeat_task", "_commit_refresh_task", "_reassignment_task")
        if (task := getattr(coordinator, name, None)) is not None
    ]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=STOP_S)
    for part in (fetcher, consumer._client):  # noqa: SLF001
        if part is not None:
            await ended(part.close(), STOP_S)


async def _partitions_of(settings: KafkaSettings, consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    """The partitions of ``topic``, which is created where it is missing."""
    known = consumer.partitions_for_topic(topic)
    if not known:
        await create_topics(settings, [topic])
        known = await consumer._client._wait_on_metadata(topic)  # noqa: SLF001 - `topics()` does not keep what it gets
    if not known:
        raise UnknownTopicOrPartitionError(topic)
    return set(known)


def _sticky_assignor() -> type[StickyPartitionAssignor]:
    # It keeps what its member holds in class attributes: members in one process need a class each.
    return type("StickyPartitionAssignor", (StickyPartitionAssignor,), {})


class _Listener(ConsumerRebalanceListener):
    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        on_revoked: Callable[[], None],
        on_assigned: Callable[[AIOKafkaConsumer, Iterable[TopicPartition]], Awaitable[None]],
    ) -> None:
        self._consumer = consumer
        self._on_revoked = on_revoked
        self._on_assigned = on_assigned

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._on_revoked()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        await self._on_assigned(self._consumer, assigned)
