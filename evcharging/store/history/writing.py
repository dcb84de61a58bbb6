"""Adds rows to the history within a transaction, and forgets old ones piece by piece. Knows no rule of the business."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Table, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.messages.charge_points import Alert
from evcharging.store.history import tables
from evcharging.store.history.rows import FrameRow, LogRow, SnapshotRow

__all__ = ["add_alerts", "add_frames", "add_logs", "add_snapshots", "forget"]

CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""What no line of a log is better for, and what PostgreSQL does not take in a text."""
ALERT_SAYS = ("ts", "kind", "severity", "detail", "detector", "started_at", "ended_at", "source")


async def add_logs(transaction: AsyncConnection, rows: Sequence[LogRow]) -> None:
    """Add lines of logs, in order."""
    if rows:
        values = [{"station_id": row.station_id, "ts": row.ts, "line": _text(row.line)} for row in rows]
        await transaction.execute(tables.station_logs.insert(), values)


async def add_snapshots(transaction: AsyncConnection, rows: Sequence[SnapshotRow]) -> None:
    """Add snapshots. Of two of a station at the same moment, which two copies of Central may take, the first stays."""
    if rows:
        insert = _insert(transaction, tables.snapshots)
        values = [{"station_id": row.station_id, "ts": row.ts, "kw": row.kw, "kwh": row.kwh} for row in rows]
        await transaction.execute(insert.on_conflict_do_nothing(index_elements=["station_id", "ts"]), values)


async def add_alerts(transaction: AsyncConnection, alerts: Sequence[Alert]) -> None:
    """Add alerts; one that is there already is brought up to date, unless what comes is older."""
    if not alerts:
        return
    table = tables.alerts
    insert = _insert(transaction, table)
    statement = insert.on_conflict_do_update(
        index_elements=["alert_id"],
        set_={name: insert.excluded[name] for name in ALERT_SAYS},
        where=table.c.ts <= insert.excluded.ts,
    )
    await transaction.execute(statement, [_alert(alert) for alert in alerts])


async def add_frames(transaction: AsyncConnection, rows: Sequence[FrameRow]) -> None:
    """Add frames, in order."""
    if rows:
        await transaction.execute(tables.frames.insert(), [_frame(row) for row in rows])


async def forget(transaction: AsyncConnection, table: Table, *, before: datetime, most_rows: int, at_once: int) -> int:
    """Drop the oldest rows: those from before a moment, and what is over a number of rows; ``at_once`` at most.

    Returns:
        How many were dropped; as many as ``at_once`` says that there may be more.
    """
    oldest = select(table.c.row_id, table.c.ts).order_by(table.c.row_id).limit(at_once).subquery()
    last_aged = select(func.max(oldest.c.row_id)).where(oldest.c.ts < before)
    last_oldest = select(func.max(oldest.c.row_id))
    highest = select(func.max(table.c.row_id))
    aged = (await transaction.execute(last_aged)).scalar() or 0
    top = (await transaction.execute(highest)).scalar() or 0
    if top - most_rows > aged:
        aged = min(top - most_rows, (await transaction.execute(last_oldest)).scalar() or 0)
    if aged <= 0:
        return 0
    result = await transaction.execute(delete(table).where(table.c.row_id <= aged))
    return result.rowcount


def _insert(transaction: AsyncConnection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if transaction.dialect.name == "postgresql" else sqlite.insert(table)


def _alert(alert: Alert) -> dict[str, object]:
    return {
        "alert_id": _text(alert.alert_id)[:120],
        "cp_id": alert.cp_id,
        "ts": alert.ts,
        "kind": _text(alert.kind),
        "severity": alert.severity.value,
        "detail": _optional(alert.detail),
        "detector": _optional(alert.detector),
        "started_at": alert.started_at,
        "ended_at": alert.ended_at,
        "source": alert.source,
    }


def _frame(row: FrameRow) -> dict[str, object]:
    return {
        "cp_id": row.cp_id,
        "ts": row.ts,
        "direction": row.direction,
        "message_type": row.message_type,
        "action": _optional(row.action),
        "message_id": _optional(row.message_id),
        "frame": json.dumps(row.frame, separators=(",", ":")),  # in ASCII, so that any text survives
    }


def _text(text: str) -> str:
    return CONTROL.sub(" ", text)


def _optional(text: str | None) -> str | None:
    return None if text is None else _text(text)
