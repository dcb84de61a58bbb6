"""How far Central has heard the network: what silence on the bus may be taken for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from evcharging.apps.ev_central.readiness import Readiness
from evcharging.apps.ev_central.view_reader import ViewReader
from evcharging.bus.consumer import Consumer
from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import MemoryLog
from evcharging.bus.protocol import Position
from evcharging.messages.charge_points import Health
from evcharging.messages.envelope import Event, Received
from evcharging.messages.topics import HEALTH
from evcharging.store.database import Database, database_url

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DEADLINE_S = 10.0


class Central:
    """Its readers, of which the one that stores can be held in the middle of a batch."""

    def __init__(self, bus: MemoryBus, database: Database) -> None:
        self.bus = bus
        self.go = asyncio.Event()
        self.at_work = asyncio.Event()
        self.effects = Consumer(bus, [HEALTH], group="central", handler=self._handle, max_records=1)
        view = Consumer(bus, {HEALTH: Position.END}, handler=self._look)
        self.readers = (self.effects, view)
        # As far as it is asked here, a view reader is a consumer.
        self.readiness = Readiness(bus=bus, database=database, effects=self.effects, view=cast("ViewReader", view))

    async def _handle(self, _batch: Sequence[Received[Any]]) -> None:
        self.at_work.set()
        await self.go.wait()

    async def _look(self, batch: Sequence[Received[Any]]) -> None:
        pass

    async def say(self, number: int) -> None:
        message = Health(ts=NOW, cp_id="CP-001", healthy=True)
        await (await self.bus.publish(Event(HEALTH, message, f"health-{number}", "test")))

    async def heard(self) -> datetime:
        async with asyncio.timeout(DEADLINE_S):
            while (until := self.readiness.heard_until(NOW)) is None:
                await asyncio.sleep(0.002)
        return until


@pytest.fixture
async def central(tmp_path: Path) -> AsyncIterator[Central]:
    bus = MemoryBus(MemoryLog())
    database = Database(database_url(str(tmp_path / "simulator.db")), schema="simulator")
    central = Central(bus, database)
    await bus.start()
    async with contextlib.AsyncExitStack() as stack:
        for reader in central.readers:
            await stack.enter_async_context(reader)
        tasks = [asyncio.create_task(reader.run()) for reader in central.readers]
        yield central
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await bus.stop()
    await database.close()


async def test_who_has_read_everything_has_heard_until_now(central: Central) -> None:
    central.go.set()
    await central.say(1)
    assert NOW - await central.heard() < timedelta(seconds=DEADLINE_S)


async def test_nothing_is_heard_before_what_was_there_at_the_start_is_handled(central: Central) -> None:
    assert central.readiness.heard_until(NOW) is None


async def test_what_was_said_while_a_reader_is_busy_is_not_heard_yet(central: Central) -> None:
    central.go.set()
    await central.heard()
    central.go.clear()
    central.at_work.clear()
    await central.say(1)
    await central.say(2)
    async with asyncio.timeout(DEADLINE_S):
        await central.at_work.wait()
    before = await central.heard()
    assert await central.heard() < before, "the time in which nothing was heard grows with each look"
    central.go.set()
    async with asyncio.timeout(DEADLINE_S):
        while await central.heard() <= before:
            await asyncio.sleep(0.002)
