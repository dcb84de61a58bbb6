from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from evcharging.store.database import Database, database_url
from evcharging.store.history.tables import SCHEMA
from evcharging.store.migrate import migrate_database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(database_url(str(tmp_path / "history.db")), schema=SCHEMA)
    await migrate_database(database)
    yield database
    await database.close()
