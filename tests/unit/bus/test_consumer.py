"""The reading loop over a log in memory; what it promises on every bus is in tests/contract/test_bus_consumer.py."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from evcharging.bus import consumer as consumer_module
from evcharging.bus.consumer import Consumer, Retry
from evcharging.bus.memory import MemoryBus, unreachable
from evcharging.bus.protocol import Position, RecordRefused
from evcharging.messages.charge_points import Health
from evcharging.messages.envelope import Event, Received
from evcharging.messages.topics import HEALTH, STATUS
from tests.support.bus import until

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def event(number: int) -> Event[Health]:
    return Event(HEALTH, Health(ts=NOW, cp_id="CP-001", healthy=True, detail=str(number)), id=str(number), source="t")


@contextlib.asynccontextmanager
async def running(consumer: Consumer) -> AsyncIterator[None]:
    async with consumer:
        task = asyncio.create_task(consumer.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def ignore(_: Sequence[Received[Any]]) -> None:
    """Handle nothing."""


async def dead_letters(bus: MemoryBus, topic: str) -> list[dict[str, bytes]]:
    async with bus.subscribe({topic + ".dlq": Position.BEGINNING}) as letters:
        return [dict(record.headers) | {"value": record.value or b""} for record in await letters.getmany(timeout_s=0)]


async def test_it_is_named_after_its_group_or_its_topics() -> None:
    bus = MemoryBus()
    assert Consumer(bus, [HEALTH], group="central", handler=ignore).name == "central"
    assert Consumer(bus, [STATUS, HEALTH], handler=ignore).name == "cp.health+cp.status"
    assert Consumer(bus, [STATUS], group="central", handler=ignore, name="effects").name == "effects"


async def test_pauses_grow_while_the_handler_cannot_work_and_begin_anew_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consumer_module, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(consumer_module, "LONGEST_PAUSE_S", 0.004)
    bus, faults, handled = MemoryBus(), [Retry("away")] * 4, 0

    async def handler(batch: Sequence[Received[Any]]) -> None:
        nonlocal handled
        if faults:
            raise faults.pop()
        handled += len(batch)

    with structlog.testing.capture_logs() as lines:
        async with running(Consumer(bus, [HEALTH], group="g", handler=handler)):
            await bus.publish(event(1))
            await until(lambda: handled == 1)
            faults.append(Retry("away"))
            await bus.publish(event(2))
            await until(lambda: handled == 2)
    pauses = [line["pause_s"] for line in lines if line["event"] == "a batch is taken back"]
    assert pauses == [0.001, 0.002, 0.004, 0.004, 0.001]


async def test_a_handler_that_only_takes_batches_back_makes_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer_module, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(consumer_module, "LONGEST_PAUSE_S", 0.001)
    now_s, attempts, away = [100.0], 0, True
    bus = MemoryBus(monotonic=lambda: now_s[0])

    async def handler(_: Sequence[Received[Any]]) -> None:
        nonlocal attempts
        attempts += 1
        now_s[0] += 1
        if away:
            raise Retry("database_unavailable")

    consumer = Consumer(bus, [HEALTH], group="g", handler=handler)
    await bus.publish(event(1))
    async with running(consumer):
        await until(lambda: attempts > 20)
        assert not consumer.caught_up()
        await until(lambda: not consumer.health().progressing)
        away = False
        await consumer.wait_caught_up()
        assert consumer.health().progressing


async def test_a_dead_letter_waits_for_the_log_and_its_record_is_not_committed_before() -> None:
    bus = MemoryBus(max_waiting=1)
    await bus.publish_raw("cp.health", b"k", b"garbage", [])
    consumer = Consumer(bus, [HEALTH], group="g", handler=ignore)
    async with consumer:
        records = await consumer._subscription.getmany()
        bus.reachable = False
        await bus.publish(event(1))  # the bound is reached
        handling = asyncio.create_task(consumer._handle(records))
        await asyncio.sleep(0.01)
        assert not handling.done()
        assert not bus.log.group("g").committed
        bus.reachable = True
        bus.deliver()
        await asyncio.wait_for(handling, 30)
    assert bus.log.group("g").committed
    assert [letter["value"] for letter in await dead_letters(bus, "cp.health")] == [b"garbage"]


async def test_a_dead_letter_that_is_too_large_leaves_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = MemoryBus()
    publish = bus.publish_raw

    async def refuse_large(topic: str, key: Any, value: Any, headers: Any) -> asyncio.Future[None]:
        if len(value) > 1000:
            raise RecordRefused("a record of 5000 bytes, expected 1000 at most")
        return await publish(topic, key, value, headers)

    await bus.publish_raw("cp.health", b"k", b"x" * 5000, [("ce_id", b"1")])
    monkeypatch.setattr(bus, "publish_raw", refuse_large)
    consumer = Consumer(bus, [HEALTH], group="g", handler=ignore)
    async with running(consumer):
        await consumer.wait_caught_up()
    (letter,) = await dead_letters(bus, "cp.health")
    assert letter["value"] == b""
    assert b"expected 1000 at most" in letter["dlq_error"]
    assert letter["dlq_offset"] == b"0"


async def test_what_many_bad_records_have_to_say_is_said_once_a_second() -> None:
    bus = MemoryBus()
    for _ in range(500):
        await bus.publish_raw("cp.health", b"k", b"garbage", [])
    consumer = Consumer(bus, {HEALTH: Position.BEGINNING}, handler=ignore)
    with structlog.testing.capture_logs() as lines:
        async with running(consumer):
            await consumer.wait_caught_up()
    assert 1 <= len([line for line in lines if line["event"] == "a record is passed over"]) < 50


async def test_a_long_log_leaves_others_their_turn() -> None:
    bus = MemoryBus()
    for number in range(3000):
        await bus.publish(event(number))
    consumer = Consumer(bus, {HEALTH: Position.BEGINNING}, handler=ignore, max_records=10)
    turns = 0
    async with running(consumer):
        while not consumer.caught_up():
            turns += 1
            await asyncio.sleep(0)
    assert turns > 100


async def test_cancelling_the_loop_ends_a_handler_at_work() -> None:
    bus, reached = MemoryBus(), asyncio.Event()

    async def hang(_: Sequence[Received[Any]]) -> None:
        reached.set()
        await asyncio.Event().wait()

    await bus.publish(event(1))
    async with running(Consumer(bus, [HEALTH], group="g", handler=hang)):
        await asyncio.wait_for(reached.wait(), 30)
    assert not bus.log.group("g").committed
    assert not bus.log.group("g").members


async def test_nothing_is_read_while_the_log_is_out_of_reach_and_all_of_it_afterwards() -> None:
    bus, seen = MemoryBus(), []

    async def keep(batch: Sequence[Received[Any]]) -> None:
        seen.extend(received.id for received in batch)

    async with running(Consumer(bus, [HEALTH], group="g", handler=keep)):
        with unreachable(bus):
            for number in range(5):
                await bus.publish(event(number))
            await asyncio.sleep(0.01)
            assert not seen
        await until(lambda: len(seen) == 5)
    assert seen == ["0", "1", "2", "3", "4"]
