"""The database behind every effect: what URLs mean, and what its absence looks like."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from evcharging.store.database import (
    Database,
    DatabaseBusy,
    DatabaseUnavailable,
    InvalidDatabaseUrl,
    database_beside,
    database_url,
)
from evcharging.store.migrate import migrate_database, schema_version


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("simulator.db", "sqlite+aiosqlite"),
        ("sqlite:///simulator.db", "sqlite+aiosqlite"),
        ("postgresql://ev:secret@db.example/ev", "postgresql+asyncpg"),
        ("postgres://ev@db.example/ev", "postgresql+asyncpg"),
    ],
)
def test_a_path_or_a_url_names_a_database(given: str, driver: str) -> None:
    assert database_url(given).drivername == driver


@pytest.mark.parametrize("given", ["mysql://db/ev", "http://example", "://nothing"])
def test_another_url_is_refused_with_what_would_do(given: str) -> None:
    with pytest.raises(InvalidDatabaseUrl, match="expected sqlite"):
        database_url(given)


def test_a_password_is_in_no_repr() -> None:
    assert "secret" not in repr(Database(database_url("postgresql://ev:secret@localhost/ev"), schema="simulator"))


async def test_a_database_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "simulator.db").mkdir()
    database = Database(database_url(str(tmp_path / "simulator.db")), schema="simulator")
    with pytest.raises(DatabaseUnavailable, match="unable to open"):
        await database.ping()
    await database.close()


async def test_an_unreachable_postgresql_is_unavailable() -> None:
    database = Database(database_url("postgresql://ev@127.0.0.1:1/ev"), schema="simulator")
    with pytest.raises(DatabaseUnavailable):
        await database.ping()
    await database.close()


async def test_an_error_of_the_caller_rolls_back_and_passes_through(tmp_path: Path) -> None:
    database = Database(database_url(str(tmp_path / "simulator.db")), schema="simulator")
    await migrate_database(database)
    with pytest.raises(ZeroDivisionError):
        async with database.begin() as transaction:
            await transaction.execute(
                text("INSERT INTO inbox (message_id, received_at) VALUES ('a', '2026-01-01 00:00:00')")
            )
            _ = 1 / 0
    async with database.begin() as transaction:
        assert (await transaction.execute(text("SELECT count(*) FROM inbox"))).scalar_one() == 0
    await database.close()


async def test_two_writers_queue_instead_of_failing(tmp_path: Path) -> None:
    database = Database(database_url(str(tmp_path / "simulator.db")), schema="simulator")
    await migrate_database(database)

    async def write(number: int) -> None:
        async with database.begin() as transaction:
            await transaction.execute(
                text(f"INSERT INTO inbox (message_id, received_at) VALUES ('{number}', '2026-01-01 00:00:00')")
            )

    await asyncio.gather(*(write(number) for number in range(20)))
    async with database.begin() as transaction:
        assert (await transaction.execute(text("SELECT count(*) FROM inbox"))).scalar_one() == 20
    await database.close()


async def test_writers_take_turns_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    database = Database(database_url(str(tmp_path / "simulator.db")), schema="simulator")
    await migrate_database(database)
    order: list[int] = []

    async def write(number: int) -> None:
        async with database.begin() as transaction:
            await transaction.execute(text("SELECT 1"))
            order.append(number)

    async with database.begin():
        writers = []
        for number in range(12):
            writers.append(asyncio.create_task(write(number)))
            await asyncio.sleep(0)
    await asyncio.gather(*writers)
    assert order == list(range(12))
    await database.close()


async def test_who_waits_too_long_for_its_turn_is_told_that_the_database_is_busy(tmp_path: Path) -> None:
    database = Database(database_url(str(tmp_path / "simulator.db")), schema="simulator", wait_s=0.05)
    await migrate_database(database)
    async with database.begin():
        with pytest.raises(DatabaseBusy, match=r"other transactions had it for 0\.05 s") as told:
            async with database.begin():
                pass
    assert not told.value.in_doubt
    async with database.begin():
        pass
    await database.close()


async def test_who_waits_patiently_keeps_its_place_for_as_long_as_it_takes(tmp_path: Path) -> None:
    database = Database(database_url(str(tmp_path / "simulator.db")), schema="simulator", wait_s=0.02)
    await migrate_database(database)

    async def write() -> None:
        async with database.begin(patiently=True) as transaction:
            await transaction.execute(text("SELECT 1"))

    async with database.begin():
        patient = asyncio.create_task(write())
        with pytest.raises(DatabaseBusy):
            await database.ping()
        assert not patient.done()
    await patient
    await database.close()


async def test_who_only_reads_waits_for_no_writer_and_cannot_write(tmp_path: Path) -> None:
    database = Database(database_url(str(tmp_path / "simulator.db")), schema="simulator")
    await migrate_database(database)
    async with database.begin() as writing:
        await writing.execute(text("INSERT INTO inbox (message_id, received_at) VALUES ('m', '2026-01-01')"))
        async with database.read() as reading:
            assert (await reading.execute(text("SELECT count(*) FROM inbox"))).scalar_one() == 0
    async with database.read() as reading:
        assert (await reading.execute(text("SELECT count(*) FROM inbox"))).scalar_one() == 1
    with pytest.raises(DatabaseUnavailable, match="readonly"):
        async with database.read() as transaction:
            await transaction.execute(text("DELETE FROM inbox"))
    await database.close()


async def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    database = Database(database_url(str(tmp_path / "simulator.db")), schema="simulator")
    assert await schema_version(database) is None
    await migrate_database(database)
    version = await schema_version(database)
    await migrate_database(database)
    assert await schema_version(database) == version
    await database.close()


async def test_the_migrations_build_what_the_tables_describe(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    from evcharging.store.simulator.tables import metadata

    database = Database(database_url(str(tmp_path / "simulator.db")), schema="simulator")
    await migrate_database(database)
    async with database.begin() as transaction:
        differences = await transaction.run_sync(
            lambda connection: compare_metadata(MigrationContext.configure(connection), metadata)
        )
    assert differences == []
    await database.close()


@pytest.mark.parametrize(
    ("given", "beside"),
    [
        ("simulator.db", "history.db"),
        ("/data/simulator.db", "/data/history.db"),
        ("sqlite:////data/other.db", "/data/history.db"),
        ("postgresql://me:secret@host/charging", "postgresql://me:secret@host/charging"),
    ],
)
def test_the_history_is_beside_unless_it_is_told_where(given: str, beside: str) -> None:
    assert database_beside(given, "history.db") == beside


async def test_a_database_of_anothers_is_read_beside_its_writer_and_never_written(tmp_path: Path) -> None:
    url = database_url(str(tmp_path / "simulator.db"))
    owner = Database(url, schema="simulator")
    await migrate_database(owner)
    reader = Database(url, schema="simulator", read_only=True)
    async with owner.begin() as writing:
        await writing.execute(text("INSERT INTO inbox (message_id, received_at) VALUES ('m', '2026-01-01')"))
        async with reader.begin() as reading:
            assert (await reading.execute(text("SELECT count(*) FROM inbox"))).scalar_one() == 0
    with pytest.raises(DatabaseUnavailable, match="readonly"):
        async with reader.begin() as transaction:
            await transaction.execute(text("DELETE FROM inbox"))
    async with reader.begin() as reading:
        assert (await reading.execute(text("SELECT count(*) FROM inbox"))).scalar_one() == 1
    await reader.close()
    await owner.close()


async def test_reading_a_database_that_is_not_there_yet_makes_no_file(tmp_path: Path) -> None:
    reader = Database(database_url(str(tmp_path / "gateway.db")), schema="gateway", read_only=True)
    with pytest.raises(DatabaseUnavailable):
        await reader.ping()
    assert list(tmp_path.iterdir()) == []
    await reader.close()
