from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from evcharging.apps.swarm.memory import SwarmMemory
from evcharging.bus.memory import MemoryBus
from evcharging.messages.envelope import Event
from evcharging.messages.topics import SWARM_STATUS
from tests.support.bus import until


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus(wall_clock=lambda: 1000.0)


@contextlib.asynccontextmanager
async def remembering(bus: MemoryBus) -> AsyncIterator[tuple[SwarmMemory, list[tuple[str, int, str]]]]:
    heard: list[tuple[str, int, str]] = []
    memory = SwarmMemory(bus, holder="me/1", on_foreign=lambda *told: heard.append(told))
    task = asyncio.create_task(memory.run())
    try:
        await memory.wait_caught_up()
        yield memory, heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def say(bus: MemoryBus, status) -> None:
    await bus.publish(Event(SWARM_STATUS, status, id="x", source="t"))


async def test_the_past_is_known_once_it_has_caught_up(bus, a_status):
    await say(bus, a_status("S-1", term=3, registers_wh=(5.0,)))
    async with remembering(bus) as (memory, _):
        assert memory.last("S-1").handover.registers_wh == (5.0,)
        assert memory.term("S-1") == 3
        assert memory.last("S-2") is None
        assert memory.term("S-2") == 0
        assert memory.up_to_date()


async def test_a_lower_term_never_counts_however_late_it_comes(bus, a_status):
    async with remembering(bus) as (memory, _):
        await say(bus, a_status(term=5, holder="w2/b", registers_wh=(50.0,)))
        await say(bus, a_status(term=4, holder="w1/a", registers_wh=(40.0,)))
        await say(bus, a_status("S-9"))
        await until(lambda: memory.last("S-9") is not None)
        assert memory.last("S-1").handover.registers_wh == (50.0,)


async def test_the_word_of_another_is_news_and_ones_own_is_not(bus, a_status):
    async with remembering(bus) as (memory, heard):
        await say(bus, a_status(term=1, holder="me/1"))
        await say(bus, a_status(term=2, holder="w2/b"))
        await until(lambda: bool(heard))
        assert heard == [("S-1", 2, "w2/b")]
        assert memory.held_by("S-1") == "w2/b"


async def test_who_has_let_go_holds_nothing(bus, a_status):
    async with remembering(bus) as (memory, heard):
        await say(bus, a_status(holder="w2/b", released=True))
        await until(lambda: bool(heard))
        assert memory.held_by("S-1") is None
        assert memory.held_by("S-2") is None


async def test_silence_is_counted_from_the_last_word_about_any_station(bus, a_status):
    await say(bus, a_status(holder="w2/b"))
    async with remembering(bus) as (memory, _):
        assert memory.silent_s("w2/b", 1004.0) == 4.0
        assert memory.silent_s("never heard of", 1004.0) == 1004.0


async def test_a_station_that_is_gone_has_no_past(bus, a_status):
    async with remembering(bus) as (memory, _):
        await say(bus, a_status())
        await until(lambda: memory.last("S-1") is not None)
        await bus.publish_raw(SWARM_STATUS.name, b"S-1", None, ())
        await until(lambda: memory.last("S-1") is None)


@pytest.mark.parametrize("body", [b"no json", b"[]", b'{"handover": 3}', b'{"handover": {"term": "x"}}'])
async def test_what_makes_no_sense_is_nobodys_word(bus, a_status, body):
    async with remembering(bus) as (memory, heard):
        await bus.publish_raw(SWARM_STATUS.name, b"S-1", body, ())
        await say(bus, a_status("S-9"))
        await until(lambda: memory.last("S-9") is not None)
        assert memory.last("S-1") is None
        assert memory.held_by("S-1") is None
        assert heard == [("S-9", 1, "w1/a")]


async def test_its_own_last_word_is_known_before_it_is_read_back(bus, a_status):
    async with remembering(bus) as (memory, _):
        memory.note(a_status(term=2, holder="me/1", released=True, registers_wh=(9.0,)))
        assert memory.last("S-1").handover.registers_wh == (9.0,)
        memory.note(a_status(term=1, holder="me/1", registers_wh=(1.0,)))
        assert memory.last("S-1").handover.registers_wh == (9.0,)
