"""What a Kafka cluster holds: its topics, their partitions and how far each goes. Looks and changes nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from evcharging.bus.kafka_cluster import why_unreachable
from evcharging.bus.kafka_consumer import discard
from evcharging.bus.kafka_settings import KafkaSettings
from evcharging.bus.protocol import BusUnavailable

__all__ = ["PartitionOffsets", "topic_offsets"]


@dataclass(frozen=True, slots=True)
class PartitionOffsets:
    """The offsets of the first record that is kept, and of the next one to be written."""

    first: int
    end: int

    @property
    def records(self) -> int:
        """How many are kept, at most: compaction leaves gaps."""
        return self.end - self.first


async def topic_offsets(settings: KafkaSettings) -> dict[str, dict[int, PartitionOffsets]]:
    """The partitions of each topic that the cluster has.

    Raises:
        BusUnavailable: no broker let us in within the settings' request timeout, and why.
    """
    admin = AIOKafkaAdminClient(**settings.client_options())
    consumer = AIOKafkaConsumer(**settings.consumer_options())
    try:
        async with asyncio.timeout(settings.request_timeout_s):
            await admin.start()
            partitions = [
                TopicPartition(topic["topic"], partition["partition"])
                for topic in await admin.describe_topics()
                if not topic["is_internal"]
                for partition in topic["partitions"]
            ]
            await consumer.start()
            first = await consumer.beginning_offsets(partitions)
            end = await consumer.end_offsets(partitions)
    except (KafkaError, OSError, TimeoutError) as error:
        why = await why_unreachable(settings)
        raise BusUnavailable(f"no Kafka answers at {settings.bootstrap} ({why or 'it takes its time'})") from error
    finally:
        await admin.close()
        await discard(consumer)
    offsets: dict[str, dict[int, PartitionOffsets]] = {}
    for partition in sorted(partitions):
        held = offsets.setdefault(partition.topic, {})
        held[partition.partition] = PartitionOffsets(first[partition], end[partition])
    return offsets
