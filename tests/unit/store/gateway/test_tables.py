"""The gateways' schema: what the migrations make is what the tables say, and what must be unique is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert
from sqlalchemy.exc import IntegrityError

from evcharging.store.database import Database
from evcharging.store.gateway import tables
from evcharging.store.migrate import migrate_database, schema_version

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_transaction(**changes: Any) -> dict[str, Any]:
    return {
        "session_id": "s-1",
        "cp_id": "CP-1",
        "transaction_id": "7",
        "number": 7,
        "content_key": "key-1",
        "start_known": True,
        "connector_id": 1,
        "created_at": NOW,
        **changes,
    }


async def test_the_migrations_make_exactly_the_tables(database: Database) -> None:
    def differences(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), tables.metadata))

    async with database.begin() as transaction:
        assert await transaction.run_sync(differences) == []


async def test_migrating_again_changes_nothing(database: Database) -> None:
    before = await schema_version(database)
    await migrate_database(database)
    assert await schema_version(database) == before is not None


@pytest.mark.parametrize("same", ["session_id", "number", "content_key"])
async def test_no_two_transactions_share_what_names_one(database: Database, same: str) -> None:
    other = a_transaction(session_id="s-2", number=8, transaction_id="8", content_key="key-2")
    other[same] = a_transaction()[same]
    async with database.begin() as transaction:
        await transaction.execute(insert(tables.transactions).values(**a_transaction()))
    with pytest.raises(IntegrityError):
        async with database.begin() as transaction:
            await transaction.execute(insert(tables.transactions).values(**other))


async def test_two_stops_without_a_start_have_no_number_between_them(database: Database) -> None:
    async with database.begin() as transaction:
        for name in ("a", "b"):
            row = a_transaction(session_id=name, number=None, content_key=name, start_known=False)
            await transaction.execute(insert(tables.transactions).values(**row))
