"""How connections to a database are opened and how transactions on them begin, in SQLite and in PostgreSQL.

For `evcharging.store.database`, whose promises about transactions are kept here. Runs no transaction itself.
"""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import Any

import aiosqlite
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from evcharging.store.sqlite_connection import SqliteConnection

__all__ = ["BUSY_TIMEOUT_S", "MEMORY", "TURN_WITHIN_S", "make_engine"]

MEMORY = ":memory:"
BUSY_TIMEOUT_S = 5
"""So long a SQLite file may be locked by another process."""
TURN_WITHIN_S = 10.0
"""So long a transaction waits for its turn among others, unless it is told otherwise."""
POOL_SIZE = 5
CONNECT_TIMEOUT_S = 5
COMMAND_TIMEOUT_S = 30
IDLE_TIMEOUT_S = 10
"""A process that was frozen in a transaction loses it after this, so that other copies go on."""
WRITERS = 0x6576_6368
"""Of the pairs of numbers that are PostgreSQL's advisory locks, ours begin with this."""


def make_engine(
    url: URL, schema: str, workers: list[Thread], *, read_only: bool, wait_s: float = TURN_WITHIN_S
) -> AsyncEngine:
    """A pool of connections; none is opened yet.

    Args:
        url: as `evcharging.store.database.database_url` returns it.
        schema: of ours in PostgreSQL.
        workers: kept up to date with the threads of SQLite's connections, which are to be waited for at the end.
        read_only: transactions cannot write, wait for nobody, and make no file where there is none.
        wait_s: so long a transaction waits for its turn in PostgreSQL; in SQLite that is the caller's.
    """
    if url.get_backend_name() == "sqlite":
        file = url.database or MEMORY
        if read_only:
            file = f"{Path(file).absolute().as_uri()}?mode=ro"
        elif file != MEMORY:
            Path(file).parent.mkdir(parents=True, exist_ok=True)

        async def connect() -> aiosqlite.Connection:
            connection = SqliteConnection(file, timeout_s=BUSY_TIMEOUT_S, uri=read_only)
            worker = connection._thread  # noqa: SLF001 - aiosqlite offers no other way to wait for it
            worker.daemon = True
            workers[:] = [*(known for known in workers if known.is_alive()), worker]
            return await connection

        engine = create_async_engine(url, async_creator=connect, pool_size=POOL_SIZE)
        event.listen(engine.sync_engine, "connect", _prepare_sqlite_for_reading if read_only else _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin if read_only else _begin_immediate)
        return engine
    engine = create_async_engine(
        url,
        pool_size=POOL_SIZE,
        pool_pre_ping=True,
        pool_timeout=CONNECT_TIMEOUT_S,
        connect_args={
            "timeout": CONNECT_TIMEOUT_S,
            "command_timeout": COMMAND_TIMEOUT_S,
            "server_settings": {
                "search_path": schema,
                "lock_timeout": f"{max(int(wait_s * 1000), 1)}ms",
                "idle_in_transaction_session_timeout": f"{IDLE_TIMEOUT_S}s",
                "default_transaction_read_only": "on" if read_only else "off",
            },
        },
    )
    if read_only:
        return engine

    def _begin_alone(connection: Connection) -> None:
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:ours, hashtext(:schema))"), [{"ours": WRITERS, "schema": schema}]
        )

    event.listen(engine.sync_engine, "begin", _begin_alone)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself; `_begin_immediate` does
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_S * 1000}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _prepare_sqlite_for_reading(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
