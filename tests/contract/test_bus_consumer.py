"""What a service's reading loop promises on every bus: nothing lost, bad input set aside with its reason."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from evcharging.bus.consumer import Consumer, Retry, Tombstone
from evcharging.bus.partitioning import partition_for
from evcharging.bus.protocol import Bus, Position, Since
from evcharging.bus.replay import replay
from evcharging.messages.charge_points import Health
from evcharging.messages.envelope import Event, Received
from evcharging.messages.topics import Topic, dead_letter_name
from tests.support.bus import Broker, read, until

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def topic_of(broker: Broker, *, compacted: bool = False) -> Topic[Health]:
    return Topic(broker.topic(), Health, "cp_id", lambda health: health.cp_id, compacted=compacted)


def health_of(topic: Topic[Health], number: int, *, cp_id: str = "CP-001") -> Event[Health]:
    message = Health(ts=NOW + timedelta(seconds=number), cp_id=cp_id, healthy=True, detail=str(number))
    return Event(topic, message, id=f"event-{number}", source="test")


@asynccontextmanager
async def running(consumer: Consumer) -> AsyncIterator[Consumer]:
    async with consumer:
        task = asyncio.create_task(consumer.run())
        try:
            yield consumer
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if not task.cancelled():
                task.result()


class Sink:
    """A handler that keeps what it is given and fails where it is told to."""

    def __init__(self) -> None:
        self.details: list[str | None] = []
        self.ids: list[str] = []
        self.batches: list[int] = []
        self.fails_on: dict[str, list[Exception]] = {}
        self.tombstones: list[Tombstone] = []

    async def __call__(self, batch: Sequence[Received[Any]]) -> None:
        self.batches.append(len(batch))
        for received in batch:
            if faults := self.fails_on.get(received.message.detail):
                raise faults.pop(0)
        self.details += [received.message.detail for received in batch]
        self.ids += [received.id for received in batch]

    async def bury(self, tombstone: Tombstone) -> None:
        self.details.append("tombstone")
        self.tombstones.append(tombstone)


async def test_messages_arrive_decoded_in_order_with_their_ids(broker: Broker) -> None:
    bus, topic, sink = await broker.bus(), topic_of(broker), Sink()
    for number in range(50):
        await bus.publish(health_of(topic, number))
    async with running(Consumer(bus, [topic], group=broker.group(), handler=sink)) as consumer:
        await consumer.wait_caught_up()
    assert sink.details == [str(number) for number in range(50)]
    assert sink.ids == [f"event-{number}" for number in range(50)]


async def test_a_record_without_headers_is_accepted_under_an_id_of_its_place(broker: Broker) -> None:
    bus, topic, sink = await broker.bus(), topic_of(broker), Sink()
    await bus.publish_raw(topic.name, b"CP-001", health_of(topic, 1).body, [])
    async with running(Consumer(bus, {topic: Position.BEGINNING}, handler=sink)) as consumer:
        await consumer.wait_caught_up()
    assert sink.ids == [f"{topic.name}-{partition_for(b'CP-001', 4)}-0"]


async def test_what_was_handled_is_committed_and_does_not_come_again(broker: Broker) -> None:
    bus, topic, group = await broker.bus(), topic_of(broker), broker.group()
    first, second = Sink(), Sink()
    await bus.publish(health_of(topic, 1))
    async with running(Consumer(bus, [topic], group=group, handler=first)) as consumer:
        await consumer.wait_caught_up()
    await bus.publish(health_of(topic, 2))
    async with running(Consumer(bus, [topic], group=group, handler=second)) as consumer:
        await consumer.wait_caught_up()
    assert (first.details, second.details) == (["1"], ["2"])


async def test_what_a_crash_left_unhandled_comes_again(broker: Broker) -> None:
    bus, topic, group = await broker.bus(), topic_of(broker), broker.group()
    for number in range(5):
        await bus.publish(health_of(topic, number))
    reached = asyncio.Event()

    async def hangs(_: Sequence[Received[Any]]) -> None:
        reached.set()
        await asyncio.Event().wait()

    async with running(Consumer(bus, [topic], group=group, handler=hangs)):
        await asyncio.wait_for(reached.wait(), 30)
    sink = Sink()
    async with running(Consumer(bus, [topic], group=group, handler=sink)) as consumer:
        await consumer.wait_caught_up()
    assert sink.details == [str(number) for number in range(5)]


async def test_an_undecodable_record_goes_to_the_dead_letters_with_its_reason(broker: Broker) -> None:
    bus, topic, group, sink = await broker.bus(), topic_of(broker), broker.group(), Sink()
    await bus.publish(health_of(topic, 1))
    await bus.publish_raw(topic.name, b"CP-001", b'{"cp_id": 7', [("ce_id", b"bad-1"), ("odd", b"\xff")])
    await bus.publish(health_of(topic, 2))
    before = counted("evcharging_bus_dead_letters_total", topic.name)
    async with running(Consumer(bus, [topic], group=group, handler=sink)) as consumer:
        await consumer.wait_caught_up()
    assert sink.details == ["1", "2"]
    (letter,) = await dead_letters(bus, topic, 1)
    assert (letter.key, letter.value) == (b"CP-001", b'{"cp_id": 7')
    assert tuple(letter.headers[:2]) == (("ce_id", b"bad-1"), ("odd", b"\xff"))
    told = dict(letter.headers)
    assert told["dlq_topic"] == topic.name.encode()
    assert told["dlq_offset"] == b"1"
    assert int(told["dlq_partition"]) in range(4)
    assert told["dlq_error"].startswith(f"{topic.name}: not a Health".encode())
    assert told["dlq_attempts"] == b"1"
    assert told["dlq_group"] == group.encode()
    assert counted("evcharging_bus_dead_letters_total", topic.name) == before + 1
    assert counted("evcharging_bus_decode_errors_total", topic.name) == before + 1


async def test_a_reader_without_a_group_passes_over_bad_records_and_writes_no_dead_letter(broker: Broker) -> None:
    bus, topic, sink = await broker.bus(), topic_of(broker), Sink()
    await bus.publish_raw(topic.name, b"CP-001", b"garbage", [])
    await bus.publish(health_of(topic, 1))
    async with running(Consumer(bus, {topic: Position.BEGINNING}, handler=sink)) as consumer:
        await consumer.wait_caught_up()
    assert sink.details == ["1"]
    assert counted("evcharging_bus_decode_errors_total", topic.name) == 1
    async with bus.subscribe({dead_letter_name(topic.name): Position.BEGINNING}) as letters:
        assert letters.caught_up()


async def test_a_handler_that_cannot_work_now_gets_the_same_messages_again_in_order(broker: Broker) -> None:
    bus, topic, sink = await broker.bus(), topic_of(broker), Sink()
    for number in range(10):
        await bus.publish(health_of(topic, number))
    sink.fails_on["4"] = [Retry("database_unavailable"), Retry("database_unavailable")]
    async with running(Consumer(bus, [topic], group=broker.group(), handler=sink, max_records=3)) as consumer:
        await consumer.wait_caught_up()
        await until(lambda: len(sink.details) == 10)
    assert sink.details == [str(number) for number in range(10)]
    assert sink.batches.count(3) >= 4


async def test_a_message_that_fails_again_and_again_is_set_aside_and_the_others_go_on(broker: Broker) -> None:
    bus, topic, group, sink = await broker.bus(), topic_of(broker), broker.group(), Sink()
    for number in range(6):
        await bus.publish(health_of(topic, number))
    sink.fails_on["2"] = [ZeroDivisionError("no tariff")] * 10
    async with running(Consumer(bus, [topic], group=group, handler=sink)) as consumer:
        await consumer.wait_caught_up()
    assert sink.details == ["0", "1", "3", "4", "5"]
    (letter,) = await dead_letters(bus, topic, 1)
    told = dict(letter.headers)
    assert letter.value == health_of(topic, 2).body
    assert told["ce_id"] == b"event-2"
    assert told["dlq_error"] == b"ZeroDivisionError: no tariff"
    assert told["dlq_attempts"] == b"3"


async def test_a_message_that_fails_once_is_handled_in_its_place(broker: Broker) -> None:
    bus, topic, sink = await broker.bus(), topic_of(broker), Sink()
    for number in range(5):
        await bus.publish(health_of(topic, number))
    sink.fails_on["2"] = [RuntimeError("once with the batch"), RuntimeError("once alone")]
    async with running(Consumer(bus, [topic], group=broker.group(), handler=sink)) as consumer:
        await consumer.wait_caught_up()
    assert sink.details == ["0", "1", "2", "3", "4"]


async def test_a_tombstone_reaches_its_own_handler_in_order(broker: Broker) -> None:
    bus, topic, sink = await broker.bus(), topic_of(broker, compacted=True), Sink()
    await bus.publish(health_of(topic, 1))
    await bus.publish_raw(topic.name, b"CP-001", None, [])
    await bus.publish(health_of(topic, 2))
    consumer = Consumer(bus, {topic: Position.BEGINNING}, handler=sink, on_tombstone=sink.bury)
    async with running(consumer):
        await consumer.wait_caught_up()
    assert sink.details == ["1", "tombstone", "2"]
    assert (sink.tombstones[0].topic, sink.tombstones[0].key, sink.tombstones[0].offset) == (topic.name, b"CP-001", 1)


async def test_an_empty_value_is_no_tombstone_where_nothing_is_compacted(broker: Broker) -> None:
    bus, topic, sink = await broker.bus(), topic_of(broker), Sink()
    await bus.publish_raw(topic.name, b"CP-001", None, [])
    await bus.publish(health_of(topic, 1))
    consumer = Consumer(bus, [topic], group=broker.group(), handler=sink, on_tombstone=sink.bury)
    async with running(consumer):
        await consumer.wait_caught_up()
    assert sink.details == ["1"]
    (letter,) = await dead_letters(bus, topic, 1)
    assert b"a tombstone" in dict(letter.headers)["dlq_error"]


async def test_replay_ends_where_the_log_ends(broker: Broker) -> None:
    bus, topic = await broker.bus(), topic_of(broker)
    for number in range(20):
        await bus.publish(health_of(topic, number))
    await bus.publish_raw(topic.name, b"CP-001", b"garbage", [])
    await bus.flush()
    assert [received.message.detail async for received in replay(bus, [topic])] == [str(n) for n in range(20)]


async def test_replay_since_a_moment_leaves_the_older_out(broker: Broker) -> None:
    bus, topic = await broker.bus(), topic_of(broker)
    await (await bus.publish(health_of(topic, 1)))
    await asyncio.sleep(0.005)
    moment = datetime.now(UTC)
    await asyncio.sleep(0.005)
    await (await bus.publish(health_of(topic, 2)))
    assert [received.message.detail async for received in replay(bus, [topic], Since(moment))] == ["2"]
    assert [received.message.detail async for received in replay(bus, {topic: Position.BEGINNING})] == ["1", "2"]


async def test_replay_of_nothing_is_nothing(broker: Broker) -> None:
    assert [received async for received in replay(await broker.bus(), [topic_of(broker)])] == []


async def test_a_fault_of_the_loop_itself_ends_it(broker: Broker) -> None:
    bus, topic = await broker.bus(), topic_of(broker)

    async def no_state(_: frozenset[tuple[str, int]]) -> None:
        raise LookupError("no state")

    consumer = Consumer(bus, [topic], group=broker.group(), handler=Sink(), on_assignment=no_state)
    async with consumer:
        with pytest.raises(LookupError, match="no state"):
            await asyncio.wait_for(consumer.run(), 30)


async def dead_letters(bus: Bus, topic: Topic[Any], count: int) -> list[Any]:
    async with bus.subscribe({dead_letter_name(topic.name): Position.BEGINNING}) as letters:
        return await read(letters, count)


def counted(metric: str, topic: str) -> float:
    return REGISTRY.get_sample_value(metric, {"topic": topic}) or 0.0
