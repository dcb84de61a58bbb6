from __future__ import annotations

import asyncio

import pytest

from evcharging.mqtt.protocol import MqttMessage
from evcharging.mqtt.stream import MessageStream


def message(number: int) -> MqttMessage:
    return MqttMessage(f"evse/CP-{number:03}/telemetry", b"%d" % number)


def stream(limit: int = 3) -> MessageStream:
    return MessageStream({"evse/+/telemetry": 0}, limit=limit)


async def test_messages_are_read_in_the_order_they_came() -> None:
    taken = stream()
    for number in range(3):
        taken.offer(message(number))
    assert [await anext(taken) for _ in range(3)] == [message(number) for number in range(3)]


async def test_a_reader_that_is_slow_loses_the_oldest_which_are_counted() -> None:
    taken = stream(limit=3)
    for number in range(5):
        taken.offer(message(number))
    assert taken.overrun == 2
    assert await anext(taken) == message(2)


async def test_a_waiting_reader_is_woken() -> None:
    taken = stream()
    reader = asyncio.ensure_future(anext(taken))
    await asyncio.sleep(0)
    taken.offer(message(1))
    assert await asyncio.wait_for(reader, 30) == message(1)


async def test_a_closed_stream_gives_what_it_has_and_ends() -> None:
    taken = stream()
    taken.offer(message(1))
    taken.close()
    taken.offer(message(2))
    assert [found async for found in taken] == [message(1)]


async def test_closing_ends_a_reader_that_waits_and_is_told_once() -> None:
    told: list[MessageStream] = []
    taken = MessageStream({"a": 0}, limit=1, on_close=told.append)
    reader = asyncio.ensure_future(anext(taken))
    await asyncio.sleep(0)
    taken.close()
    taken.close()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(reader, 30)
    assert told == [taken]


async def test_a_cancelled_read_loses_no_message() -> None:
    taken = stream()
    reader = asyncio.ensure_future(anext(taken))
    await asyncio.sleep(0)
    taken.offer(message(1))
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert await anext(taken) == message(1)


async def test_it_wants_what_its_filters_match() -> None:
    assert stream().wants("evse/CP-001/telemetry")
    assert not stream().wants("evse/CP-001/status")
