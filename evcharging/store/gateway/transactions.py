"""Loads and saves transactions, and the remote starts they may come from. Knows no rule of the business."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import RowMapping, Update, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.store.gateway import tables
from evcharging.store.many import among, parts, write_rows
from evcharging.store.upsert import insert_into

__all__ = [
    "IntervalRow",
    "Standing",
    "TransactionRow",
    "change",
    "change_all",
    "charging_tags",
    "find_by_contents",
    "find_by_session",
    "find_by_wire_ids",
    "insert_all",
    "insert_new",
    "last_seqs",
    "list_transactions",
    "open_transactions",
    "save_intervals",
    "standings",
    "taken_numbers",
]


@dataclass(slots=True, kw_only=True)
class TransactionRow:
    """A transaction; see `tables.transactions` for what the fields mean. Energy in Wh."""

    session_id: str
    cp_id: str
    transaction_id: str
    content_key: str
    connector_id: int
    created_at: datetime
    number: int | None = None
    start_known: bool = True
    id_tag: str | None = None
    id_tag_status: str | None = None
    driver_id: str | None = None
    command_id: str | None = None
    reservation_id: int | None = None
    target_wh: Decimal | None = None
    meter_start_wh: Decimal | None = None
    meter_stop_wh: Decimal | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    stop_reason: str | None = None
    end_reason: str | None = None
    stop_id_tag: str | None = None
    transaction_data: list[Any] | None = None
    stop_requested: str | None = None
    closed_by_gateway: bool = False
    last_seq: int = 0
    register_wh: Decimal | None = None
    interval_wh: Decimal | None = None
    interval_start: datetime | None = None
    interval_end: datetime | None = None


class Standing(NamedTuple):
    """Where the metering of a transaction stands."""

    session_id: str
    last_seq: int
    meter_start_wh: Decimal | None
    register_wh: Decimal | None
    interval_end: datetime | None
    started_at: datetime | None
    stopped_at: datetime | None


class IntervalRow(NamedTuple):
    """What one more interval changes of a transaction."""

    session_id: str
    last_seq: int
    meter_start_wh: Decimal | None
    register_wh: Decimal | None
    interval_wh: Decimal
    interval_start: datetime
    interval_end: datetime


async def insert_new(transaction: AsyncConnection, row: TransactionRow) -> bool:
    """Enter a transaction; False where its session, its number or its content is there already."""
    result = await transaction.execute(
        insert_into(tables.transactions, transaction.dialect.name)
        .values(**_values(row))
        .on_conflict_do_nothing()
        .returning(tables.transactions.c.session_id)
    )
    return result.scalar() is not None


async def insert_all(transaction: AsyncConnection, rows: Sequence[TransactionRow]) -> None:
    """Enter transactions whose content and numbers were looked for before.

    Raises:
        sqlalchemy.exc.IntegrityError: one of them is there already after all; none is entered.
    """
    await write_rows(transaction, _INSERT, [_values(row) for row in rows])


async def find_by_contents(transaction: AsyncConnection, content_keys: Sequence[str]) -> dict[str, TransactionRow]:
    """The transactions that the same messages made before, by their content."""
    column = tables.transactions.c.content_key
    rows = [row for part in parts(content_keys) for row in await _all(transaction, among(transaction, column, part))]
    return {row.content_key: row for row in rows}


async def taken_numbers(transaction: AsyncConnection, numbers: Sequence[int]) -> set[int]:
    """Which of these numbers a transaction has."""
    column = tables.transactions.c.number
    return set((await transaction.execute(select(column).where(among(transaction, column, numbers)))).scalars())


async def find_by_session(transaction: AsyncConnection, session_id: str) -> TransactionRow | None:
    """The transaction of that session."""
    return await _one(transaction, tables.transactions.c.session_id == session_id)


async def find_by_wire_ids(
    transaction: AsyncConnection, names: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], TransactionRow]:
    """The newest transactions with a known start, by charge point and the id on its wire."""
    columns = tables.transactions.c
    found: dict[tuple[str, str], TransactionRow] = {}
    for part in parts(names):
        rows = await _all(
            transaction,
            among(transaction, columns.cp_id, list({cp_id for cp_id, _ in part}))
            & among(transaction, columns.transaction_id, list({wire_id for _, wire_id in part}))
            & columns.start_known.is_(True),
        )
        found |= {(row.cp_id, row.transaction_id): row for row in rows}
    wanted = set(names)
    return {name: row for name, row in found.items() if name in wanted}


async def open_transactions(transaction: AsyncConnection, cp_ids: Sequence[str] | None = None) -> list[TransactionRow]:
    """Transactions that have not ended, of some charge points or of all, oldest first."""
    columns = tables.transactions.c
    statement = select(tables.transactions).where(columns.stopped_at.is_(None)).order_by(columns.created_at)
    if cp_ids is None:
        return [_row(found) for found in (await transaction.execute(statement)).mappings()]
    rows: list[TransactionRow] = []
    for part in parts(cp_ids):
        result = await transaction.execute(statement.where(among(transaction, columns.cp_id, part)))
        rows += [_row(found) for found in result.mappings()]
    return rows


async def list_transactions(
    transaction: AsyncConnection, cp_id: str, *, limit: int = 100, before: datetime | None = None
) -> list[TransactionRow]:
    """A charge point's transactions, newest first; those entered before a moment, for the next page."""
    columns = tables.transactions.c
    statement = select(tables.transactions).where(columns.cp_id == cp_id)
    if before is not None:
        statement = statement.where(columns.created_at < before)
    result = await transaction.execute(statement.order_by(columns.created_at.desc()).limit(limit))
    return [_row(found) for found in result.mappings()]


