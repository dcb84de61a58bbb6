"""The outbox relay: in order, at least once, whatever fails in between."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evcharging.apps.runtime.relay import OutboxRelay
from evcharging.bus.memory import MemoryBus, unreachable
from evcharging.bus.memory_log import MemoryLog
from evcharging.bus.protocol import Position
from evcharging.messages.charge_points import Health
from evcharging.messages.envelope import Event
from evcharging.messages.topics import HEALTH
from evcharging.store import outbox
from evcharging.store.database import Database
from evcharging.store.outbox import Waiting
from evcharging.store.simulator import tables
from tests.support.databases import migrated_sqlite

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await migrated_sqlite(tmp_path / "simulator.db")
    yield database
    await database.close()


@pytest.fixture
async def bus() -> AsyncIterator[MemoryBus]:
    bus = MemoryBus(MemoryLog())
    await bus.start()
    yield bus
    await bus.stop()


@contextlib.asynccontextmanager
async def running(relay: OutboxRelay) -> AsyncIterator[None]:
    task = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def written(database: Database, *ids: str, owner: str = "me", at: datetime = NOW) -> list[Waiting]:
    async with database.begin() as transaction:
        events = [Event(HEALTH, Health(ts=NOW, cp_id="CP-001", healthy=True), event_id, "test") for event_id in ids]
        return await outbox.enqueue(transaction, tables.outbox, events, owner=owner, now=at)


async def published(bus: MemoryBus, count: int) -> list[str]:
    async with bus.subscribe({HEALTH.name: Position.BEGINNING}) as subscription:
        ids: list[str] = []
        async with asyncio.timeout(30):
            while len(ids) < count:
                for record in await subscription.getmany(timeout_s=0.05):
                    ids.append(dict(record.headers)["ce_id"].decode())
    return ids


async def left(database: Database) -> int:
    async with database.begin() as transaction:
        return len(await outbox.waiting(transaction, tables.outbox, owner="me", orphaned_before=NOW, limit=999))


def relay_of(bus: MemoryBus, database: Database) -> OutboxRelay:
    return OutboxRelay(bus, database, tables.outbox, owner="me", now=lambda: NOW)


async def test_rows_are_published_in_the_order_of_their_commits_and_marked(database: Database, bus: MemoryBus) -> None:
    relay = relay_of(bus, database)
    async with running(relay):
        relay.hand_over(await written(database, "1", "2"))
        relay.hand_over(await written(database, "3"))
        assert await published(bus, 3) == ["1", "2", "3"]
        await relay.drain(10)
    assert await left(database) == 0


async def test_rows_of_an_earlier_run_go_first(database: Database, bus: MemoryBus) -> None:
    await written(database, "1")
    relay = relay_of(bus, database)
    relay.hand_over(await written(database, "2"))
    async with running(relay):
        await published(bus, 2)
        relay.hand_over(await written(database, "3"))
        assert await published(bus, 3) == ["1", "2", "3"]  # each once, though "2" was read and handed over


async def test_a_row_of_a_copy_that_is_gone_is_adopted(database: Database, bus: MemoryBus) -> None:
    await written(database, "1", owner="gone", at=NOW - timedelta(minutes=1))
    async with running(relay_of(bus, database)):
        assert await published(bus, 1) == ["1"]


async def test_rows_written_while_the_broker_is_away_follow_in_order(database: Database, bus: MemoryBus) -> None:
    relay = relay_of(bus, database)
    async with running(relay):
        with unreachable(bus):
            relay.hand_over(await written(database, "1", "2"))
            await asyncio.sleep(0)
        relay.hand_over(await written(database, "3"))
        assert list(dict.fromkeys(await published(bus, 3))) == ["1", "2", "3"]
        await relay.drain(10)
    assert await left(database) == 0
