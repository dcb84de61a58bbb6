"""A database of the gateways', migrated."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from evcharging.store.database import Database
from evcharging.store.gateway import tables
from tests.support.databases import migrated_sqlite


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await migrated_sqlite(tmp_path / "gateway.db", schema=tables.SCHEMA)
    yield database
    await database.close()
