from __future__ import annotations

from datetime import UTC, datetime, timedelta

from evcharging.messages.charge_points import Alert, Severity
from evcharging.store.history import reading, writing
from evcharging.store.history.rows import FrameRow, LogRow, SnapshotRow

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


async def test_pages_go_on_where_the_one_before_ended_whatever_is_added_meanwhile(database):
    async with database.begin() as transaction:
        rows = [LogRow(station_id="ST", ts=at(number), line=str(number)) for number in range(5)]
        await writing.add_logs(transaction, rows)
        first = await reading.logs(transaction, "ST", limit=2)
        await writing.add_logs(transaction, [LogRow(station_id="ST", ts=at(9), line="new")])
        then = await reading.logs(transaction, "ST", limit=9, before=first[-1].position)
    assert [row.line for row in (*first, *then)] == ["4", "3", "2", "1", "0"]


async def test_a_station_is_given_its_own_lines_only(database):
    async with database.begin() as transaction:
        await writing.add_logs(transaction, [LogRow(station_id=name, ts=NOON, line=name) for name in ("A", "B", "A")])
        assert [row.line for row in await reading.logs(transaction, "A", limit=9)] == ["A", "A"]
        assert await reading.logs(transaction, "C", limit=9) == []


async def test_a_time_takes_its_beginning_in_and_leaves_its_end_out(database):
    rows = [SnapshotRow(station_id="ST", ts=at(number), kw=number, kwh=0.1) for number in range(5)]
    async with database.begin() as transaction:
        await writing.add_snapshots(transaction, rows)
        found = await reading.snapshots(transaction, "ST", limit=9, since=at(1), until=at(3))
    assert [(row.ts, row.kw) for row in found] == [(at(2), 2.0), (at(1), 1.0)]


async def test_frames_come_newest_first_as_they_were(database):
    def frame(number: int, cp_id: str = "CP-001") -> FrameRow:
        return FrameRow(
            cp_id=cp_id,
            ts=at(number),
            direction="in" if number % 2 else "out",
            message_type=2,
            action="Heartbeat",
            message_id=str(number),
            frame=[2, str(number), "Heartbeat", {}],
        )

    async with database.begin() as transaction:
        await writing.add_frames(transaction, [frame(1), frame(2), frame(3, "CP-002"), frame(4)])
        found = await reading.frames(transaction, "CP-001", limit=2)
        rest = await reading.frames(transaction, "CP-001", limit=9, before=found[-1].position)
    assert [(row.direction, row.frame[1]) for row in (*found, *rest)] == [("out", "4"), ("out", "2"), ("in", "1")]


async def test_alerts_of_one_charge_point_or_of_all(database):
    def alert(alert_id: str, cp_id: str) -> Alert:
        return Alert(
            ts=NOON,
            alert_id=alert_id,
            cp_id=cp_id,
            kind="oscillation",
            severity=Severity.CRITICAL,
            started_at=NOON,
            ended_at=at(60),
            source="engine",
        )

    given = [alert("a", "CP-001"), alert("b", "CP-002"), alert("c", "CP-001")]
    async with database.begin() as transaction:
        await writing.add_alerts(transaction, given)
        everyone = await reading.alerts(transaction, limit=9)
        of_one = await reading.alerts(transaction, cp_id="CP-001", limit=1)
        rest = await reading.alerts(transaction, cp_id="CP-001", limit=9, before=of_one[-1][0])
    assert [kept for _, kept in everyone] == given[::-1]
    assert [kept.alert_id for _, kept in (*of_one, *rest)] == ["c", "a"]
