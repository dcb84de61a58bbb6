"""``evcharging migrate``: brings each database to its newest schema and ends. Repeating it changes nothing."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence

import structlog

from evcharging.apps.migrate.settings import MigrateSettings
from evcharging.apps.runtime.errors import GaveUp, UsageError
from evcharging.apps.runtime.service import run_service
from evcharging.store.database import Database, DatabaseUnavailable, InvalidDatabaseUrl, database_url
from evcharging.store.gateway import tables as gateway
from evcharging.store.history import tables as history
from evcharging.store.migrate import migrate_database, schema_version
from evcharging.store.simulator import tables as simulator

__all__ = ["main"]

log = structlog.get_logger()


def main(argv: Sequence[str] | None = None) -> int:
    """Migrate and return the exit code: 0 done, 2 bad settings, 1 where the database cannot be reached."""
    return run_service(_run, MigrateSettings, argv)


async def _run(settings: MigrateSettings, _stop: asyncio.Event) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)
    databases = [
        _opened("--database-url", lambda: settings.database, simulator.SCHEMA),
        _opened("--history-database-url", lambda: settings.history_database, history.SCHEMA),
        _opened("--gateway-database-url", lambda: settings.gateway_database, gateway.SCHEMA),
    ]
    for database in databases:
        try:
            await _migrate(database)
        finally:
            await database.close()


def _opened(flag: str, where: Callable[[], str], schema: str) -> Database:
    try:
        return Database(database_url(where()), schema=schema)
    except InvalidDatabaseUrl as error:
        raise UsageError(f"{flag}: {error}") from None


async def _migrate(database: Database) -> None:
    shown = database.url.render_as_string(hide_password=True)
    try:
        before = await schema_version(database)
        await migrate_database(database)
        after = await schema_version(database)
    except (DatabaseUnavailable, OSError) as error:
        raise GaveUp(f"{shown}: cannot be reached ({error}); see that it runs and that its directory exists") from None
    if before == after:
        log.info("the schema is up to date", schema=database.schema, database=shown, revision=after)
    else:
        log.info("migrated", schema=database.schema, database=shown, revision=after, before=before or "nothing")


if __name__ == "__main__":
    sys.exit(main())
