from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evcharging.store.database import Database
from evcharging.store.simulator import swarm
from evcharging.store.simulator.swarm import SwarmStationRow
from tests.support.databases import migrated_sqlite

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await migrated_sqlite(tmp_path / "simulator.db")
    yield database
    await database.close()


def row(number: int, *, running: bool = True) -> SwarmStationRow:
    return SwarmStationRow(
        station_id=f"PY-SIM-{number:04d}", running=running, profile="idle", csms_url=None, changed_at=NOON
    )


async def test_a_station_is_kept_as_it_was_last_saved(database):
    changed = replace(row(1), running=False, profile="busy", csms_url="wss://csms.example/ocpp")
    async with database.begin() as transaction:
        await swarm.save_stations(transaction, [row(2), row(1)])
        await swarm.save_stations(transaction, [changed])
        assert await swarm.every_station(transaction) == [changed, row(2)]
        assert await swarm.running_ids(transaction) == {"PY-SIM-0002"}


async def test_stations_are_found_by_their_ids_however_many(database):
    rows = [row(number) for number in range(1, 1_201)]
    async with database.begin() as transaction:
        await swarm.save_stations(transaction, rows)
        await swarm.save_stations(transaction, [])
        found = await swarm.stations(transaction, [r.station_id for r in rows] + ["nobody"])
    assert list(found.values()) == rows
