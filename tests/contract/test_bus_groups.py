"""Members of a group share the partitions, whoever joins or leaves."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from evcharging.bus.create import create_bus
from evcharging.bus.embedded import EmbeddedKafka
from evcharging.bus.protocol import Bus, Position, Record, Subscription
from tests.support.bus import Broker, read, until

ALL_PARTITIONS = 4


async def test_two_members_share_the_partitions_and_every_record_is_read_once(rebalancing_broker: Broker) -> None:
    broker = rebalancing_broker
    bus, topic, group = await broker.bus(), broker.topic(), broker.group()
    async with (
        bus.subscribe({topic: Position.COMMITTED}, group=group) as one,
        bus.subscribe({topic: Position.COMMITTED}, group=group) as another,
    ):
        await until_dealt_out([one, another], shares=[2, 2])
        assert not one.partitions() & another.partitions()
        await fill(bus, topic, 100)
        records = await read_together([one, another], 100)
    assert Counter(record.value for record in records) == Counter(b"%d" % number for number in range(100))


async def test_topics_of_equal_counts_are_dealt_out_together(rebalancing_broker: Broker) -> None:
    broker = rebalancing_broker
    bus, requests, statuses, group = await broker.bus(), broker.topic(), broker.topic(), broker.group()
    topics = {requests: Position.COMMITTED, statuses: Position.COMMITTED}
    async with bus.subscribe(topics, group=group) as one, bus.subscribe(topics, group=group) as another:
        await until_dealt_out([one, another], shares=[4, 4])
        for member in (one, another):
            numbers = {topic: {number for its, number in member.partitions() if its == topic} for topic in topics}
            assert numbers[requests] == numbers[statuses]


async def test_a_member_that_leaves_hands_its_partitions_and_what_it_had_not_committed_over(
    rebalancing_broker: Broker,
) -> None:
    broker = rebalancing_broker
    bus, topic, group = await broker.bus(), broker.topic(), broker.group()
    await fill(bus, topic, 80)
    async with bus.subscribe({topic: Position.COMMITTED}, group=group) as stays:
        async with bus.subscribe({topic: Position.COMMITTED}, group=group) as leaves:
            await until_dealt_out([stays, leaves], shares=[2, 2])
            lost = await read_all_of(leaves, 80)
            kept = await read_all_of(stays, 80)
            await stays.commit(kept)
        await until_dealt_out([stays], shares=[4])
        again = await read(stays, len(lost))
    assert {record.value for record in again} == {record.value for record in lost}
    assert len(lost) + len(kept) == 80


async def test_a_record_that_another_member_owns_by_now_is_not_committed(rebalancing_broker: Broker) -> None:
    broker = rebalancing_broker
    bus, topic, group = await broker.bus(), broker.topic(), broker.group()
    await fill(bus, topic, 40)
    async with bus.subscribe({topic: Position.COMMITTED}, group=group) as one:
        records = await read(one, 40)
        async with bus.subscribe({topic: Position.COMMITTED}, group=group) as another:
            await until_dealt_out([one, another], shares=[2, 2])
            await one.commit(records)
            taken = another.partitions()
            again = await read(another, sum((record.topic, record.partition) in taken for record in records))
    assert {(record.topic, record.partition) for record in again} == taken


async def test_a_sticky_member_keeps_what_it_has_when_another_joins(rebalancing_broker: Broker) -> None:
    broker = rebalancing_broker
    bus, topic, group = await broker.bus(), broker.topic(), broker.group()
    async with bus.subscribe({topic: Position.COMMITTED}, group=group, sticky=True) as one:
        await until_dealt_out([one], shares=[4])
        async with bus.subscribe({topic: Position.COMMITTED}, group=group, sticky=True) as another:
            await until_dealt_out([one, another], shares=[2, 2])
            had = one.partitions()
            async with bus.subscribe({topic: Position.COMMITTED}, group=group, sticky=True) as third:
                await until_dealt_out([one, another, third], shares=[1, 1, 2])
                assert one.partitions() <= had
            await until_dealt_out([one, another], shares=[2, 2])


async def test_whoever_is_given_a_partition_reads_it_from_the_beginning_where_that_was_asked_for(
    rebalancing_broker: Broker,
) -> None:
    broker = rebalancing_broker
    bus, topic, group = await broker.bus(), broker.topic(), broker.group()
    await fill(bus, topic, 40)
    assigned: list[frozenset[tuple[str, int]]] = []

    async def note(partitions: frozenset[tuple[str, int]]) -> None:
        assigned.append(partitions)

    start = {topic: Position.BEGINNING}
    async with bus.subscribe(start, group=group, sticky=True, on_assignment=note) as one:
        records = await read(one, 40)
        await one.commit(records)
        async with bus.subscribe(start, group=group, sticky=True) as another:
            await until_dealt_out([one, another], shares=[2, 2])
            taken = another.partitions()
            expected = sum((record.topic, record.partition) in taken for record in records)
            assert len(await read(another, expected)) == expected
            assert not await one.getmany(timeout_s=0.3), "what stayed with its member is not read anew"
    assert assigned[0] == {(topic, number) for number in range(4)}
    assert assigned[-1] == assigned[0] - taken


async def test_the_callback_hears_of_an_assignment_before_its_first_record(rebalancing_broker: Broker) -> None:
    broker = rebalancing_broker
    bus, topic = await broker.bus(), broker.topic()
    await fill(bus, topic, 10)
    said: list[str] = []

    async def slow(_: frozenset[tuple[str, int]]) -> None:
        await asyncio.sleep(0.3)
        said.append("assigned")

    async with bus.subscribe({topic: Position.COMMITTED}, group=broker.group(), on_assignment=slow) as member:
        await read(member, 10)
        said.append("records")
    assert said == ["assigned", "records"]


async def test_a_callback_may_take_longer_than_a_session_without_losing_its_partitions(
    rebalancing_broker: Broker,
) -> None:
    broker = rebalancing_broker
    bus, topic, told = await broker.bus(session_timeout_s=1.0), broker.topic(), 0
    await fill(bus, topic, 10)

    async def slow(_: frozenset[tuple[str, int]]) -> None:
        nonlocal told
        told += 1
        await asyncio.sleep(3)

    async with bus.subscribe({topic: Position.COMMITTED}, group=broker.group(), on_assignment=slow) as member:
        await member.commit(await read(member, 10))
        assert told == 1


async def test_what_the_callback_raises_is_raised_to_the_reader(rebalancing_broker: Broker) -> None:
    broker = rebalancing_broker
    bus, topic = await broker.bus(), broker.topic()

    async def fails(_: frozenset[tuple[str, int]]) -> None:
        raise LookupError("no state for these partitions")

    async with bus.subscribe({topic: Position.COMMITTED}, group=broker.group(), on_assignment=fails) as member:
        with pytest.raises(LookupError, match="no state"):
            await read(member, 1)


async def test_a_member_of_the_embedded_broker_takes_over_from_one_that_left(kafka_broker: Broker) -> None:
    bus, topic, group = await kafka_broker.bus(), kafka_broker.topic(), kafka_broker.group()
    await fill(bus, topic, 10)
    async with bus.subscribe({topic: Position.COMMITTED}, group=group) as first:
        await first.commit(await read(first, 10))
    await fill(bus, topic, 5)
    async with bus.subscribe({topic: Position.COMMITTED}, group=group) as second:
        assert len(await read(second, 5)) == 5


async def test_members_that_cannot_join_the_embedded_broker_do_not_starve_those_that_can() -> None:
    async with EmbeddedKafka() as embedded:
        bus = create_bus(embedded.bootstrap)
        await bus.start()
        await fill(bus, "cp.health", 60)
        read_by_anybody: set[bytes | None] = set()

        async def member() -> None:
            async with bus.subscribe({"cp.health": Position.COMMITTED}, group="several") as subscription:
                while True:
                    records = await subscription.getmany()
                    read_by_anybody.update(record.value for record in records)
                    await subscription.commit(records)

        members = [asyncio.create_task(member()) for _ in range(3)]
        try:
            await until(lambda: len(read_by_anybody) == 60, within_s=90)
        finally:
            for task in members:
                task.cancel()
            await asyncio.gather(*members, return_exceptions=True)
            await bus.stop()


async def fill(bus: Bus, topic: str, count: int) -> None:
    for number in range(count):
        await bus.publish_raw(topic, f"CP-{number % 20:03}".encode(), b"%d" % number, [])
    await bus.flush()


async def until_dealt_out(members: list[Subscription], *, shares: list[int]) -> None:
    """Poll all members, putting back what comes, until each has its share."""
    async with asyncio.timeout(30):
        while True:
            await asyncio.gather(*(put_back_what_comes(member) for member in members))
            if sorted(len(member.partitions()) for member in members) == sorted(shares):
                held = [partition for member in members for partition in member.partitions()]
                if len(set(held)) == len(held):
                    return


async def put_back_what_comes(member: Subscription) -> None:
    await member.rewind(await member.getmany(timeout_s=0.05))


async def read_together(members: list[Subscription], count: int) -> list[Record]:
    records: list[Record] = []
    async with asyncio.timeout(30):
        while len(records) < count:
            for batch in await asyncio.gather(*(member.getmany(timeout_s=0.05) for member in members)):
                records += batch
    return records


async def read_all_of(member: Subscription, at_most: int) -> list[Record]:
    """What is in the member's partitions up to their end."""
    records: list[Record] = []
    async with asyncio.timeout(30):
        while not member.caught_up():
            records += await member.getmany(max_records=at_most)
    return records