async def charging_tags(transaction: AsyncConnection, id_tags: Sequence[str]) -> set[str]:
    """Which of these idTags an open transaction has, at any charge point; in small letters."""
    columns = tables.transactions.c
    result = await transaction.execute(
        select(func.lower(columns.id_tag))
        .where(columns.stopped_at.is_(None))
        .where(func.lower(columns.id_tag).in_({tag.lower() for tag in id_tags}))
    )
    return set(result.scalars())


async def change(transaction: AsyncConnection, session_id: str, values: Mapping[str, Any]) -> None:
    """Change some columns of a transaction."""
    await transaction.execute(
        update(tables.transactions).where(tables.transactions.c.session_id == session_id).values(**values)
    )


async def change_all(transaction: AsyncConnection, rows: Sequence[TransactionRow], names: Sequence[str]) -> None:
    """Write the same columns of many transactions."""
    values = [{"of_session": row.session_id, **{name: getattr(row, name) for name in names}} for row in rows]
    await write_rows(transaction, _update(tuple(names)), values)


async def last_seqs(transaction: AsyncConnection, session_ids: Sequence[str]) -> dict[str, int]:
    """The last interval of each of these sessions that has not ended."""
    columns = tables.transactions.c
    found: dict[str, int] = {}
    for part in parts(session_ids):
        statement = select(columns.session_id, columns.last_seq).where(among(transaction, columns.session_id, part))
        result = await transaction.execute(statement.where(columns.stopped_at.is_(None)))
        found.update((session_id, last_seq) for session_id, last_seq in result)
    return found


async def standings(transaction: AsyncConnection, session_ids: Sequence[str]) -> dict[str, Standing]:
    """Where the metering of these sessions stands, whichever gateway metered last."""
    columns = tables.transactions.c
    wanted = [columns[name] for name in Standing._fields]
    found: dict[str, Standing] = {}
    for part in parts(session_ids):
        for row in await transaction.execute(select(*wanted).where(among(transaction, columns.session_id, part))):
            found[row[0]] = Standing(*row)
    return found


async def save_intervals(transaction: AsyncConnection, rows: Sequence[IntervalRow]) -> None:
    """Move many transactions on by one interval each."""
    await write_rows(transaction, _SAVE_INTERVAL, [_renamed(row) for row in rows])


_METERED = IntervalRow._fields[1:]
_FIELDS = tuple(field.name for field in fields(TransactionRow))
_INSERT = insert(tables.transactions)


def _values(row: TransactionRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _FIELDS}


@cache
def _update(names: tuple[str, ...]) -> Update:
    return (
        update(tables.transactions)
        .where(tables.transactions.c.session_id == bindparam("of_session"))
        .values({name: bindparam(name) for name in names})
    )


_SAVE_INTERVAL = _update(_METERED)


def _renamed(row: IntervalRow) -> dict[str, Any]:
    return {"of_session": row.session_id, **dict(zip(_METERED, row[1:], strict=True))}


def _row(found: RowMapping) -> TransactionRow:
    return TransactionRow(**{name: found[name] for name in _FIELDS})


async def _one(transaction: AsyncConnection, condition: Any) -> TransactionRow | None:
    rows = await _all(transaction, condition)
    return rows[-1] if rows else None


async def _all(transaction: AsyncConnection, condition: Any) -> list[TransactionRow]:
    """Oldest first."""
    columns = tables.transactions.c
    result = await transaction.execute(
        select(tables.transactions).where(condition).order_by(columns.created_at, columns.session_id)
    )
    return [_row(found) for found in result.mappings()]
