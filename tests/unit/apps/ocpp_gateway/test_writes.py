"""Writes share transactions, wait out an outage, and fail alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from evcharging.apps.ocpp_gateway.writes import StorageAway, Work, Writes
from evcharging.apps.runtime.relay import OutboxRelay
from evcharging.bus.memory import MemoryBus
from evcharging.store.gateway import records, tables
from tests.support.databases import BreakableSqlite, migrated_sqlite

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Bench:
    def __init__(self, writes: Writes, database: BreakableSqlite) -> None:
        self.writes = writes
        self.database = database

    async def versions(self) -> dict[str, int]:
        async with self.database.begin() as transaction:
            rows = await transaction.execute(tables.local_lists.select())
            return {row.cp_id: row.reported_version for row in rows}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    database = await migrated_sqlite(tmp_path / "gateway.db", schema=tables.SCHEMA)
    relay = OutboxRelay(MemoryBus(), database, tables.outbox, owner="test", now=lambda: NOW)
    writes = Writes(database, relay, owner="test", now=lambda: NOW, hold_s=0.2)
    running = asyncio.create_task(writes.run())
    yield Bench(writes, database)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await database.close()


def note(cp_id: str, version: int) -> Any:
    async def effect(work: Work) -> int:
        await records.note_list_version(work.transaction, cp_id, version, work.now)
        return version

    return effect


async def failing(work: Work) -> None:
    raise ValueError("no")


async def test_a_write_gives_its_result_once_it_is_stored(bench: Bench) -> None:
    assert await bench.writes.do(note("CP-1", 3)) == 3
    assert await bench.versions() == {"CP-1": 3}


async def test_a_write_that_fails_costs_none_of_the_others(bench: Bench) -> None:
    results = await asyncio.gather(
        bench.writes.do(note("CP-1", 1)),
        bench.writes.do(failing),
        bench.writes.do(note("CP-2", 2)),
        return_exceptions=True,
    )
    assert [results[0], results[2]] == [1, 2]
    assert isinstance(results[1], ValueError)
    assert await bench.versions() == {"CP-1": 1, "CP-2": 2}


async def test_what_waits_for_one_group_is_done_at_once_and_each_has_its_own_result(bench: Bench) -> None:
    sizes: list[int] = []

    async def group(work: Work, items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        return [item * 2 for item in items]

    results = await asyncio.gather(*(bench.writes.do_together(group, n) for n in range(5)))
    assert results == [0, 2, 4, 6, 8]
    assert sizes == [5]


async def test_steps_for_after_the_commit_run_before_anybody_hears_of_it_and_not_without_it(bench: Bench) -> None:
    steps: list[str] = []

    async def effect(work: Work) -> None:
        work.after_commit(lambda: steps.append("stored"))

    async def spoiled(work: Work) -> None:
        work.after_commit(lambda: steps.append("never"))
        raise ValueError("no")

    await bench.writes.do(effect)
    assert steps == ["stored"]
    with pytest.raises(ValueError, match="no"):
        await bench.writes.do(spoiled)
    assert steps == ["stored"]


async def test_while_the_database_is_away_a_caller_is_told_and_what_nobody_waits_for_is_kept(bench: Bench) -> None:
    async with bench.database.outage():
        bench.writes.post(note("CP-1", 1))
        with pytest.raises(StorageAway):
            await bench.writes.do(note("CP-2", 2))
        assert bench.writes.away
    assert await bench.writes.drain(10)
    assert not bench.writes.away
    assert await bench.versions() == {"CP-1": 1}


async def test_a_caller_who_leaves_does_not_take_the_write_along(bench: Bench) -> None:
    async with bench.database.outage():
        caller = asyncio.create_task(bench.writes.do(note("CP-1", 1), within_s=30))
        async with asyncio.timeout(30):
            while not bench.writes.away:
                await asyncio.sleep(0.005)
        caller.cancel()
    assert await bench.writes.drain(10)
    assert await bench.versions() == {"CP-1": 1}
