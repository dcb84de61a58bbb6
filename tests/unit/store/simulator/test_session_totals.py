"""What ended sessions come to, kept as they end and are amended."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from evcharging.domain.money import currency, round_money
from evcharging.store.database import Database
from evcharging.store.migrate import migrate_database
from evcharging.store.simulator import network, tables
from evcharging.store.simulator.rows import Phase, SessionRow
from evcharging.store.simulator.session_records import Totals, sum_up
from tests.support.databases import migrated_sqlite

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await migrated_sqlite(tmp_path / "simulator.db")
    yield database
    await database.close()


def session(session_id: str, status: str = "COMPLETED", **fields: Any) -> SessionRow:
    values = {
        "session_id": session_id,
        "request_id": f"request-of-{session_id}",
        "cp_id": f"CP-{session_id}",
        "connector_id": 1,
        "driver_id": "alice",
        "source": "engine",
        "status": status,
        "phase": Phase.SUPPLYING if status == "ACTIVE" else Phase.CLOSED,
        "created_at": NOW,
        "start_deadline": NOW,
        "currency": "EUR",
        "energy_wh": Decimal(1000),
        "cost": Decimal("0.30"),
    }
    return SessionRow(**{**values, **fields})


async def save(database: Database, *rows: SessionRow) -> None:
    async with database.begin() as transaction:
        await network.save_sessions(transaction, rows)


async def totals(database: Database, code: str = "EUR") -> Totals:
    async with database.read() as transaction:
        return await sum_up(transaction, code)


async def kept(database: Database) -> dict[str, tuple[Decimal, Decimal]]:
    async with database.read() as transaction:
        rows = await transaction.execute(select(tables.session_totals))
        return {row.currency: (row.energy_wh, row.billed) for row in rows}


async def test_without_sessions_there_is_nothing(database: Database) -> None:
    assert await totals(database) == Totals(Decimal("0.000"), Decimal("0.00"), "EUR")
    assert await kept(database) == {}


async def test_sessions_that_run_count_without_being_kept(database: Database) -> None:
    await save(database, session("s-1", "ACTIVE"))
    assert (await totals(database)).energy_kwh == 1
    assert await kept(database) == {}


async def test_a_session_is_kept_once_it_has_ended_and_counts_once(database: Database) -> None:
    row = session("s-1", "ACTIVE")
    await save(database, row)
    row.status, row.cost = "COMPLETED", Decimal("0.305")
    for _ in range(2):
        await save(database, row)
    assert await kept(database) == {"EUR": (Decimal(1000), Decimal("0.31"))}
    assert await totals(database) == Totals(Decimal("1.000"), Decimal("0.31"), "EUR")


async def test_bills_are_rounded_each_for_itself(database: Database) -> None:
    await save(database, *(session(f"s-{n}", cost=Decimal("0.004")) for n in range(10)))
    assert (await totals(database)).earnings == 0


async def test_what_is_metered_after_the_end_counts(database: Database) -> None:
    row = session("s-1", "FAILED", energy_wh=Decimal("0.1"), cost=Decimal(0))
    await save(database, row)
    row.energy_wh, row.cost = Decimal(2000), Decimal("0.60")
    async with database.begin() as transaction:
        await network.save_metering(transaction, [row])
    assert await kept(database) == {"EUR": (Decimal(2000), Decimal("0.60"))}


async def test_energy_is_of_every_currency_and_earnings_of_one(database: Database) -> None:
    await save(database, session("s-1"), session("s-2", currency="JPY", cost=Decimal("30.5")))
    assert await totals(database, "JPY") == Totals(Decimal("2.000"), Decimal(31), "JPY")


async def test_what_was_taken_back_was_never_counted(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.begin() as transaction:
            await network.save_sessions(transaction, [session("s-1")])
            _ = 1 / 0
    assert await kept(database) == {}


async def test_whatever_happens_to_sessions_what_is_kept_is_their_sum(database: Database) -> None:
    chance = random.Random(7)
    rows = [session(f"s-{n}", "ACTIVE", currency=chance.choice(("EUR", "JPY", "KWD"))) for n in range(40)]
    await save(database, *rows)
    for _ in range(60):
        some = chance.sample(rows, 5)
        for row in some:
            row.energy_wh += Decimal(chance.randrange(10**7)) / 1000
            row.cost += Decimal(chance.randrange(10**10)) / 10**9
            if chance.random() < 0.2:
                row.status = "COMPLETED"
        async with database.begin() as transaction:
            await network.save_sessions(transaction, some[:3])
            await network.save_metering(transaction, [row for row in some[3:] if row.status == "ACTIVE"])
    ended = [row for row in rows if row.status != "ACTIVE"]
    assert 0 < len(ended) < len(rows)
    stored = {code: (Decimal(0), Decimal(0)) for code in {row.currency for row in ended}}
    async with database.read() as transaction:
        now = await network.sessions(transaction, [row.session_id for row in rows])
    for row in now.values():
        if row.status != "ACTIVE":
            energy_wh, bills = stored[row.currency]
            stored[row.currency] = energy_wh + row.energy_wh, bills + round_money(row.cost, currency(row.currency))
    assert await kept(database) == stored


async def test_a_database_of_before_begins_with_the_sum_of_its_sessions(database: Database) -> None:
    await save(
        database,
        session("s-1", energy_wh=Decimal("1000.001"), cost=Decimal("0.305")),
        session("s-2", "FAILED", energy_wh=Decimal("0.002"), cost=Decimal("0.004")),
        session("s-3", "ACTIVE"),
        session("s-4", currency="JPY", cost=Decimal("10.5")),
    )
    before = await kept(database)

    def back(connection: Connection) -> None:
        connection.exec_driver_sql("DROP TABLE session_totals")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0004'")

    async with database.begin() as transaction:
        await transaction.run_sync(back)
    await migrate_database(database)
    assert await kept(database) == before
    assert before["EUR"] == (Decimal("1000.003"), Decimal("0.31"))
