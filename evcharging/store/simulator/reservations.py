"""Drivers' reservations, within a transaction. Knows nothing of what charge points make of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import RowMapping, and_, bindparam, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.store.many import parts
from evcharging.store.simulator.rows import ReservationRow, ReservationStatus
from evcharging.store.simulator.tables import reservations

__all__ = ["add", "asked_by_commands", "lapsed", "of_request", "save", "standing_at"]

STANDING_AT = (
    select(reservations)
    .where(reservations.c.ended_at.is_(None))
    .where(reservations.c.cp_id.in_(bindparam("cp_ids", expanding=True)))
)


async def add(transaction: AsyncConnection, row: ReservationRow) -> ReservationRow:
    """Enter a reservation; it is given its ``reservation_id``."""
    values = _values(row)
    del values["reservation_id"]
    result = await transaction.execute(insert(reservations).values(values).returning(reservations.c.reservation_id))
    row.reservation_id = result.scalar_one()
    return row


async def save(transaction: AsyncConnection, row: ReservationRow) -> None:
    """Write where a reservation stands now."""
    await transaction.execute(
        update(reservations).where(reservations.c.reservation_id == row.reservation_id).values(_values(row))
    )


async def standing_at(transaction: AsyncConnection, cp_ids: Iterable[str]) -> list[ReservationRow]:
    """Reservations at those charge points that have not ended."""
    found: list[ReservationRow] = []
    for part in parts(cp_ids):
        result = await transaction.execute(STANDING_AT, {"cp_ids": part})
        found += [_row(row) for row in result.mappings()]
    return found


async def asked_by_commands(transaction: AsyncConnection, command_ids: Iterable[str]) -> dict[str, ReservationRow]:
    """The reservations that those commands asked for, by command id."""
    found: dict[str, ReservationRow] = {}
    for part in parts(command_ids):
        result = await transaction.execute(select(reservations).where(reservations.c.command_id.in_(part)))
        found.update({row["command_id"]: _row(row) for row in result.mappings()})
    return found


async def of_request(transaction: AsyncConnection, request_id: str) -> ReservationRow | None:
    """The reservation that a request asked for, if any."""
    result = await transaction.execute(select(reservations).where(reservations.c.request_id == request_id))
    row = result.mappings().one_or_none()
    return None if row is None else _row(row)


async def lapsed(transaction: AsyncConnection, now: datetime, *, asked_before: datetime) -> list[ReservationRow]:
    """Reservations whose time is over though nobody has noted it, or that were not answered in time."""
    unanswered = and_(
        reservations.c.status == ReservationStatus.REQUESTED.value, reservations.c.created_at <= asked_before
    )
    result = await transaction.execute(
        select(reservations)
        .where(reservations.c.ended_at.is_(None))
        .where(or_(reservations.c.expires_at <= now, unanswered))
    )
    return [_row(row) for row in result.mappings()]


def _values(row: ReservationRow) -> dict[str, object]:
    return {**asdict(row), "status": row.status.value}


def _row(row: RowMapping) -> ReservationRow:
    return ReservationRow(**{**row, "status": ReservationStatus(row["status"])})
