"""What is kept when the broker is away, frozen, killed, restarted or replaced: everything, in order per key."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator

import pytest
import structlog

from evcharging.apps.broker.relay import relaying
from evcharging.apps.runtime.http import bind
from evcharging.bus.create import create_bus
from evcharging.bus.embedded import EmbeddedKafka
from evcharging.bus.kafka_settings import KafkaSettings
from evcharging.bus.memory import MemoryBus, dropping_acks, unreachable
from evcharging.bus.protocol import Bus, BusOverloaded, BusStopped, Position, Record
from tests.support.bus import Broker, read, until

KEYS = [b"CP-001", b"CP-002", b"CP-003"]
IMPATIENT = {"request_timeout_s": 2.0}
"""aiokafka gives up on batches after this; outages in these tests last several times as long."""


class Ledger:
    """Publishes numbered records of several keys and says whether all of them are there, in order."""

    def __init__(self, bus: Bus, topic: str) -> None:
        self._bus = bus
        self._topic = topic
        self._numbers = itertools.count()
        self.futures: list[asyncio.Future[None]] = []

    async def publish(self, count: int) -> None:
        for _ in range(count):
            number = next(self._numbers)
            key = KEYS[number % len(KEYS)]
            self.futures.append(await self._bus.publish_raw(self._topic, key, str(number).encode(), []))

    @contextlib.asynccontextmanager
    async def publishing(self, *, per_s: int = 100) -> AsyncIterator[None]:
        """Publish on and on while the block runs, and at least once before and after."""

        async def run() -> None:
            while True:
                await self.publish(per_s // 20)
                await asyncio.sleep(0.05)

        await self.publish(10)
        await self.acknowledged()
        task = asyncio.create_task(run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self.publish(10)

    async def acknowledged(self, *, within_s: float = 40.0) -> None:
        async with asyncio.timeout(within_s):
            await asyncio.gather(*self.futures)

    def check(self, records: list[Record]) -> None:
        """Every number is there; the first appearances of each key's numbers are in order."""
        seen: defaultdict[bytes | None, list[int]] = defaultdict(list)
        for record in records:
            number = int(record.value or b"-1")
            if number not in seen[record.key]:
                seen[record.key].append(number)
        assert sorted(number for numbers in seen.values() for number in numbers) == list(range(len(self.futures)))
        for numbers in seen.values():
            assert numbers == sorted(numbers)


async def everything(bus: Bus, topic: str) -> list[Record]:
    records: list[Record] = []
    async with asyncio.timeout(30), bus.subscribe({topic: Position.BEGINNING}) as subscription:
        while not subscription.caught_up():
            records += await subscription.getmany()
    return records


@contextlib.asynccontextmanager
async def embedded_at(port: int) -> AsyncIterator[int]:
    """The embedded broker behind a port of its own, as `evcharging broker` runs it."""
    with bind("127.0.0.1", port, flag="--port") as sock:
        async with EmbeddedKafka() as broker, relaying(sock, broker.address) as address:
            yield address[1]


async def test_start_waits_for_a_broker_that_comes_later_and_says_so() -> None:
    async with embedded_at(0) as port:
        pass
    bus = create_bus(f"127.0.0.1:{port}")
    with structlog.testing.capture_logs() as lines:
        starting = asyncio.create_task(bus.start())
        await until(lambda: bool(lines))
        assert not bus.health().connected
        await until(lambda: "Connection refused" in str(bus.health().detail))
        async with embedded_at(port):
            await asyncio.wait_for(starting, 15)
            assert bus.health().connected
            await (await bus.publish_raw("cp.health", b"k", b"v", []))
            await bus.stop()
    said = [line for line in lines if line["log_level"] == "warning"]
    assert len(said) <= 2, "one line at first, then one every five seconds"
    assert said[0]["event"] == "waiting for Kafka"
    assert said[0]["bootstrap"] == f"127.0.0.1:{port}"


async def test_what_was_published_before_the_broker_was_there_is_delivered() -> None:
    async with embedded_at(0) as port:
        pass
    bus = create_bus(f"127.0.0.1:{port}")
    starting = asyncio.create_task(bus.start())
    ledger = Ledger(bus, "cp.health")
    await ledger.publish(30)
    assert bus.health().waiting == 30
    async with embedded_at(port):
        await starting
        await ledger.acknowledged()
        ledger.check(await everything(bus, "cp.health"))
        await bus.stop()


async def test_publisher_and_reader_follow_an_embedded_broker_that_was_started_anew() -> None:
    async with embedded_at(0) as port:
        bus = create_bus(f"127.0.0.1:{port}", settings=KafkaSettings("-", **IMPATIENT))
        await bus.start()
        subscription = await bus.subscribe({"cp.health": Position.END}).__aenter__()
        ledger = Ledger(bus, "cp.health")
        await ledger.publish(10)
        await read(subscription, 10)
    await until(lambda: not bus.health().connected)
    second = Ledger(bus, "cp.health")
    await second.publish(25)
    async with embedded_at(port):
        await second.acknowledged()
        second.check(await read(subscription, 25, within_s=40))
        await subscription.__aexit__(None, None, None)
        await bus.stop()


