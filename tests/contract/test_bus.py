"""What every bus promises a publisher and a reader: order, acknowledgement, positions, redelivery."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from evcharging.bus.partitioning import partition_for
from evcharging.bus.protocol import BusError, BusStopped, Position, Record, RecordRefused, Since
from tests.support.bus import Broker, read, until

FAR_PAST = datetime(2001, 1, 1, tzinfo=UTC)


async def test_a_record_arrives_with_its_key_value_headers_and_time(broker: Broker) -> None:
    bus, topic = await broker.bus(), broker.topic()
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    async with bus.subscribe({topic: Position.BEGINNING}) as subscription:
        await (await bus.publish_raw(topic, b"CP-001", b'{"a": 1}', [("ce_id", b"x"), ("bytes", b"\x00\xff")]))
        (record,) = await read(subscription, 1)
    assert (record.topic, record.key, record.value) == (topic, b"CP-001", b'{"a": 1}')
    assert record.headers == (("ce_id", b"x"), ("bytes", b"\x00\xff"))
    assert record.offset == 0
    assert before.timestamp() * 1000 <= record.timestamp_ms <= datetime.now(UTC).timestamp() * 1000 + 1


async def test_a_record_may_have_no_headers_no_key_or_no_value(broker: Broker) -> None:
    bus, topic = await broker.bus(), broker.topic()
    await bus.publish_raw(topic, None, b"value", [])
    await bus.publish_raw(topic, b"key", None, [])
    await bus.flush()
    async with bus.subscribe({topic: Position.BEGINNING}) as subscription:
        records = await read(subscription, 2)
    assert {(record.key, record.value, tuple(record.headers)) for record in records} == {
        (None, b"value", ()),
        (b"key", None, ()),
    }


async def test_every_key_has_the_partition_that_kafka_gives_it(broker: Broker) -> None:
    bus, topic = await broker.bus(), broker.topic()
    keys = [f"CP-{number:03}".encode() for number in range(40)]
    for key in keys:
        await bus.publish_raw(topic, key, b"", [])
    async with bus.subscribe({topic: Position.BEGINNING}) as subscription:
        records = await read(subscription, len(keys))
    assert {record.key: record.partition for record in records} == {key: partition_for(key, 4) for key in keys}
    assert {record.partition for record in records} == {0, 1, 2, 3}


async def test_records_of_one_key_keep_their_order_among_concurrent_publishers(broker: Broker) -> None:
    bus, topic = await broker.bus(), broker.topic()
    chance = random.Random(7)

    async def publish(key: bytes) -> None:
        for number in range(200):
            await bus.publish_raw(topic, key, str(number).encode(), [])
            if chance.random() < 0.1:
                await asyncio.sleep(0)

    keys = [f"CP-{number}".encode() for number in range(10)]
    async with asyncio.TaskGroup() as group:
        for key in keys:
            group.create_task(publish(key))
    async with bus.subscribe({topic: Position.BEGINNING}) as subscription:
        by_key = values_by_key(await read(subscription, 2000))
    assert by_key == {key: [str(number).encode() for number in range(200)] for key in keys}


async def test_the_future_of_a_record_resolves_once_the_log_has_it(broker: Broker) -> None:
    bus, topic = await broker.bus(), broker.topic()
    futures = [await bus.publish_raw(topic, b"k", b"%d" % number, []) for number in range(100)]
    await asyncio.gather(*futures)
    assert bus.health().waiting == 0
    async with bus.subscribe({topic: Position.BEGINNING}) as subscription:
        assert len(await read(subscription, 100)) == 100


async def test_flush_waits_for_everything_that_was_accepted(broker: Broker) -> None:
    bus, topic = await broker.bus(), broker.topic()
    futures = [await bus.publish_raw(topic, b"%d" % (number % 7), b"v", []) for number in range(500)]
    await bus.flush()
    assert all(future.done() for future in futures)


async def test_stop_delivers_what_was_accepted_and_refuses_more(broker: Broker) -> None:
    publisher, reader, topic = await broker.bus(), await broker.bus(), broker.topic()
    for number in range(300):
        await publisher.publish_raw(topic, b"k", b"%d" % number, [])
    await publisher.stop()
    await publisher.stop()
    with pytest.raises(BusStopped):
        await publisher.publish_raw(topic, b"k", b"late", [])
    with pytest.raises(BusStopped):
        publisher.subscribe({topic: Position.BEGINNING})
    assert not publisher.health().connected
    async with reader.subscribe({topic: Position.BEGINNING}) as subscription:
        assert len(await read(subscription, 300)) == 300


async def test_a_record_without_a_key_is_refused_where_the_broker_would_refuse_it_for_ever(broker: Broker) -> None:
    bus = await broker.bus()
    with pytest.raises(RecordRefused, match="expected a key"):
        await bus.publish_raw("cp.status", None, b"{}", [])


async def test_a_reader_without_a_group_gets_all_partitions_from_the_beginning(broker: Broker) -> None:
    bus, topic, other = await broker.bus(), broker.topic(), broker.topic()
    await fill(bus, topic, 50)
    await fill(bus, other, 30)
    async with bus.subscribe({topic: Position.BEGINNING, other: Position.BEGINNING}) as subscription:
        assert subscription.partitions() == frozenset(itertools.product((topic, other), range(4)))
        records = await read(subscription, 80)
        assert sorted(record.topic for record in records) == [topic] * 50 + [other] * 30
        await fill(bus, topic, 5)
        assert len(await read(subscription, 5)) == 5


async def test_every_reader_without_a_group_gets_every_record(broker: Broker) -> None:
    bus, topic = await broker.bus(), broker.topic()
    async with (
        bus.subscribe({topic: Position.BEGINNING}) as one,
        bus.subscribe({topic: Position.BEGINNING}) as another,
    ):
        await fill(bus, topic, 20)
        assert len(await read(one, 20)) == len(await read(another, 20)) == 20


async def test_a_reader_from_the_end_gets_only_what_comes_after_it_was_entered(broker: Broker) -> None:
    bus, topic = await broker.bus(), broker.topic()
    await fill(bus, topic, 20, prefix="old")
    async with bus.subscribe({topic: Position.END}) as subscription:
        assert subscription.caught_up()
        await fill(bus, topic, 12, prefix="new")
        records = await read(subscription, 12)
        assert not await subscription.getmany(timeout_s=0.2)
    assert all(record.value is not None and record.value.startswith(b"new") for record in records)


async def test_a_reader_since_a_moment_gets_the_records_from_then_on(broker: Broker) -> None:
    bus, topic = await broker.bus(), broker.topic()
    await fill(bus, topic, 40, prefix="old")
    await asyncio.sleep(0.005)
    moment = datetime.now(UTC)
    await asyncio.sleep(0.005)
    await fill(bus, topic, 25, prefix="new")
    async with bus.subscribe({topic: Since(moment)}) as subscription:
        records = await read(subscription, 25)
        assert not await subscription.getmany(timeout_s=0.2)
        assert subscription.caught_up()
    assert all(record.value is not None and record.value.startswith(b"new") for record in records)


@pytest.mark.parametrize("moment", [FAR_PAST, datetime.now(UTC) + timedelta(days=1)], ids=["past", "future"])
async def test_a_moment_outside_the_log_means_its_beginning_or_its_end(broker: Broker, moment: datetime) -> None:
    bus, topic = await broker.bus(), broker.topic()
    await fill(bus, topic, 10)
    async with bus.subscribe({topic: Since(moment)}) as subscription:
        if moment == FAR_PAST:
            assert len(await read(subscription, 10)) == 10
        else:
            assert not await subscription.getmany(timeout_s=0.3)
        await until_caught_up(subscription)


async def test_a_group_gets_its_records_again_after_a_crash_before_the_commit(broker: Broker) -> None:
    bus, topic, group = await broker.bus(), broker.topic(), broker.group()
    await fill(bus, topic, 40)
    async with bus.subscribe({topic: Position.COMMITTED}, group=group) as crashed:
        records = await read(crashed, 40)
        await crashed.commit(half_of_each_partition(records))
    async with bus.subscribe({topic: Position.COMMITTED}, group=group) as successor:
        again = await read(successor, 40 - len(half_of_each_partition(records)))
        assert not await successor.getmany(timeout_s=0.2)
    assert places(again) == places(records) - places(half_of_each_partition(records))


async def test_a_commit_stands_at_the_record_to_be_read_next(broker: Broker) -> None:
    bus, topic, group = await broker.bus(), broker.topic(), broker.group()
    await fill(bus, topic, 10, key=b"one")
    async with bus.subscribe({topic: Position.COMMITTED}, group=group) as first:
        records = await read(first, 10)
        await first.commit(records[:4])
    async with bus.subscribe({topic: Position.COMMITTED}, group=group) as second:
        assert [record.offset for record in await read(second, 6)] == [4, 5, 6, 7, 8, 9]


async def test_a_reader_without_a_group_cannot_commit(broker: Broker) -> None:
    bus, topic = await broker.bus(), broker.topic()
    await fill(bus, topic, 1)
    async with bus.subscribe({topic: Position.BEGINNING}) as subscription:
        with pytest.raises(BusError, match="subscribe with a group"):
            await subscription.commit(await read(subscription, 1))


async def test_a_group_cannot_begin_at_the_end_and_nobody_can_read_nothing(broker: Broker) -> None:
    bus = await broker.bus()
    with pytest.raises(ValueError, match="leave the group out"):
        bus.subscribe({broker.topic(): Position.END}, group="g")
    with pytest.raises(ValueError, match="at least one topic"):
        bus.subscribe({})


async def test_rewound_records_come_again_with_those_that_follow(broker: Broker) -> None:
    bus, topic = await broker.bus(), broker.topic()
    await fill(bus, topic, 40)
    async with bus.subscribe({topic: Position.BEGINNING}) as subscription:
        records = await read(subscription, 40)
        chosen = [record for record in records if record.offset in (2, 5)]
        await subscription.rewind(chosen)
        expected = {place for place in places(records) if place[1] >= 2}
        assert places(await read(subscription, len(expected))) == expected
        assert not await subscription.getmany(timeout_s=0.2)


async def test_a_reader_knows_when_it_has_caught_up_and_how_far_it_is_behind(broker: Broker) -> None:
    bus, topic = await broker.bus(), broker.topic()
    await fill(bus, topic, 40)
    async with bus.subscribe({topic: Position.BEGINNING}) as subscription:
        assert not subscription.caught_up()
        assert subscription.health().lag == 40
        await read(subscription, 40)
        assert subscription.caught_up()
        health = subscription.health()
        assert (health.assigned, health.lag, health.stalled_s, health.jumps) == (4, 0, 0.0, 0)
        assert health.progressing


async def test_an_empty_topic_is_caught_up_with_at_once(broker: Broker) -> None:
    bus = await broker.bus()
    async with bus.subscribe({broker.topic(): Position.BEGINNING}) as subscription:
        assert subscription.caught_up()
        assert not await subscription.getmany(timeout_s=0.05)


async def test_a_group_member_catches_up_too(broker: Broker) -> None:
    bus, topic = await broker.bus(), broker.topic()
    await fill(bus, topic, 20)
    async with bus.subscribe({topic: Position.COMMITTED}, group=broker.group()) as subscription:
        assert not subscription.caught_up()
        await read(subscription, 20)
        assert subscription.caught_up()


async def test_no_more_records_come_at_once_than_were_asked_for(broker: Broker) -> None:
    bus, topic = await broker.bus(), broker.topic()
    await fill(bus, topic, 30)
    async with bus.subscribe({topic: Position.BEGINNING}) as subscription:
        sizes = []
        while sum(sizes) < 30:
            sizes.append(len(await subscription.getmany(max_records=7)))
    assert max(sizes) <= 7


async def test_a_slow_reader_is_seen_to_fall_behind(kafka_broker: Broker) -> None:
    bus, topic = await kafka_broker.bus(), kafka_broker.topic()
    async with bus.subscribe({topic: Position.BEGINNING}) as subscription:
        await fill(bus, topic, 25)
        await until(lambda: subscription.health().lag == 25)
        await until(lambda: subscription.health().stalled_s > 0.5)
        await read(subscription, 25)
        assert subscription.health().stalled_s == 0


async def test_a_record_that_is_too_large_is_refused_and_holds_nobody_up(kafka_broker: Broker) -> None:
    bus, topic = await kafka_broker.bus(), kafka_broker.topic()
    with pytest.raises(RecordRefused, match="expected 900000 at most"):
        await bus.publish_raw(topic, b"k", bytes(900_001), [])
    await (await bus.publish_raw(topic, b"k", bytes(899_000), []))
    async with bus.subscribe({topic: Position.BEGINNING}) as subscription:
        assert [len(record.value or b"") for record in await read(subscription, 1)] == [899_000]


async def fill(bus: object, topic: str, count: int, *, prefix: str = "v", key: bytes | None = None) -> None:
    for number in range(count):
        its_key = key if key is not None else f"CP-{number % 20:03}".encode()
        await bus.publish_raw(topic, its_key, f"{prefix}{number}".encode(), [])  # type: ignore[attr-defined]
    await bus.flush()  # type: ignore[attr-defined]


async def until_caught_up(subscription: object) -> None:
    async with asyncio.timeout(30):
        while not subscription.caught_up():  # type: ignore[attr-defined]
            await subscription.getmany()  # type: ignore[attr-defined]


def values_by_key(records: list[Record]) -> dict[bytes | None, list[bytes | None]]:
    by_key: defaultdict[bytes | None, list[bytes | None]] = defaultdict(list)
    for record in records:
        by_key[record.key].append(record.value)
    return dict(by_key)


def half_of_each_partition(records: list[Record]) -> list[Record]:
    return [record for record in records if record.offset < 4]


def places(records: list[Record]) -> set[tuple[int, int]]:
    found = [(record.partition, record.offset) for record in records]
    assert len(set(found)) == len(found)
    return set(found)
