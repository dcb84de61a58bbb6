"""What the Kafka library gets wrong on its own: producers that fail for good, consumers that hang without an error."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from evcharging.bus import kafka_reader, protocol
from evcharging.bus.protocol import Position, RecordRefused
from tests.support.bus import Broker, read, until


async def test_a_consumer_that_hangs_without_an_error_is_replaced_and_nothing_is_missed(
    kafka_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (kafka_reader, protocol):
        monkeypatch.setattr(module, "STALLED_AFTER_S", 2.0)
    bus, topic = await kafka_broker.bus(), kafka_broker.topic()
    async with bus.subscribe({topic: Position.BEGINNING}) as subscription:
        await publish(bus, topic, range(5))
        assert len(await read(subscription, 5)) == 5
        consumer = subscription._consumer  # type: ignore[attr-defined]
        consumer._fetcher._fetch_task.cancel()  # what aiokafka #847 and #1154 look like from outside
        await publish(bus, topic, range(5, 12))
        with structlog.testing.capture_logs() as lines:
            records = await read(subscription, 7, within_s=30)
        assert [record.value for record in records] == [b"%d" % number for number in range(5, 12)]
        assert subscription.health().jumps == 0
    assert [line["event"] for line in lines] == ["replacing a reader"]


async def test_a_hanging_member_of_a_group_is_replaced_too(
    apache_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (kafka_reader, protocol):
        monkeypatch.setattr(module, "STALLED_AFTER_S", 2.0)
    bus, topic = await apache_broker.bus(), apache_broker.topic()
    async with bus.subscribe({topic: Position.COMMITTED}, group=apache_broker.group()) as subscription:
        await publish(bus, topic, range(5))
        await subscription.commit(await read(subscription, 5))
        subscription._consumer._fetcher._fetch_task.cancel()  # type: ignore[attr-defined]
        await publish(bus, topic, range(5, 12))
        records = await read(subscription, 7, within_s=30)
        await subscription.commit(records)
        assert [record.value for record in records] == [b"%d" % number for number in range(5, 12)]


async def test_a_reader_that_is_not_asked_for_a_while_is_not_replaced(
    kafka_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (kafka_reader, protocol):
        monkeypatch.setattr(module, "STALLED_AFTER_S", 0.5)
    bus, topic = await kafka_broker.bus(), kafka_broker.topic()
    async with bus.subscribe({topic: Position.BEGINNING}) as subscription:
        consumer = subscription._consumer  # type: ignore[attr-defined]
        await publish(bus, topic, range(5))
        await until(lambda: not subscription.health().progressing)
        assert len(await read(subscription, 5)) == 5
        assert subscription.health().progressing
        assert subscription._consumer is consumer  # type: ignore[attr-defined]


async def test_records_that_are_read_while_the_ends_are_asked_for_are_no_sign_of_another_log(
    kafka_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_reader, "WATCH_EVERY_S", 0.2)
    bus, topic = await kafka_broker.bus(), kafka_broker.topic()
    async with bus.subscribe({topic: Position.BEGINNING}) as subscription:
        await publish(bus, topic, range(5))
        assert len(await read(subscription, 5)) == 5
        consumer: Any = subscription._consumer  # type: ignore[attr-defined]
        ask, asked, all_read = consumer.end_offsets, 0, asyncio.Event()

        async def answered_late(partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
            nonlocal asked
            ends: dict[TopicPartition, int] = await ask(partitions)
            asked += 1
            await all_read.wait()
            return ends

        monkeypatch.setattr(consumer, "end_offsets", answered_late)
        await until(lambda: asked == 1)
        await publish(bus, topic, range(5, 12))
        assert len(await read(subscription, 7)) == 7
        all_read.set()
        with structlog.testing.capture_logs() as lines:
            while asked < 3 and not lines:
                assert await subscription.getmany(timeout_s=0.01) == []
        assert lines == []
        assert subscription._consumer is consumer  # type: ignore[attr-defined]


async def test_a_record_that_the_broker_refuses_fails_alone_among_its_batch(apache_broker: Broker) -> None:
    bus, topic = await apache_broker.bus(), apache_broker.topic()
    await (await bus.publish_raw(topic, b"k", b"first", []))
    await configure(apache_broker, topic, {"max.message.bytes": "2000"})
    values = [b"a", b"b" * 500, b"c" * 5000, b"d", b"e" * 500]
    futures = [await bus.publish_raw(topic, b"k", value, []) for value in values]
    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(*futures, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), type(None), RecordRefused, type(None), type(None)]
    await (await bus.publish_raw(topic, b"k", b"last", []))
    async with bus.subscribe({topic: Position.BEGINNING}) as subscription:
        records = await read(subscription, 6)
    assert [record.value for record in records] == [b"first", b"a", b"b" * 500, b"d", b"e" * 500, b"last"]
    assert bus.health().waiting == 0


async def test_a_producer_that_has_lost_its_sequence_is_replaced_and_the_order_is_kept(apache_broker: Broker) -> None:
    bus, topic = await apache_broker.bus(), apache_broker.topic()
    await (await bus.publish_raw(topic, b"k", b"0", []))
    producer = bus._sender.link.current  # type: ignore[attr-defined]
    partition = next(number for name, number in bus._sender._lanes if name == topic)  # type: ignore[attr-defined]
    tracked = producer._txn_manager._sequence_numbers
    place = next(tp for tp in tracked if (tp.topic, tp.partition) == (topic, partition))
    tracked[place] += 100  # as after a batch that aiokafka gave up on: the broker takes no other from this producer
    with structlog.testing.capture_logs() as lines:
        futures = [await bus.publish_raw(topic, b"k", b"%d" % number, []) for number in range(1, 40)]
        async with asyncio.timeout(30):
            await asyncio.gather(*futures)
    assert bus._sender.link.current is not producer  # type: ignore[attr-defined]
    assert "OutOfOrderSequence" in str(lines)
    async with bus.subscribe({topic: Position.BEGINNING}) as subscription:
        records = await read(subscription, 40)
    assert [record.value for record in records] == [b"%d" % number for number in range(40)]


async def publish(bus: protocol.Bus, topic: str, numbers: range) -> None:
    for number in numbers:
        await bus.publish_raw(topic, b"k", b"%d" % number, [])
    await bus.flush()


async def configure(broker: Broker, topic: str, settings: dict[str, str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    (response,) = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=settings)])
    assert [resource[0] for resource in response.resources] == [0], response
    await admin.close()
