"""SQLite behind its thread: how often it is visited, and what a visit that was given up leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from evcharging.store.sqlite_connection import SqliteConnection


@contextlib.asynccontextmanager
async def opened(path: Path, *, timeout_s: float = 5.0) -> AsyncIterator[SqliteConnection]:
    connection = SqliteConnection(str(path), timeout_s=timeout_s, uri=False)
    await connection
    connection.isolation_level = None
    try:
        yield connection
    finally:
        await connection.close()


async def execute(connection: SqliteConnection, sql: str, *parameters: object) -> list[Any]:
    async with connection.cursor() as cursor:
        await cursor.execute(sql, parameters)
        return list(await cursor.fetchall())


@pytest.fixture
def visits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was sent to connections' threads."""
    sent: list[str] = []
    original = aiosqlite.Connection._execute

    async def counted(self: aiosqlite.Connection, fn: Any, *args: Any, **kwargs: Any) -> Any:
        sent.append(getattr(fn, "__name__", str(fn)))
        return await original(self, fn, *args, **kwargs)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
    return sent


async def test_a_statement_and_its_rows_take_one_visit_to_the_thread(tmp_path: Path, visits: list[str]) -> None:
    async with opened(tmp_path / "some.db") as connection:
        assert await execute(connection, "SELECT ? UNION SELECT ?", 1, 2) == [(1,), (2,)]
        assert len(visits) == 1


async def test_rolling_back_nothing_takes_no_visit(tmp_path: Path, visits: list[str]) -> None:
    async with opened(tmp_path / "some.db") as connection:
        await execute(connection, "BEGIN IMMEDIATE")
        await connection.commit()
        before = len(visits)
        await connection.rollback()
        assert len(visits) == before


async def test_what_was_begun_is_rolled_back(tmp_path: Path) -> None:
    async with opened(tmp_path / "some.db") as connection:
        await execute(connection, "CREATE TABLE things (name TEXT)")
        await execute(connection, "BEGIN IMMEDIATE")
        await execute(connection, "INSERT INTO things VALUES ('one')")
        await connection.rollback()
        assert await execute(connection, "SELECT * FROM things") == []


async def test_a_transaction_that_begins_after_its_caller_gave_up_is_rolled_back(tmp_path: Path) -> None:
    async with opened(tmp_path / "some.db") as first, opened(tmp_path / "some.db") as second:
        await execute(first, "PRAGMA journal_mode=WAL")
        await execute(first, "BEGIN IMMEDIATE")
        waiting = asyncio.create_task(execute(second, "BEGIN IMMEDIATE"))
        await asyncio.sleep(0)  # it is on its way to the thread, and waits there for the lock
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        rolled_back = asyncio.create_task(second.rollback())
        await asyncio.sleep(0)
        await first.commit()
        await rolled_back
        assert await execute(second, "SELECT 1") == [(1,)]  # behind whatever was still waiting
        assert not second.in_transaction


async def test_a_statement_that_fails_says_why_and_costs_only_itself(tmp_path: Path) -> None:
    async with opened(tmp_path / "some.db") as connection:
        with pytest.raises(aiosqlite.OperationalError, match="no such table"):
            await execute(connection, "SELECT * FROM missing")
        assert await execute(connection, "SELECT 1") == [(1,)]
