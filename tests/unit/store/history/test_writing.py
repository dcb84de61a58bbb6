from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from evcharging.messages.charge_points import Alert, Severity
from evcharging.store.database import Database
from evcharging.store.history import reading, tables, writing
from evcharging.store.history.rows import FrameRow, LogRow, SnapshotRow

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
EVERYTHING = 1_000_000


def lines(count: int, *, station_id: str = "PY-SIM-0001", start: datetime = NOON) -> list[LogRow]:
    return [
        LogRow(station_id=station_id, ts=start + timedelta(seconds=number), line=f"line {number}")
        for number in range(count)
    ]


def alert(alert_id: str = "a", *, detail: str = "first", seconds: int = 0) -> Alert:
    return Alert(
        ts=NOON + timedelta(seconds=seconds),
        alert_id=alert_id,
        cp_id="CP-001",
        kind="meter_gap",
        severity=Severity.WARNING,
        detail=detail,
        started_at=NOON,
    )


async def count(database: Database) -> int:
    async with database.begin() as transaction:
        return (await transaction.execute(select(func.count()).select_from(tables.station_logs))).scalar_one()


async def forget(database: Database, *, before: datetime, most_rows: int = EVERYTHING, at_once: int = 1_000) -> int:
    async with database.begin() as transaction:
        return await writing.forget(
            transaction, tables.station_logs, before=before, most_rows=most_rows, at_once=at_once
        )


async def test_an_alert_said_again_is_one_alert_with_the_newer_words(database):
    async with database.begin() as transaction:
        await writing.add_alerts(transaction, [alert(detail="first")])
        await writing.add_alerts(transaction, [alert(detail="second", seconds=5)])
        await writing.add_alerts(transaction, [alert(detail="late", seconds=2)])
        found = await reading.alerts(transaction, limit=10)
    assert [kept.detail for _, kept in found] == ["second"]


async def test_two_copies_that_look_at_the_same_moment_leave_one_snapshot(database):
    row = SnapshotRow(station_id="CP-001", ts=NOON, kw=22.0, kwh=1.5)
    async with database.begin() as transaction:
        await writing.add_snapshots(transaction, [row])
        await writing.add_snapshots(transaction, [row, SnapshotRow(station_id="CP-002", ts=NOON, kw=0.0, kwh=0.5)])
        assert len(await reading.snapshots(transaction, "CP-001", limit=10)) == 1
        (other,) = await reading.snapshots(transaction, "CP-002", limit=10)
    assert (other.kw, other.kwh) == (0.0, 0.5)


async def test_what_no_database_takes_in_a_text_is_left_out_of_it(database):
    odd = LogRow(station_id="ST", ts=NOON, line="a\x00b\nc\ud800")
    frame = FrameRow(
        cp_id="ST",
        ts=NOON,
        direction="in",
        message_type=2,
        action="Data\x00",
        message_id="\ud800",
        frame=[2, "1", "x", {"t": "\x00\ud800"}],
    )
    async with database.begin() as transaction:
        await writing.add_logs(transaction, [odd])
        await writing.add_frames(transaction, [frame])
        (line,) = await reading.logs(transaction, "ST", limit=1)
        (kept,) = await reading.frames(transaction, "ST", limit=1)
    assert line.line == "a b c "
    assert (kept.action, kept.message_id, kept.frame) == ("Data ", " ", frame.frame)


async def test_rows_from_before_a_moment_are_forgotten_and_no_others(database):
    async with database.begin() as transaction:
        await writing.add_logs(transaction, lines(10))
    assert await forget(database, before=NOON + timedelta(seconds=4)) == 4
    async with database.begin() as transaction:
        left = await reading.logs(transaction, "PY-SIM-0001", limit=100)
    assert [row.line for row in left] == [f"line {number}" for number in range(9, 3, -1)]
    assert await forget(database, before=NOON + timedelta(seconds=4)) == 0


async def test_forgetting_takes_no_more_at_once_than_it_is_told(database):
    async with database.begin() as transaction:
        await writing.add_logs(transaction, lines(10))
    assert [await forget(database, before=NOON + timedelta(hours=1), at_once=4) for _ in range(4)] == [4, 4, 2, 0]


async def test_a_number_of_rows_is_a_bound_whatever_their_age(database):
    async with database.begin() as transaction:
        await writing.add_logs(transaction, lines(10))
    assert [await forget(database, before=LONG_AGO, most_rows=3, at_once=4) for _ in range(3)] == [4, 3, 0]
    assert await count(database) == 3


async def test_nothing_is_forgotten_of_an_empty_history(database):
    assert await forget(database, before=NOON, most_rows=1) == 0
