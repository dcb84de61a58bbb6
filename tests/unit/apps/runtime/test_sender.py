"""Events on their way to the bus: in order, held while it is away, bounded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from evcharging.apps.runtime.sender import AT_ONCE, Sender
from evcharging.bus.memory import MemoryBus, unreachable
from evcharging.bus.protocol import Position, Record
from evcharging.messages.commands import CommandOutcome, Reply
from evcharging.messages.envelope import Event
from evcharging.messages.topics import REPLIES
from tests.support.charge_point import NOON

DEADLINE_S = 30.0


def an_event(number: int, traceparent: str | None = None) -> Event[Reply]:
    reply = Reply(ts=NOON, command_id=f"command-{number}", cp_id="CP-001", outcome=CommandOutcome.ACCEPTED)
    return Event(REPLIES, reply, f"event-{number}", "engine/test", traceparent)


@pytest.fixture
async def bus() -> AsyncIterator[MemoryBus]:
    bus = MemoryBus(max_waiting=3)
    yield bus
    await bus.stop()


@contextlib.asynccontextmanager
async def running(sender: Sender) -> AsyncIterator[None]:
    task = asyncio.create_task(sender.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def published(bus: MemoryBus) -> list[Record]:
    async with bus.subscribe({REPLIES.name: Position.BEGINNING}) as subscription:
        records: list[Record] = []
        while not subscription.caught_up():
            records += await subscription.getmany()
        return records


def ids(records: list[Record]) -> list[str]:
    return [dict(record.headers)["ce_id"].decode() for record in records]


async def test_others_have_their_turn_while_much_is_published() -> None:
    bus = MemoryBus()
    sender = Sender(bus)
    for number in range(5 * AT_ONCE):
        sender.send(an_event(number))
    seen = set()
    async with running(sender):
        while sender.waiting:
            seen.add(sender.waiting)
            await asyncio.sleep(0)
    assert len(seen) >= 5
    await bus.stop()


async def test_events_go_out_in_order(bus: MemoryBus):
    sender = Sender(bus)
    async with running(sender):
        for number in range(50):
            sender.send(an_event(number))
        assert await sender.drain(DEADLINE_S)
    assert ids(await published(bus)) == [f"event-{number}" for number in range(50)]


async def test_a_trace_goes_on_in_a_child_and_one_begins_where_there_was_none(bus: MemoryBus):
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    sender = Sender(bus)
    async with running(sender):
        sender.send(an_event(1, parent))
        sender.send(an_event(2))
        await sender.drain(DEADLINE_S)
    first, second = (dict(record.headers)["traceparent"].decode() for record in await published(bus))
    assert first.startswith(f"00-{'a' * 32}-")
    assert first != parent
    assert len(second) == len(parent)


async def test_what_the_bus_cannot_take_is_held_and_goes_out_when_it_can(bus: MemoryBus):
    sender = Sender(bus, hold_at=5)
    async with running(sender):
        with unreachable(bus):
            for number in range(10):
                sender.send(an_event(number))
            assert not await sender.drain(0.05)
            assert sender.waiting == 10
            assert sender.congested
        assert await sender.drain(DEADLINE_S)
    assert not sender.congested
    assert ids(await published(bus)) == [f"event-{number}" for number in range(10)]
    assert sender.lost == 0


async def test_there_is_a_bound_to_what_is_held(bus: MemoryBus):
    sender = Sender(bus, at_most=2)
    for number in range(4):
        sender.send(an_event(number))
    assert sender.lost == 2
    async with running(sender):
        await sender.drain(DEADLINE_S)
    assert ids(await published(bus)) == ["event-0", "event-1"]
