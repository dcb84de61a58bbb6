"""A database of the gateways', migrated."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from evcharging.store.database import Database, database_url
from evcharging.store.gateway import tables
from evcharging.store.migrate import migrate_database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(database_url(str(tmp_path / "gateway.db")), schema=tables.SCHEMA)
    await migrate_database(database)
    yield database
    await database.close()
