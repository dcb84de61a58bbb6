"""Real databases that can be taken away for a while, SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from pathlib import Path

from evcharging.store.database import Database, database_url
from evcharging.store.migrate import migrate_database
from tests.support.postgresql import PostgresqlServer

__all__ = ["BreakableDatabase", "BreakablePostgresql", "BreakableSqlite", "migrated_sqlite"]

SCHEMA = "simulator"


class BreakableDatabase(Database, ABC):
    """A database that can be out of reach."""

    @abstractmethod
    def outage(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Take it away for as long as the block runs; what was committed is there again afterwards."""


class BreakableSqlite(BreakableDatabase):
    """Its file is moved away, and a directory stands in its place."""

    def __init__(self, path: Path, *, schema: str = SCHEMA) -> None:
        super().__init__(database_url(str(path)), schema=schema)
        self._path = path

    @contextlib.asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        away = self._path.with_suffix(".away")
        await self.close()
        self._path.rename(away)
        self._path.mkdir()
        try:
            yield
        finally:
            await self.close()
            self._path.rmdir()
            away.rename(self._path)


class BreakablePostgresql(BreakableDatabase):
    """Its server crashes, open connections and all, and is started again."""

    def __init__(self, url: str, server: PostgresqlServer) -> None:
        super().__init__(database_url(url), schema=SCHEMA)
        self._server = server

    @contextlib.asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        await asyncio.to_thread(self._server.stop)
        try:
            yield
        finally:
            await asyncio.to_thread(self._server.start)


async def migrated_sqlite(path: Path, *, schema: str = SCHEMA) -> BreakableSqlite:
    """The database in the file ``path``, as it is there, or else empty at the newest schema.

    Migrating takes longer than most tests, so that it is done once in a process and its outcome copied.
    """
    if not path.exists():
        path.write_bytes(await _newest(schema))
    return BreakableSqlite(path, schema=schema)


_newest_of: dict[str, bytes] = {}


async def _newest(schema: str) -> bytes:
    if schema not in _newest_of:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{schema}.db"
            database = Database(database_url(str(path)), schema=schema)
            await migrate_database(database)
            await database.close()
            _newest_of[schema] = path.read_bytes()
    return _newest_of[schema]
