from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from evcharging.store.database import Database
from evcharging.store.history.tables import metadata


async def test_the_migrations_build_what_the_tables_describe(database: Database) -> None:
    async with database.begin() as transaction:
        differences = await transaction.run_sync(
            lambda connection: compare_metadata(MigrationContext.configure(connection), metadata)
        )
    assert differences == []
