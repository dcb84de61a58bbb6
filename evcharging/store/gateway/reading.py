"""A charge point's transactions and reservations, as Central shows them: newest first, in pages. Never writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import RowMapping, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.store.gateway.records import ACTIVE, EXPIRED
from evcharging.store.gateway.tables import reservations, transactions

__all__ = ["ReservationRecord", "TransactionRecord", "reservations_of", "transactions_of"]


@dataclass(frozen=True, slots=True)
class TransactionRecord:
    """One transaction; ``transaction_id`` is a number in 1.6 and a text after it. Meter readings in Wh."""

    transaction_id: int | str
    connector_id: int
    id_tag: str | None
    meter_start_wh: Decimal | None
    meter_stop_wh: Decimal | None
    started_at: datetime | None
    stopped_at: datetime | None
    stop_reason: str | None
    session_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ReservationRecord:
    """One reservation; ``status`` is Active, Used, Cancelled or Expired."""

    reservation_id: int
    connector_id: int
    id_tag: str
    expires_at: datetime
    status: str
    created_at: datetime


async def transactions_of(
    reading: AsyncConnection, cp_id: str, *, before: tuple[datetime, str] | None = None, limit: int
) -> Sequence[TransactionRecord]:
    """Transactions by when the gateway heard of them; ``before`` is the last of the page before."""
    t = transactions
    statement = select(t).where(t.c.cp_id == cp_id).order_by(t.c.created_at.desc(), t.c.session_id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(tuple_(t.c.created_at, t.c.session_id) < tuple_(*before))
    return [_transaction(row) for row in (await reading.execute(statement)).mappings()]


async def reservations_of(
    reading: AsyncConnection,
    cp_id: str,
    *,
    now: datetime,
    before: tuple[datetime, int] | None = None,
    limit: int,
) -> Sequence[ReservationRecord]:
    """Reservations by when they were made; one that is active past its time is told as Expired."""
    r = reservations
    statement = (
        select(r).where(r.c.cp_id == cp_id).order_by(r.c.created_at.desc(), r.c.reservation_id.desc()).limit(limit)
    )
    if before is not None:
        statement = statement.where(tuple_(r.c.created_at, r.c.reservation_id) < tuple_(*before))
    return [_reservation(row, now) for row in (await reading.execute(statement)).mappings()]


def _transaction(row: RowMapping) -> TransactionRecord:
    return TransactionRecord(
        transaction_id=row["transaction_id"] if row["number"] is None else row["number"],
        connector_id=row["connector_id"],
        id_tag=row["id_tag"],
        meter_start_wh=row["meter_start_wh"],
        meter_stop_wh=row["meter_stop_wh"],
        started_at=row["started_at"],
        stopped_at=row["stopped_at"],
        stop_reason=row["stop_reason"],
        session_id=row["session_id"],
        created_at=row["created_at"],
    )


def _reservation(row: RowMapping, now: datetime) -> ReservationRecord:
    lapsed = row["status"] == ACTIVE and row["expires_at"] <= now
    return ReservationRecord(
        reservation_id=row["reservation_id"],
        connector_id=row["connector_id"],
        id_tag=row["id_tag"],
        expires_at=row["expires_at"],
        status=EXPIRED if lapsed else row["status"],
        created_at=row["created_at"],
    )
