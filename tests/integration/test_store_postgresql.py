"""The store on PostgreSQL, where it differs from SQLite: schemas, several writers, and the ways in which it is away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from evcharging.store import idempotency, inbox
from evcharging.store.database import Database, DatabaseBusy, DatabaseUnavailable, database_url
from evcharging.store.migrate import migrate_database, schema_version
from evcharging.store.simulator import network, tables
from evcharging.store.simulator.rows import ChargePointRow
from tests.support.postgresql import PostgresqlServer

pytestmark = pytest.mark.postgresql
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
async def url(postgresql: PostgresqlServer) -> str:
    return await postgresql.new_database()


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with opened(url) as database:
        await migrate_database(database)
        yield database


@contextlib.asynccontextmanager
async def opened(url: str, **more: Any) -> AsyncIterator[Database]:
    """A pool of its own, as another copy of a service has."""
    database = Database(database_url(url), schema=tables.SCHEMA, **more)
    try:
        yield database
    finally:
        await database.close()


async def test_the_migrations_build_what_the_tables_describe_in_a_schema_of_their_own(database):
    async with database.begin() as transaction:
        differences = await transaction.run_sync(
            lambda connection: compare_metadata(MigrationContext.configure(connection), tables.metadata)
        )
        found = await transaction.execute(
            text(
                "SELECT DISTINCT schemaname FROM pg_tables WHERE schemaname NOT IN ('pg_catalog','information_schema')"
            )
        )
        assert found.scalars().all() == [tables.SCHEMA]
    assert differences == []


async def test_copies_that_migrate_at_once_wait_for_each_other(url):
    async with contextlib.AsyncExitStack() as stack:
        copies = [await stack.enter_async_context(opened(url)) for _ in range(3)]
        await asyncio.gather(*(migrate_database(copy) for copy in copies))
        assert len({await schema_version(copy) for copy in copies} - {None}) == 1


async def test_no_copy_overwrites_what_another_changed_in_a_row_it_had_read(database, url):
    async with opened(url) as other:
        async with database.begin() as transaction:
            await network.save_charge_points(
                transaction, [ChargePointRow(cp_id="CP-001", registered_at=NOW, location="")]
            )

        async def add_a_letter(copy: Database) -> None:
            async with copy.begin() as transaction:
                point = (await network.charge_points(transaction, ["CP-001"]))["CP-001"]
                await asyncio.sleep(0)  # whoever does not queue reads the same row now
                point.location = f"{point.location}x"
                await network.save_charge_points(transaction, [point])

        await asyncio.gather(*(add_a_letter(copy) for copy in (database, other) for _ in range(10)))
        async with other.begin() as transaction:
            assert (await network.charge_points(transaction, ["CP-001"]))["CP-001"].location == "x" * 20


async def test_of_two_copies_that_take_a_message_one_gets_it(database, url):
    async def take(copy: Database) -> set[str]:
        async with copy.begin() as transaction:
            return await inbox.take(transaction, tables.inbox, ["m-1", "m-2", "m-1"], NOW)

    async with opened(url) as other:
        taken = await asyncio.gather(*(take(copy) for copy in (database, other, database, other)))
    assert sorted(len(ids) for ids in taken) == [0, 0, 0, 2]


async def test_of_two_copies_that_claim_a_key_one_does_the_work(database, url):
    async def claim(copy: Database) -> idempotency.Claim:
        async with copy.begin() as transaction:
            return await idempotency.claim(
                transaction, tables.idempotency_keys, key="k", route="POST /cp/stop", request_hash="h", now=NOW
            )

    async with opened(url) as other:
        claims = await asyncio.gather(*(claim(copy) for copy in (database, other, database)))
    assert sorted(type(c).__name__ for c in claims) == ["Mine", "Open", "Open"]


async def test_a_transaction_that_waits_too_long_for_another_says_that_the_database_is_busy(database, url):
    async with opened(url, wait_s=0.5) as other, database.begin():
        with pytest.raises(DatabaseBusy, match=r"other transactions had it for 0\.5 s"):
            await other.ping()


async def test_a_copy_that_stands_still_in_a_transaction_loses_it_and_others_go_on(url, monkeypatch):
    monkeypatch.setattr("evcharging.store.engines.IDLE_TIMEOUT_S", 1)
    async with opened(url) as frozen, opened(url) as other:
        holding = frozen.begin()
        await holding.__aenter__()
        await other.ping()
        with pytest.raises(DatabaseUnavailable) as told:
            await holding.__aexit__(None, None, None)
    assert told.value.in_doubt


async def test_a_wrong_password_is_told_without_telling_it(url):
    wrong = url.replace("@", "wrong@", 1)
    async with opened(wrong) as database:
        with pytest.raises(DatabaseUnavailable, match="password authentication failed") as told:
            await database.ping()
    assert "wrong" not in str(told.value)


async def test_a_database_that_is_not_there_yet_is_unavailable(url):
    async with opened(f"{url}_later") as database:
        with pytest.raises(DatabaseUnavailable, match="does not exist"):
            await database.ping()


async def test_a_server_without_a_free_connection_is_unavailable_until_there_is_one(database, url):
    taken = []
    with contextlib.suppress(asyncpg.TooManyConnectionsError):
        while True:
            taken.append(await asyncpg.connect(url))
    async with opened(url) as other:
        with pytest.raises(DatabaseUnavailable, match="too many clients"):
            await other.ping()
        for connection in taken:
            await connection.close()
        await other.ping()


async def test_a_server_that_starts_is_unavailable_until_it_has_recovered(postgresql, url):
    reasons = []

    async def until_there(database: Database) -> None:
        while True:
            try:
                return await database.ping()
            except DatabaseUnavailable as error:
                reasons.append(str(error))

    async with opened(url) as database:
        await database.ping()
        postgresql.stop()
        waiting = asyncio.create_task(until_there(database))
        await asyncio.to_thread(postgresql.start)
        await waiting
    assert reasons


async def test_a_crash_while_committing_is_in_doubt(postgresql, url):
    async with opened(url) as database:
        with pytest.raises(DatabaseUnavailable) as told:
            async with database.begin() as transaction:
                await transaction.execute(text("SELECT 1"))
                postgresql.stop()
        await asyncio.to_thread(postgresql.start)
        assert told.value.in_doubt
        await database.ping()
