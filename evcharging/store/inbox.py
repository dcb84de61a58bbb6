"""Which messages had their effect already. The unique index is the judge; no lock is taken."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache

from sqlalchemy import Table, delete
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from evcharging.store.upsert import insert_into

__all__ = ["forget_before", "take"]


async def take(transaction: AsyncConnection, inbox: Table, message_ids: Iterable[str], now: datetime) -> set[str]:
    """Enter ``message_ids`` and return those that were not there before: only these may have an effect.

    Two transactions that take the same id at once: the second waits for the first, then sees the id as known.
    """
    rows = [{"message_id": message_id, "received_at": now} for message_id in dict.fromkeys(message_ids)]
    if not rows:
        return set()
    result = await transaction.execute(_statement(inbox, transaction.dialect.name), rows)
    return set(result.scalars())


async def forget_before(transaction: AsyncConnection, inbox: Table, moment: datetime) -> int:
    """Drop entries older than any record the broker can still deliver again. Returns how many."""
    result = await transaction.execute(delete(inbox).where(inbox.c.received_at < moment))
    return result.rowcount


@cache
def _statement(inbox: Table, dialect: str) -> ReturningInsert[str]:
    """Made once a table; SQLAlchemy cuts many rows into as many statements as the database takes."""
    insert = insert_into(inbox, dialect)
    statement: ReturningInsert[str] = insert.on_conflict_do_nothing(index_elements=["message_id"]).returning(
        inbox.c.message_id
    )
    return statement
