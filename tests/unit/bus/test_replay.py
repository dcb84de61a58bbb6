from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime

import structlog

from evcharging.bus.memory import MemoryBus
from evcharging.bus.protocol import Position
from evcharging.bus.replay import replay
from evcharging.messages.charge_points import Health
from evcharging.messages.envelope import Event
from evcharging.messages.topics import ALERTS, HEALTH

NOW = datetime(2026, 5, 1, tzinfo=UTC)


async def publish(bus: MemoryBus, count: int) -> None:
    for number in range(count):
        message = Health(ts=NOW, cp_id=f"CP-{number % 7}", healthy=True)
        await bus.publish(Event(HEALTH, message, id=str(number), source="test"))


async def test_the_past_is_read_without_leaving_a_trace_in_the_log() -> None:
    bus = MemoryBus()
    await publish(bus, 40)
    assert {received.id async for received in replay(bus, [HEALTH])} == {str(number) for number in range(40)}
    assert {received.id async for received in replay(bus, [HEALTH])} == {str(number) for number in range(40)}


async def test_a_topic_can_have_a_start_of_its_own() -> None:
    bus = MemoryBus()
    await publish(bus, 5)
    assert not [received async for received in replay(bus, {HEALTH: Position.END, ALERTS: Position.BEGINNING})]


async def test_what_cannot_be_decoded_is_passed_over_with_a_word() -> None:
    bus = MemoryBus()
    await bus.publish_raw("cp.health", b"k", b"garbage", [])
    await publish(bus, 3)
    with structlog.testing.capture_logs() as lines:
        assert len([received async for received in replay(bus, [HEALTH])]) == 3
    (line,) = lines
    assert "not a Health" in line["reason"]


async def test_a_reader_may_leave_early() -> None:
    bus = MemoryBus()
    await publish(bus, 10)
    async with aclosing(replay(bus, [HEALTH])) as past:
        assert (await anext(past)).topic == "cp.health"
