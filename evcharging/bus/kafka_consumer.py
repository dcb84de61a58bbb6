"""Opening and closing aiokafka consumers; `evcharging.bus.kafka_reader` reads from them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from evcharging.bus.bounded import ended
from evcharging.bus.kafka_cluster import create_topics
from evcharging.bus.kafka_settings import KafkaSettings
from evcharging.bus.kafka_starting import Starting
from evcharging.bus.progress import Progress

__all__ = ["UNREACHABLE", "FetchPace", "discard", "open_with_group", "open_without_group"]

UNREACHABLE = (KafkaError, OSError, TimeoutError)
"""What aiokafka raises for a broker that is away, restarting or dealing partitions out."""

STOP_S = 3.0
"""So long each step of closing a reader may take; a service with two of them has fifteen seconds to end."""
IDLE_AFTER_S = 2.0
MORE_WITHIN_S = 0.05
SHORTEST_WAIT_S = 0.001
"""aiokafka takes whole milliseconds, and with none it does not wait at all."""


class FetchPace:
    """How long a reader's fetches wait: longer when no record has come for two seconds, half as long just after one.

    Where a record came, the next of the same story is on its way: to a driver the start after the acceptance.
    The embedded broker tells of a record that comes during a fetch only when the fetch has waited to its end. So the
    wait is what a reader is late by, and the number of fetches is what one costs that has nothing to read.
    """

    def __init__(self, settings: KafkaSettings, monotonic: Callable[[], float]) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._had_at_s = monotonic()

    def wait_ms(self, *, had_records: bool) -> int:
        """For how long the next fetches are to wait, after one that had records or none."""
        now_s = self._monotonic()
        if had_records:
            self._had_at_s = now_s
        quiet_s = now_s - self._had_at_s
        if quiet_s >= IDLE_AFTER_S:
            return self._settings.fetch_idle_wait_ms
        usual_ms = self._settings.fetch_max_wait_ms
        return max(1, usual_ms // 2) if quiet_s < MORE_WITHIN_S else usual_ms

    def hold_s(self, timeout_s: float) -> float:
        """For how long of ``timeout_s`` to ask before looking at the pace again."""
        more_s = self._had_at_s + MORE_WITHIN_S - self._monotonic()
        return min(timeout_s, max(more_s, SHORTEST_WAIT_S)) if more_s > 0.0 else timeout_s

    def follow(self, consumer: AIOKafkaConsumer, *, had_records: bool) -> None:
        """Have ``consumer`` fetch accordingly."""
        fetcher = consumer._fetcher  # noqa: SLF001 - nothing public sets it later than the consumer is made
        if fetcher is not None:
            fetcher._fetch_max_wait_ms = self.wait_ms(had_records=had_records)  # noqa: SLF001


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
