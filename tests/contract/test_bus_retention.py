"""What a reader learns of records that are gone: lost ones are an error and a figure, compacted ones are not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import TopicPartition
from prometheus_client import REGISTRY

from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import MemoryLog
from evcharging.bus.partitioning import partition_for
from evcharging.bus.protocol import Bus, Position, Record
from tests.support.bus import Broker, read

KEY = b"CP-001"
PARTITION = partition_for(KEY, 4)
KIBIBYTE = bytes(1024)


async def test_records_lost_to_retention_are_an_error_and_are_counted(broker: Broker) -> None:
    bus, topic = await broker.bus(), broker.topic()
    async with bus.subscribe({topic: Position.BEGINNING}) as subscription:
        await fill(bus, topic, 10)
        records = await read(subscription, 10)
        await lose_some(broker, bus, topic)
        with structlog.testing.capture_logs() as lines:
            records += await read_to(subscription, b"the last")
        lost = records[-1].offset + 1 - len(records)
        assert lost > 0
        assert subscription.health().jumps == lost
    (line,) = [line for line in lines if line["log_level"] == "error"]
    assert line["event"] == "records were gone before they could be read (retention)"
    assert (line["topic"], line["partition"], line["records"]) == (topic, PARTITION, lost)
    assert REGISTRY.get_sample_value("evcharging_bus_records_lost_total", {"topic": topic}) == lost


async def test_a_group_that_was_away_for_too_long_learns_what_it_missed(broker: Broker) -> None:
    bus, topic, group = await broker.bus(), broker.topic(), broker.group()
    await fill(bus, topic, 10)
    async with bus.subscribe({topic: Position.COMMITTED}, group=group) as first:
        await first.commit(await read(first, 10))
    lost = await lose_some(broker, bus, topic)
    async with bus.subscribe({topic: Position.COMMITTED}, group=group) as second:
        records = await read_to(second, b"the last")
        assert second.health().jumps == lost
    assert records[0].offset == 10 + lost


async def test_a_bounded_log_in_memory_drops_the_oldest_as_retention_would() -> None:
    bus = MemoryBus(MemoryLog(partitions=1, retain=5))
    async with bus.subscribe({"cp.health": Position.BEGINNING}) as subscription:
        for number in range(12):
            await bus.publish_raw("cp.health", KEY, b"%d" % number, [])
        assert [record.offset for record in await subscription.getmany()] == [7, 8, 9, 10, 11]
        assert subscription.health().jumps == 7


async def test_topics_are_created_with_equal_counts_and_the_compaction_they_ask_for(apache_broker: Broker) -> None:
    await apache_broker.bus()
    admin = AIOKafkaAdminClient(bootstrap_servers=apache_broker.bootstrap)
    await admin.start()
    try:
        topics = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
        assert {topics[name] for name in ("driver.requests", "cp.status", "cp.telemetry", "auth.tokens")} == {4}
        assert await cleanup_policy(admin, "cp.status") == "compact"
        assert await cleanup_policy(admin, "auth.tokens") == "compact"
        assert await cleanup_policy(admin, "cp.telemetry") == "delete"
    finally:
        await admin.close()


async def test_a_compacted_topic_replays_the_last_of_each_key_without_counting_the_rest_as_lost(
    apache_broker: Broker,
) -> None:
    bus, topic = await apache_broker.bus(), "auth.tokens"
    await compact_eagerly(apache_broker.bootstrap, topic)
    keys = [b"TAG-1", b"TAG-2", b"TAG-3"]
    async with asyncio.timeout(90):
        for number in range(1_000_000):
            for key in keys:
                await (await bus.publish_raw(topic, key, b"%d" % number, []))
            records = await everything(bus, topic)
            if len(records) < len(keys) * (number + 1) / 2 and number > 20:
                break
            await asyncio.sleep(0.2)
    last = {record.key: record.value for record in records}
    assert {last[key] for key in keys} == {b"%d" % number}


async def everything(bus: Bus, topic: str) -> Sequence[Record]:
    records: list[Record] = []
    async with bus.subscribe({topic: Position.BEGINNING}) as subscription:
        while not subscription.caught_up():
            records += await subscription.getmany()
        assert subscription.health().jumps == 0
    return records


async def fill(bus: Bus, topic: str, count: int, value: bytes = b"v") -> None:
    for _ in range(count):
        await bus.publish_raw(topic, KEY, value, [])
    await bus.flush()


async def read_to(subscription: Any, value: bytes) -> list[Record]:
    records: list[Record] = []
    async with asyncio.timeout(30):
        while not records or records[-1].value != value:
            records += await subscription.getmany()
    return records


async def lose_some(broker: Broker, bus: Bus, topic: str) -> int:
    """Have the broker lose records after offset 10, more than a reader fetches ahead, then publish a last one.

    Returns:
        How many are gone.
    """
    await fill(bus, topic, 8000, KIBIBYTE)  # the embedded broker keeps 5 MiB
    if broker.kind == "memory":
        broker.log.drop_before(topic, PARTITION, 5000)
    elif broker.kind == "apache":
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
        await admin.start()
        await admin.delete_records({TopicPartition(topic, PARTITION): RecordsToDelete(before_offset=5000)})
        await admin.close()
    await fill(bus, topic, 1, b"the last")
    async with bus.subscribe({topic: Position.BEGINNING}) as subscription:
        return (await read(subscription, 1))[0].offset - 10


async def cleanup_policy(admin: AIOKafkaAdminClient, topic: str) -> str:
    (response,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    (resource,) = response.resources
    return next(str(entry[1]) for entry in resource[4] if entry[0] == "cleanup.policy")


async def compact_eagerly(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    eager = {
        "cleanup.policy": "compact",
        "segment.ms": "1000",
        "segment.bytes": "1048576",
        "min.cleanable.dirty.ratio": "0.01",
        "max.compaction.lag.ms": "1000",
    }
    (response,) = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=eager)])
    assert [resource[0] for resource in response.resources] == [0], response
    await admin.close()
