"""Sessions as readers see them: one record each, newest first, in pages; and their totals."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Generic, TypeVar

from sqlalchemy import Integer, Numeric, RowMapping, bindparam, cast, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.domain.energy import WH_PER_KWH
from evcharging.domain.money import currency, round_money
from evcharging.store.simulator.session_totals import ACTIVE, KEPT, billed
from evcharging.store.simulator.tables import sessions

__all__ = ["InvalidCursor", "Page", "SessionRecord", "Totals", "find_session", "list_sessions", "sum_up"]

T = TypeVar("T")
KWH_DIGITS = Decimal("0.001")
RUNNING = (
    select(
        sessions.c.currency,
        func.sum(cast(sessions.c.energy_wh, Numeric(24, 3))),
        func.sum(func.round(cast(sessions.c.cost, Numeric(24, 9)), bindparam("digits", type_=Integer))),
    )
    .where(sessions.c.status == ACTIVE)
    .group_by(sessions.c.currency)
)


class InvalidCursor(ValueError):
    """A cursor that no page ever gave."""


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One session: energy in kWh by source, cost rounded to its currency's minor unit."""

    session_id: str
    request_id: str
    cp_id: str
    connector_id: int
    driver_id: str
    status: str
    reason: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    kwh: Decimal
    solar_kwh: Decimal
    grid_kwh: Decimal
    cost: Decimal
    currency: str
    source: str
    intervals: int
    missing_intervals: int
    register_start_wh: Decimal | None
    register_end_wh: Decimal | None
    amended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list, and the cursor of what follows (None: nothing does)."""

    items: Sequence[T]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Energy over all sessions, earnings over those in one currency."""

    energy_kwh: Decimal
    earnings: Decimal
    currency: str


async def find_session(transaction: AsyncConnection, session_id: str) -> SessionRecord | None:
    """The session of that id, if there is one."""
    result = await transaction.execute(select(sessions).where(sessions.c.session_id == session_id))
    row = result.mappings().one_or_none()
    return None if row is None else _record(row)


async def list_sessions(
    transaction: AsyncConnection,
    *,
    cp_id: str | None = None,
    driver_id: str | None = None,
    status: str | None = None,
    limit: int,
    cursor: str | None = None,
) -> Page[SessionRecord]:
    """Sessions, newest first; sessions that begin while pages are read do not shift them.

    Raises:
        InvalidCursor: ``cursor`` came from nowhere.
    """
    statement = select(sessions).order_by(sessions.c.created_at.desc(), sessions.c.session_id.desc())
    if cp_id is not None:
        statement = statement.where(sessions.c.cp_id == cp_id)
    if driver_id is not None:
        statement = statement.where(sessions.c.driver_id == driver_id)
    if status is not None:
        statement = statement.where(sessions.c.status == status)
    if cursor is not None:
        created_at, session_id = _position(cursor)
        statement = statement.where(
            tuple_(sessions.c.created_at, sessions.c.session_id) < tuple_(created_at, session_id)
        )
    rows = (await transaction.execute(statement.limit(limit + 1))).mappings().all()
    items = [_record(row) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(items, _cursor(items[-1].created_at, items[-1].session_id) if more else None)


async def sum_up(transaction: AsyncConnection, currency_code: str) -> Totals:
    """What all sessions come to: earnings are the sum of the bills, each rounded for itself; kWh have three decimals.

    Of sessions that have ended that is kept, to the last digit. Those that run are added up by the database, which in
    SQLite does so in floating point.
    """
    total_wh = earned = Decimal(0)
    for kept in await transaction.execute(KEPT):
        total_wh += kept.energy_wh
        earned += kept.billed if kept.currency == currency_code else 0
    for code, energy_wh, bills in await transaction.execute(RUNNING, {"digits": currency(currency_code).minor_digits}):
        total_wh += Decimal(str(energy_wh))
        earned += Decimal(str(bills)) if code == currency_code else 0
    return Totals(
        (total_wh / WH_PER_KWH).quantize(KWH_DIGITS), round_money(earned, currency(currency_code)), currency_code
    )


def _record(row: RowMapping) -> SessionRecord:
    return SessionRecord(
        session_id=row["session_id"],
        request_id=row["request_id"],
        cp_id=row["cp_id"],
        connector_id=row["connector_id"],
        driver_id=row["driver_id"],
        status=row["status"],
        reason=row["reason"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        kwh=row["energy_wh"] / WH_PER_KWH,
        solar_kwh=row["solar_wh"] / WH_PER_KWH,
        grid_kwh=row["grid_wh"] / WH_PER_KWH,
        cost=billed(row["cost"], row["currency"]),
        currency=row["currency"],
        source=row["source"],
        intervals=row["last_seq"] - sum(stop - start for start, stop in row["missing_seqs"]),
        missing_intervals=sum(stop - start for start, stop in row["missing_seqs"]),
        register_start_wh=row["register_start_wh"],
        register_end_wh=row["register_end_wh"],
        amended_at=row["amended_at"],
    )


def _cursor(created_at: datetime, session_id: str) -> str:
    return base64.urlsafe_b64encode(f"{created_at.isoformat()}|{session_id}".encode()).decode()


def _position(cursor: str) -> tuple[datetime, str]:
    try:
        moment, _, session_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition("|")
        created_at = datetime.fromisoformat(moment)
    except (ValueError, binascii.Error):
        raise InvalidCursor(f"got {cursor[:60]!r}, expected the cursor that the page before gave") from None
    if created_at.tzinfo is None:
        raise InvalidCursor(f"got {cursor[:60]!r}, expected the cursor that the page before gave")
    return created_at, session_id
