"""The history in pages, newest first.

A page goes on where the one before ended (``before`` its last row's position), so that rows added meanwhile do not
shift it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.messages.charge_points import Alert
from evcharging.store.history import tables
from evcharging.store.history.rows import FrameRow, LogRow, SnapshotRow

__all__ = ["alert_position", "alerts", "frames", "logs", "snapshots"]


async def logs(
    transaction: AsyncConnection,
    station_id: str,
    *,
    limit: int,
    before: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[LogRow]:
    """Lines of a station's log that were written at ``since`` or later, and before ``until``."""
    table = tables.station_logs
    rows = await _page(transaction, table, table.c.station_id, station_id, limit, before, since, until)
    return [LogRow(station_id=r.station_id, ts=r.ts, line=r.line, position=r.row_id) for r in rows]


async def snapshots(
    transaction: AsyncConnection,
    station_id: str,
    *,
    limit: int,
    before: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[SnapshotRow]:
    """What a station drew, in the same time."""
    table = tables.snapshots
    rows = await _page(transaction, table, table.c.station_id, station_id, limit, before, since, until)
    return [SnapshotRow(station_id=r.station_id, ts=r.ts, kw=r.kw, kwh=r.kwh, position=r.row_id) for r in rows]


async def frames(transaction: AsyncConnection, cp_id: str, *, limit: int, before: int | None = None) -> list[FrameRow]:
    """Frames on a charge point's socket."""
    table = tables.frames
    return [
        FrameRow(
            cp_id=r.cp_id,
            ts=r.ts,
            direction=r.direction,
            message_type=r.message_type,
            action=r.action,
            message_id=r.message_id,
            frame=json.loads(r.frame),
            position=r.row_id,
        )
        for r in await _page(transaction, table, table.c.cp_id, cp_id, limit, before)
    ]


async def alerts(
    transaction: AsyncConnection, *, cp_id: str | None = None, limit: int, before: int | None = None
) -> list[tuple[int, Alert]]:
    """Alerts with their positions: of one charge point or of all."""
    table = tables.alerts
    rows = await _page(transaction, table, table.c.cp_id, cp_id, limit, before)
    return [
        (
            r.row_id,
            Alert(
                ts=r.ts,
                alert_id=r.alert_id,
                cp_id=r.cp_id,
                kind=r.kind,
                severity=r.severity,
                detail=r.detail,
                detector=r.detector,
                started_at=r.started_at,
                ended_at=r.ended_at,
                source=r.source,
            ),
        )
        for r in rows
    ]


async def alert_position(transaction: AsyncConnection, alert_id: str) -> int | None:
    """Where an alert is; None where it is not (or no longer) in the history."""
    table = tables.alerts
    return (await transaction.execute(select(table.c.row_id).where(table.c.alert_id == alert_id))).scalar()


async def _page(
    transaction: AsyncConnection,
    table: Table,
    column: Column[Any],
    of: str | None,
    limit: int,
    before: int | None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Sequence[Any]:
    statement = select(table).order_by(table.c.row_id.desc()).limit(limit)
    if of is not None:
        statement = statement.where(column == of)
    if before is not None:
        statement = statement.where(table.c.row_id < before)
    if since is not None:
        statement = statement.where(table.c.ts >= since)
    if until is not None:
        statement = statement.where(table.c.ts < until)
    return (await transaction.execute(statement)).all()
