"""Where a subscription begins in each partition, and which records are too old for it.

Where the broker cannot look up offsets by time (the embedded one answers every such question with "none"), a partition
is read from its beginning and the records that are too old are left out here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from evcharging.bus.kafka_cluster import describe_cluster
from evcharging.bus.kafka_settings import KafkaSettings
from evcharging.bus.progress import Progress
from evcharging.bus.protocol import Position, Record, Since, Start

__all__ = ["Starting"]

log = structlog.get_logger(__name__)

Partition = tuple[str, int]


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

    def records(self, partition: Partition, found: Sequence[Any]) -> list[Record]:
        """What aiokafka has fetched, as records, without those that are too old."""
        topic, number = partition
        return [
            Record(
                topic,
                number,
                record.offset,
                record.key,
                record.value,
                _with_values(record.headers),
                record.timestamp,
            )
            for record in self.not_too_old(partition, found)
        ]

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


def _with_values(headers: Sequence[tuple[str, bytes | None]]) -> Sequence[tuple[str, bytes]]:
    if None in [value for _, value in headers]:
        return tuple((name, value or b"") for name, value in headers)
    return cast("Sequence[tuple[str, bytes]]", headers)  # as they came: this runs for each record
