"""A connection of aiosqlite that visits its thread once a statement instead of four times.

Each visit is two switches between threads, and on a busy machine each of them waits its turn: a transaction of a dozen
statements spent more time on the way than in SQLite. Rows are fetched where the statement is executed, and a rollback
of nothing stays here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

import aiosqlite

__all__ = ["SqliteConnection"]

T = TypeVar("T")


class SqliteConnection(aiosqlite.Connection):
    """Await it to open ``file``, as what `aiosqlite.connect` returns.

    Args:
        file: a path, ``:memory:``, or a URI where ``uri`` says so.
        timeout_s: how long a statement waits for another connection's lock.
        uri: see `sqlite3.connect`.
    """

    def __init__(self, file: str, *, timeout_s: float, uri: bool) -> None:
        # Its cursors are made on the caller's thread; what they execute runs on the connection's own.
        connect = partial(sqlite3.connect, file, timeout=timeout_s, uri=uri, check_same_thread=False)
        super().__init__(connect, iter_chunk_size=64)
        self._settled = False

    def cursor(self) -> _Cursor:  # type: ignore[override]
        """A cursor that holds every row of what it executed; enter it, as SQLAlchemy does."""
        return _Cursor(self, self._conn.cursor())

    async def rollback(self) -> None:
        """See `aiosqlite.Connection.rollback`."""
        if not self._settled or self._conn.in_transaction:
            await super().rollback()

    async def _execute(self, fn: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        # A call that was cancelled, or that failed, leaves open what the thread makes of it: the next rollback asks it.
        self._settled = False
        result: T = await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]
        self._settled = True
        return result


class _Cursor(aiosqlite.Cursor):
    def __init__(self, connection: SqliteConnection, cursor: sqlite3.Cursor) -> None:
        super().__init__(connection, cursor)
        self._connection = connection
        self._rows: list[sqlite3.Row] = []

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> _Cursor:
        """Execute ``sql`` and fetch its rows."""
        self._rows = await self._connection._execute(  # noqa: SLF001
            _execute_and_fetch, self._cursor, sql, parameters or ()
        )
        return self

    async def fetchall(self) -> Iterable[sqlite3.Row]:
        """The rows, once."""
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Nothing is open: the rows were fetched."""


def _execute_and_fetch(cursor: sqlite3.Cursor, sql: str, parameters: Iterable[Any]) -> list[sqlite3.Row]:
    cursor.execute(sql, parameters)  # type: ignore[arg-type]
    return cursor.fetchall()
