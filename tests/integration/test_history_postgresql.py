"""The history on PostgreSQL, beside Central's own schema in the same database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from evcharging.messages.charge_points import Alert, Severity
from evcharging.store.database import Database, database_beside, database_url
from evcharging.store.history import reading, tables, writing
from evcharging.store.history.rows import FrameRow, LogRow, SnapshotRow
from evcharging.store.migrate import migrate_database
from evcharging.store.simulator import swarm
from evcharging.store.simulator import tables as simulator
from evcharging.store.simulator.swarm import SwarmStationRow
from tests.support.postgresql import PostgresqlServer

pytestmark = pytest.mark.postgresql
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
async def url(postgresql: PostgresqlServer) -> str:
    return await postgresql.new_database()


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(database_url(database_beside(url, "history.db")), schema=tables.SCHEMA)
    await migrate_database(database)
    yield database
    await database.close()


async def test_the_history_has_a_schema_of_its_own_in_the_same_database(url, database):
    central = Database(database_url(url), schema=simulator.SCHEMA)
    try:
        await migrate_database(central)
    finally:
        await central.close()
    async with database.begin() as transaction:
        differences = await transaction.run_sync(
            lambda connection: compare_metadata(MigrationContext.configure(connection), tables.metadata)
        )
        schemas = await transaction.execute(
            text(
                "SELECT DISTINCT schemaname FROM pg_tables WHERE schemaname NOT IN ('pg_catalog','information_schema')"
            )
        )
        assert set(schemas.scalars()) == {"simulator", "history"}
    assert differences == []


async def test_what_is_written_is_read_again_and_forgotten_in_time(database):
    alert = Alert(ts=NOON, alert_id="a", cp_id="ST", kind="gap", severity=Severity.WARNING, started_at=NOON)
    frame = FrameRow(
        cp_id="ST",
        ts=NOON,
        direction="in",
        message_type=2,
        action="Data\x00",
        message_id="1",
        frame=[2, "1", "x", {"t": "\x00\ud800"}],
    )
    snapshot = SnapshotRow(station_id="ST", ts=NOON, kw=7.0, kwh=1.5)
    lines = [LogRow(station_id="ST", ts=NOON + timedelta(days=day), line=f"day {day}\x00") for day in range(3)]
    async with database.begin() as transaction:
        await writing.add_logs(transaction, lines)
        await writing.add_snapshots(transaction, [snapshot, snapshot])
        await writing.add_frames(transaction, [frame])
        await writing.add_alerts(transaction, [alert, alert.model_copy(update={"detail": "more"})])
        assert [row.line for row in await reading.logs(transaction, "ST", limit=9)] == ["day 2 ", "day 1 ", "day 0 "]
        assert [(row.kw, row.ts) for row in await reading.snapshots(transaction, "ST", limit=9)] == [(7.0, NOON)]
        assert [row.frame for row in await reading.frames(transaction, "ST", limit=9)] == [frame.frame]
        assert [kept.detail for _, kept in await reading.alerts(transaction, limit=9)] == ["more"]
        before = NOON + timedelta(days=1, hours=1)
        assert (
            await writing.forget(transaction, tables.station_logs, before=before, most_rows=100, at_once=10),
            len(await reading.logs(transaction, "ST", limit=9)),
        ) == (2, 1)


async def test_the_swarm_is_kept_on_postgresql_too(url):
    central = Database(database_url(url), schema=simulator.SCHEMA)
    row = SwarmStationRow(station_id="PY-SIM-0001", running=True, profile="idle", csms_url=None, changed_at=NOON)
    try:
        await migrate_database(central)
        async with central.begin() as transaction:
            await swarm.save_stations(transaction, [row])
            await swarm.save_stations(transaction, [row])
            assert await swarm.every_station(transaction) == [row]
            assert await swarm.running_ids(transaction) == {"PY-SIM-0001"}
    finally:
        await central.close()
