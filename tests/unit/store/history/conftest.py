from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from evcharging.store.database import Database
from evcharging.store.history.tables import SCHEMA
from tests.support.databases import migrated_sqlite


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await migrated_sqlite(tmp_path / "history.db", schema=SCHEMA)
    yield database
    await database.close()
