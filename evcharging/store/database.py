"""A connection pool to one database: SQLite by default, PostgreSQL by URL.

A transaction may read a row, decide and write it back, and no other changes it in between: transactions on one database
queue (for up to ``wait_s``) instead of overwriting each other or failing half way. SQLite, in WAL mode, does so by
``BEGIN IMMEDIATE``; PostgreSQL, where each database of ours is a schema of its own, by an advisory lock a schema.
Within a process they take turns in the order in which they came, since SQLite lets whoever asks at the right moment go
first. Whoever only reads waits for none of them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

from sqlalchemy import make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from evcharging.store.engines import BUSY_TIMEOUT_S, MEMORY, TURN_WITHIN_S, make_engine

__all__ = [
    "AWAY",
    "Database",
    "DatabaseBusy",
    "DatabaseUnavailable",
    "InvalidDatabaseUrl",
    "database_beside",
    "database_url",
    "is_away",
]

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


class DatabaseBusy(DatabaseUnavailable):
    """The database is there, and others had it for as long as this was to wait for its turn. Nothing was done."""


AWAY = (OperationalError, InterfaceError, PoolTimeoutError, OSError)
"""What drivers raise when the database, and not the statement, is at fault."""

AWAY_SQLSTATES = (
    "08",  # the connection broke
    "28",  # the user or the password is refused
    "3D",  # there is no such database (yet)
    "40",  # rolled back because of others: deadlock, serialization
    "53",  # no room: connections, memory, disk
    "55P03",  # another transaction holds what this one waits for: see `LOCKED`
    "57P",  # starting up, shutting down, or ended by the administrator
    "25P03",  # this transaction stood still for too long
)
"""How PostgreSQL's codes begin that say the same; its driver gives them no class of their own."""
LOCKED = "55P03"


def is_away(error: BaseException) -> bool:
    """Whether ``error`` says that the database is unreachable, as opposed to that the statement is wrong."""
    if isinstance(error, AWAY):
        return True
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or _sqlstate(error).startswith(AWAY_SQLSTATES)


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
    return path if path in ("", MEMORY) else str(Path(path).with_name(file_name))


class Database:
    """A pool of connections and the one way to begin a transaction.

    ``read_only`` is for a database that another service owns: transactions do not queue, cannot write, and make no file
    where there is none. ``wait_s`` is how long a transaction waits for its turn.
    """

    def __init__(self, url: URL, *, schema: str, read_only: bool = False, wait_s: float = TURN_WITHIN_S) -> None:
        self.url = url
        self.schema = schema
        self._workers: list[Thread] = []
        self._engine = make_engine(url, schema, self._workers, read_only=read_only, wait_s=wait_s)
        self._read_only = read_only
        self._wait_s = wait_s
        self._reading: AsyncEngine | None = None
        self._turn = asyncio.Lock()

    @property
    def engine(self) -> AsyncEngine:
        """The pool itself, for migrations."""
        return self._engine

    @contextlib.asynccontextmanager
    async def begin(self, *, patiently: bool = False) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed when the block ends, rolled back when it raises.

        ``patiently`` is for those that would only queue again at the end: in SQLite they keep their place however long
        it takes.

        Raises:
            DatabaseBusy: it had no turn in time.
            DatabaseUnavailable: the database cannot be reached; nothing was committed, unless it says ``in_doubt``,
                which is why every effect carries the id of its cause.
        """
        if self._read_only or not self._is_sqlite:
            async with self._transaction(self._engine) as connection:
                yield connection
            return
        try:
            async with asyncio.timeout(None if patiently else self._wait_s):
                await self._turn.acquire()
        except TimeoutError:
            raise DatabaseBusy(f"other transactions had it for {self._wait_s:g} s") from None
        try:
            async with self._transaction(self._engine) as connection:
                yield connection
        finally:
            self._turn.release()

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One transaction that only reads what was committed before it began; it waits for no writer, nor one for it.

        Raises:
            DatabaseUnavailable: the database cannot be reached.
        """
        if self._reading is None:
            alone = self._read_only or self.url.database in (None, "", MEMORY)
            self._reading = self._engine if alone else make_engine(self.url, self.schema, self._workers, read_only=True)
        async with self._transaction(self._reading) as connection:
            yield connection

    @property
    def _is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @contextlib.asynccontextmanager
    async def _transaction(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        committing = False
        try:
            async with engine.connect() as connection:
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
            if not committing and _sqlstate(error) == LOCKED:
                raise DatabaseBusy(f"other transactions had it for {self._wait_s:g} s") from error
            if is_away(error):
                raise DatabaseUnavailable(_short(error), in_doubt=committing) from error
            raise

    async def ping(self) -> None:
        """Do one round trip, as a writer does.

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
        if self._reading is not None:
            await self._reading.dispose()
        for worker in self._workers:
            if worker.is_alive():
                await asyncio.to_thread(worker.join, WORKER_ENDS_WITHIN_S)
        self._workers.clear()

    def __repr__(self) -> str:
        return f"Database({self.url.render_as_string(hide_password=True)!r}, schema={self.schema!r})"


def _sqlstate(error: BaseException) -> str:
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


def _short(error: Exception) -> str:
    origin = getattr(error, "orig", None) or error
    kind = type(origin).__name__
    what = str(origin).splitlines()[0] if str(origin) else ""
    return what if what and kind == "Error" else f"{kind}: {what}".rstrip(": ")
