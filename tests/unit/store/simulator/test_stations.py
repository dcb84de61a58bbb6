"""Registrations of OCPP stations: looked up together, however many are asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import event

from evcharging.store.database import Database
from evcharging.store.simulator.stations import StationRow, find_station, find_stations, save_station
from tests.support.databases import migrated_sqlite

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await migrated_sqlite(tmp_path / "simulator.db")
    yield database
    await database.close()


def registration(cp_id: str) -> StationRow:
    return StationRow(cp_id=cp_id, security_profile=1, boot_status="Accepted", created_at=NOON, changed_at=NOON)


async def test_a_registration_is_found_by_its_id(database: Database) -> None:
    async with database.begin() as transaction:
        await save_station(transaction, registration("CP-001"))
        assert await find_station(transaction, "CP-001") == registration("CP-001")
        assert await find_station(transaction, "CP-002") is None


async def test_many_are_found_with_few_statements(database: Database) -> None:
    statements: list[str] = []
    event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    async with database.begin() as transaction:
        for cp_id in ("CP-0001", "CP-0777"):
            await save_station(transaction, registration(cp_id))
        statements.clear()
        found = await find_stations(transaction, [f"CP-{number:04}" for number in range(1_000)])
        assert set(found) == {"CP-0001", "CP-0777"}
        assert len(statements) <= 2