async def test_a_bus_that_is_stopped_while_the_broker_is_away_says_what_was_not_sent() -> None:
    async with embedded_at(0) as port:
        bus = create_bus(f"127.0.0.1:{port}", settings=KafkaSettings("-", stop_timeout_s=0.2))
        await bus.start()
    future = await bus.publish_raw("cp.health", b"k", b"v", [])
    await asyncio.wait_for(bus.stop(), 15)
    with pytest.raises(BusStopped, match="before the broker had this record"):
        await future


async def test_what_waits_is_bounded_while_the_broker_is_away() -> None:
    async with embedded_at(0) as port:
        bus = create_bus(f"127.0.0.1:{port}", settings=KafkaSettings("-", max_waiting=50, stop_timeout_s=0.2))
        await bus.start()
        await (await bus.publish_raw("cp.health", b"k", b"v", []))
    await until(lambda: not bus.health().connected)
    for _ in range(50):
        await bus.publish_raw("cp.health", b"k", b"v", [])
    with pytest.raises(BusOverloaded, match="50 records .* wait for the broker"):
        await bus.publish_raw("cp.health", b"k", b"v", [])
    assert bus.health().waiting == 50
    await bus.stop()


async def test_a_full_bus_makes_publishers_wait_while_the_broker_answers(kafka_broker: Broker) -> None:
    bus, topic = await kafka_broker.bus(max_waiting=5), kafka_broker.topic()
    ledger = Ledger(bus, topic)
    await ledger.publish(200)
    assert bus.health().waiting <= 5
    await ledger.acknowledged()
    ledger.check(await everything(bus, topic))


async def test_the_log_in_memory_keeps_and_bounds_what_waits_while_it_is_out_of_reach() -> None:
    bus = MemoryBus(max_waiting=20)
    ledger = Ledger(bus, "cp.health")
    with unreachable(bus):
        await ledger.publish(20)
        assert not bus.health().connected
        with pytest.raises(BusOverloaded):
            await ledger.publish(1)
        assert not any(future.done() for future in ledger.futures)
    await ledger.acknowledged()
    records = await everything(bus, "cp.health")
    assert len(records) == 20
    ledger.check(records[:20])


async def test_lost_acknowledgements_become_duplicates_in_order_and_no_loss() -> None:
    bus = MemoryBus()
    ledger = Ledger(bus, "cp.health")
    with dropping_acks(bus):
        await ledger.publish(9)
        assert not any(future.done() for future in ledger.futures)
    await ledger.acknowledged()
    records = await everything(bus, "cp.health")
    assert len(records) == 18
    ledger.check(records)


async def test_nothing_is_lost_when_the_broker_is_restarted(apache_broker: Broker) -> None:
    await outlives(apache_broker, apache_broker.node.restart)


async def test_nothing_is_lost_when_the_broker_is_killed_for_longer_than_the_library_waits(
    apache_broker: Broker,
) -> None:
    async def killed() -> None:
        await apache_broker.node.kill()
        await asyncio.sleep(4 * IMPATIENT["request_timeout_s"])
        await apache_broker.node.start()

    await outlives(apache_broker, killed)


async def test_nothing_is_lost_when_the_broker_is_frozen_for_longer_than_the_library_waits(
    apache_broker: Broker,
) -> None:
    async def frozen() -> None:
        with apache_broker.node.frozen():
            await asyncio.sleep(4 * IMPATIENT["request_timeout_s"])

    await outlives(apache_broker, frozen)


async def outlives(broker: Broker, outage: object) -> None:
    """Publish and read through ``outage``: a reader that was there all the while and one that comes later agree."""
    bus, topic, group = await broker.bus(**IMPATIENT), broker.topic(), broker.group()
    ledger = Ledger(bus, topic)
    seen: list[Record] = []

    async def follow(**how: object) -> None:
        start = Position.COMMITTED if how else Position.BEGINNING
        async with bus.subscribe({topic: start}, **how) as subscription:  # type: ignore[arg-type]
            while True:
                records = await subscription.getmany()
                if not how:
                    seen.extend(records)
                elif records:
                    await subscription.commit(records)

    followers = [asyncio.create_task(follow()), asyncio.create_task(follow(group=group))]
    try:
        async with ledger.publishing():
            await outage()  # type: ignore[operator]
        await ledger.acknowledged()
        await until(lambda: bus.health().connected)
        numbers = {str(number).encode() for number in range(len(ledger.futures))}
        await until(lambda: {record.value for record in seen} >= numbers, within_s=40)
    finally:
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
    ledger.check(seen)
    ledger.check(await everything(bus, topic))


async def test_a_frozen_broker_is_seen_and_a_bus_can_be_stopped_all_the_same(apache_broker: Broker) -> None:
    bus, topic = await apache_broker.bus(**IMPATIENT), apache_broker.topic()
    await (await bus.publish_raw(topic, b"k", b"v", []))
    subscription = bus.subscribe({topic: Position.COMMITTED}, group=apache_broker.group())
    await subscription.__aenter__()
    await read(subscription, 1)
    before = asyncio.all_tasks()
    with apache_broker.node.frozen():
        waiting = await bus.publish_raw(topic, b"k", b"late", [])
        await until(lambda: not bus.health().connected)
        await asyncio.wait_for(subscription.__aexit__(None, None, None), 30)
        await asyncio.wait_for(bus.stop(), 30)
        with pytest.raises(BusStopped):
            await waiting
        await until(lambda: not asyncio.all_tasks() - {asyncio.current_task()}, within_s=10)
    assert asyncio.all_tasks() <= before
