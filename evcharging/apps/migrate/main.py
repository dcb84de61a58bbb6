"""``evcharging migrate``: brings Central's database to the newest schema and ends. Repeating it changes nothing."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence

import structlog

from evcharging.apps.migrate.settings import MigrateSettings
from evcharging.apps.runtime.errors import GaveUp, UsageError
from evcharging.apps.runtime.service import run_service
from evcharging.store.database import Database, DatabaseUnavailable, InvalidDatabaseUrl, database_url
from evcharging.store.migrate import migrate_database, schema_version
from evcharging.store.simulator import tables

__all__ = ["main"]

log = structlog.get_logger()


def main(argv: Sequence[str] | None = None) -> int:
    """Migrate and return the exit code: 0 done, 2 bad settings, 1 where the database cannot be reached."""
    return run_service(_run, MigrateSettings, argv)


async def _run(settings: MigrateSettings, _stop: asyncio.Event) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        database = Database(database_url(settings.database), schema=tables.SCHEMA)
    except InvalidDatabaseUrl as error:
        raise UsageError(f"--database-url: {error}") from None
    shown = database.url.render_as_string(hide_password=True)
    try:
        before = await schema_version(database)
        await migrate_database(database)
        after = await schema_version(database)
    except (DatabaseUnavailable, OSError) as error:
        raise GaveUp(f"{shown}: cannot be reached ({error}); see that it runs and that its directory exists") from None
    finally:
        await database.close()
    if before == after:
        log.info("the schema is up to date", database=shown, revision=after)
    else:
        log.info("migrated", database=shown, revision=after, before=before or "nothing")


if __name__ == "__main__":
    sys.exit(main())
