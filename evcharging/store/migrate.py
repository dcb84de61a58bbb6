"""Brings a database to the newest schema. Run once, before any service of a deployment starts."""

from __future__ import annotations

import asyncio
import importlib
from importlib.resources import files

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from evcharging.store.database import Database, database_url

__all__ = ["migrate", "migrate_database", "schema_version"]


def migrate(url: str, *, schema: str = "simulator") -> None:
    """Upgrade the database at ``url`` to the newest schema, creating it where there is none.

    Args:
        url: a path of a SQLite file, ``sqlite:///…`` or ``postgresql://…``.
        schema: which of our databases it is; in PostgreSQL also the schema's name.

    Raises:
        InvalidDatabaseUrl: the URL names no database this project can use.
        DatabaseUnavailable: it cannot be reached.
    """

    async def run() -> None:
        database = Database(database_url(url), schema=schema)
        try:
            await migrate_database(database)
        finally:
            await database.close()

    asyncio.run(run())


async def migrate_database(database: Database) -> None:
    """As `migrate`, on an open pool. Copies that start at once queue; the last of them changes nothing."""

    def upgrade(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{database.schema}"'))
        config = _config(database.schema)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    async with database.begin() as connection:
        await connection.run_sync(upgrade)


async def schema_version(database: Database) -> str | None:
    """The revision the database is at; None where it was never migrated."""
    async with database.begin() as connection:
        found = await connection.run_sync(lambda c: c.dialect.has_table(c, "alembic_version"))
        if not found:
            return None
        result = await connection.execute(text("SELECT version_num FROM alembic_version"))
        return result.scalar()


def _config(schema: str) -> Config:
    importlib.import_module(f"evcharging.store.{schema}.tables")
    config = Config()
    config.set_main_option("script_location", str(files(f"evcharging.store.{schema}") / "migrations"))
    return config
