"""Starts that stations were asked for, until transactions come from them. Knows no rule of the business."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.store.gateway import tables
from evcharging.store.many import among, parts
from evcharging.store.upsert import insert_into

__all__ = [
    "RemoteStartRow",
    "add_remote_start",
    "answered_starts",
    "consume_starts",
    "find_remote_start",
    "waiting_starts",
    "withdraw_remote_start",
]


@dataclass(slots=True, kw_only=True)
class RemoteStartRow:
    """A start that a station was asked for and that it has not begun yet."""

    remote_start_id: int
    command_id: str
    cp_id: str
    connector_id: int | None
    id_tag: str
    session_id: str
    driver_id: str | None
    target_wh: Decimal | None
    created_at: datetime
    expires_at: datetime
    stop_requested: str | None = None
    consumed_at: datetime | None = None


async def add_remote_start(transaction: AsyncConnection, row: RemoteStartRow) -> bool:
    """Note a start before the station is asked for it; False where its number is taken, or its command known."""
    result = await transaction.execute(
        insert_into(tables.remote_starts, transaction.dialect.name)
        .values(**asdict(row))
        .on_conflict_do_nothing()
        .returning(tables.remote_starts.c.remote_start_id)
    )
    return result.scalar() is not None


async def waiting_starts(transaction: AsyncConnection, cp_ids: Sequence[str]) -> dict[str, list[RemoteStartRow]]:
    """The starts that no transaction has come from yet, by charge point, oldest first."""
    columns = tables.remote_starts.c
    waiting: dict[str, list[RemoteStartRow]] = {}
    for part in parts(cp_ids):
        statement = select(tables.remote_starts).where(
            among(transaction, columns.cp_id, part), columns.consumed_at.is_(None)
        )
        for found in (await transaction.execute(statement.order_by(columns.created_at))).mappings():
            waiting.setdefault(found["cp_id"], []).append(RemoteStartRow(**found))
    return waiting


async def answered_starts(
    transaction: AsyncConnection, cp_id: str, connector_id: int, *, now: datetime
) -> list[RemoteStartRow]:
    """The starts that a station was asked for on one connector, whose answer is stored, and that still hold."""
    columns, orders = tables.remote_starts.c, tables.commands.c
    result = await transaction.execute(
        select(tables.remote_starts)
        .join(tables.commands, orders.command_id == columns.command_id)
        .where(columns.cp_id == cp_id, columns.connector_id == connector_id)
        .where(columns.consumed_at.is_(None), columns.expires_at > now, orders.outcome.is_not(None))
        .order_by(columns.created_at)
    )
    return [RemoteStartRow(**found) for found in result.mappings()]


async def consume_starts(transaction: AsyncConnection, numbers: Sequence[int], now: datetime) -> None:
    """Note that transactions have come from these starts, or that none will."""
    columns = tables.remote_starts.c
    if numbers:
        await transaction.execute(
            update(tables.remote_starts).where(columns.remote_start_id.in_(numbers)).values(consumed_at=now)
        )


async def find_remote_start(transaction: AsyncConnection, session_id: str) -> RemoteStartRow | None:
    """The start of that session which no transaction has come from yet."""
    columns = tables.remote_starts.c
    result = await transaction.execute(
        select(tables.remote_starts).where(columns.session_id == session_id).where(columns.consumed_at.is_(None))
    )
    found = result.mappings().first()
    return None if found is None else RemoteStartRow(**found)


async def withdraw_remote_start(
    transaction: AsyncConnection, remote_start_id: int, *, stop_requested: str | None, now: datetime
) -> None:
    """Take back a start: as if it never was, or, with a reason to stop, as one that must end when it begins."""
    values: dict[str, Any] = {"consumed_at": now} if stop_requested is None else {"stop_requested": stop_requested}
    await transaction.execute(
        update(tables.remote_starts).where(tables.remote_starts.c.remote_start_id == remote_start_id).values(**values)
    )
