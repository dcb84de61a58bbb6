"""A connection pool to one database: SQLite by default, PostgreSQL by URL.

A transaction may read a row, decide and write it back, and no other changes it in between: transactions on one database
queue (for up to ``BUSY_TIMEOUT_S``) instead of overwriting each other or failing half way. SQLite, in WAL mode, does so
by ``BEGIN IMMEDIATE``; PostgreSQL, where each database of ours is a schema of its own, by an advisory lock a schema.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import aiosqlite
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

__all__ = [
    "AWAY",
    "Database",
    "DatabaseUnavailable",
    "InvalidDatabaseUrl",
    "database_beside",
    "database_url",
    "is_away",
]

BUSY_TIMEOUT_S = 5
POOL_SIZE = 5
CONNECT_TIMEOUT_S = 5
COMMAND_TIMEOUT_S = 30
IDLE_TIMEOUT_S = 10
"""A process that was frozen in a transaction loses it after this, so that other copies go on."""
WRITERS = 0x6576_6368
"""Of the pairs of numbers that are PostgreSQL's advisory locks, ours begin with this."""
WORKER_ENDS_WITHIN_S = BUSY_TIMEOUT_S + 1


class InvalidDatabaseUrl(ValueError):
    """A database URL that names no database this project can use."""


class DatabaseUnavailable(Exception):
    """The database cannot be reached, or is locked, at the moment. What was stored stands; try again.

    ``in_doubt`` says that it went away during the commit: the transaction may have been stored or not.
    """

    def __init__(self, message: str, *, in_doubt: bool = False) -> None:
        super().__init__(message)
        self.in_doubt = in_doubt


AWAY = (OperationalError, InterfaceError, PoolTimeoutError, OSError)
"""What drivers raise when the database, and not the statement, is at fault."""

AWAY_SQLSTATES = (
    "08",  # the connection broke
    "28",  # the user or the password is refused
    "3D",  # there is no such database (yet)
    "40",  # rolled back because of others: deadlock, serialization
    "53",  # no room: connections, memory, disk
    "55P03",  # another transaction holds what this one waits for
    "57P",  # starting up, shutting down, or ended by the administrator
    "25P03",  # this transaction stood still for too long
)
"""How PostgreSQL's codes begin that say the same; its driver gives them no class of their own."""


def is_away(error: BaseException) -> bool:
    """Whether ``error`` says that the database is unreachable, as opposed to that the statement is wrong."""
    if isinstance(error, AWAY):
        return True
    if not isinstance(error, DBAPIError):
        return False
    sqlstate = getattr(error.orig, "sqlstate", None) or ""
    return error.connection_invalidated or sqlstate.startswith(AWAY_SQLSTATES)


def database_url(url_or_path: str) -> URL:
    """Normalise what users write: a path of a SQLite file, ``sqlite:///…`` or ``postgresql://…``.

    Raises:
        InvalidDatabaseUrl: says what was got and what would do.
    """
    if "://" not in url_or_path:
        return URL.create("sqlite+aiosqlite", database=url_or_path)
    try:
        url = make_url(url_or_path)
    except ArgumentError:
        shown = urlsplit(url_or_path).scheme
        raise InvalidDatabaseUrl(
            f"got a {shown!r} URL that cannot be read, expected sqlite:///file.db or postgresql://user@host/name"
        ) from None
    backend = url.get_backend_name()
    if backend == "sqlite":
        return url.set(drivername="sqlite+aiosqlite")
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+asyncpg")
    raise InvalidDatabaseUrl(f"got a {backend!r} URL, expected sqlite:///file.db or postgresql://user@host/name")


def database_beside(url_or_path: str, file_name: str) -> str:
    """Where another of our databases is unless it is told otherwise.

    In PostgreSQL the same, where each has a schema of its own; with SQLite the file of that name in the same directory.

    Raises:
        InvalidDatabaseUrl: as `database_url`.
    """
    url = database_url(url_or_path)
    if url.get_backend_name() != "sqlite":
        return url_or_path
    path = url.database or ""
    return path if path in ("", ":memory:") else str(Path(path).with_name(file_name))


class Database:
    """A pool of connections and the one way to begin a transaction.

    ``read_only`` is for a database that another service owns: transactions do not queue, cannot write, and make no file
    where there is none.
    """

    def __init__(self, url: URL, *, schema: str, read_only: bool = False) -> None:
        self.url = url
        self.schema = schema
        self._workers: list[Thread] = []
        self._engine = _engine(url, schema, self._workers, read_only=read_only)

    @property
    def engine(self) -> AsyncEngine:
        """The pool itself, for migrations."""
        return self._engine

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises:
            DatabaseUnavailable: the database cannot be reached; nothing was committed, unless it says ``in_doubt``,
                which is why every effect carries the id of its cause.
        """
        committing = False
        try:
            async with self._engine.connect() as connection:
                transaction = await connection.begin()
                try:
                    yield connection
                except BaseException:
                    with contextlib.suppress(*AWAY):
                        await transaction.rollback()
                    raise
                committing = True
                await transaction.commit()
        except Exception as error:
            if is_away(error):
                raise DatabaseUnavailable(_short(error), in_doubt=committing) from error
            raise

    async def ping(self) -> None:
        """Do one round trip.

        Raises:
            DatabaseUnavailable: it did not answer.
        """
        async with self.begin() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Give the connections back.

        A statement whose caller was cancelled still runs in its connection's thread, and the thread answers to the
        event loop; it is waited for, so that the loop is not gone by then.
        """
        await self._engine.dispose()
        for worker in self._workers:
            if worker.is_alive():
                await asyncio.to_thread(worker.join, WORKER_ENDS_WITHIN_S)
        self._workers.clear()

    def __repr__(self) -> str:
        return f"Database({self.url.render_as_string(hide_password=True)!r}, schema={self.schema!r})"


def _engine(url: URL, schema: str, workers: list[Thread], *, read_only: bool) -> AsyncEngine:
    if url.get_backend_name() == "sqlite":
        file = url.database or ":memory:"
        if read_only:
            file = f"{Path(file).absolute().as_uri()}?mode=ro"
        elif file != ":memory:":
            Path(file).parent.mkdir(parents=True, exist_ok=True)

        async def connect() -> aiosqlite.Connection:
            connection = aiosqlite.connect(file, timeout=BUSY_TIMEOUT_S, uri=read_only)
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
                "lock_timeout": f"{BUSY_TIMEOUT_S}s",
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


def _short(error: Exception) -> str:
    origin = getattr(error, "orig", None) or error
    kind = type(origin).__name__
    what = str(origin).splitlines()[0] if str(origin) else ""
    return what if what and kind == "Error" else f"{kind}: {what}".rstrip(": ")
