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
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Status, StatusSource
from evcharging.messages.envelope import Event, Received
from evcharging.messages.topics import STATUS
from evcharging.store.database import Database, database_url

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DEADLINE_S = 10.0


class Central:
    """Its readers, of which the one that stores can be held in the middle of a batch."""

    def __init__(self, bus: MemoryBus, database: Database) -> None:
        self.bus = bus
        self.go = asyncio.Event()
        self.at_work = asyncio.Event()
        self.effects = Consumer(bus, [STATUS], group="central", handler=self._handle, max_records=1)
        view = Consumer(bus, {STATUS: Position.END}, handler=self._look)
        self.readers = (self.effects, view)
        # As far as it is asked here, a view reader is a consumer.
        self.readiness = Readiness(bus=bus, database=database, effects=self.effects, view=cast("ViewReader", view))

    async def _handle(self, _batch: Sequence[Received[Any]]) -> None:
        self.at_work.set()
        await self.go.wait()

    async def _look(self, batch: Sequence[Received[Any]]) -> None:
        pass

    async def say(self, number: int) -> None:
        message = Status(ts=NOW, cp_id="CP-001", state=ChargePointState.ACTIVATED, source=StatusSource.ENGINE)
        await (await self.bus.publish(Event(STATUS, message, f"status-{number}", "test")))

    async def heard(self) -> datetime:
        async with asyncio.timeout(DEADLINE_S):
            while (until := self.readiness.heard_until(NOW)) is None:
                await asyncio.sleep(0.002)
        return until


@contextlib.asynccontextmanager
async def running(log: MemoryLog, path: Path) -> AsyncIterator[Central]:
    bus = MemoryBus(log)
    database = Database(database_url(str(path)), schema="simulator")
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


@pytest.fixture
async def central(tmp_path: Path) -> AsyncIterator[Central]:
    async with running(MemoryLog(), tmp_path / "simulator.db") as central:
        yield central


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


async def test_each_charge_point_is_heard_by_one_copy(tmp_path: Path) -> None:
    log = MemoryLog()
    cp_ids = [f"CP-{number}" for number in range(40)]
    async with running(log, tmp_path / "1.db") as one, running(log, tmp_path / "2.db") as two:
        async with asyncio.timeout(DEADLINE_S):
            while not (one.effects.partitions() and two.effects.partitions()):
                await asyncio.sleep(0.002)
        heard = [[copy.readiness.hears_of(cp_id) for copy in (one, two)] for cp_id in cp_ids]
    assert {sum(by_copy) for by_copy in heard} == {1}
    assert {by_copy[0] for by_copy in heard} == {True, False}


async def test_who_is_alone_hears_of_every_charge_point(central: Central) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not central.effects.partitions():
            await asyncio.sleep(0.002)
    assert all(central.readiness.hears_of(f"CP-{number}") for number in range(40))
