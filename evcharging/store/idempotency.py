"""Which writes over HTTP were asked for already, and how they were answered.

A key is claimed in a transaction of its own before the work begins and completed after it. A claim that was never
completed (its process died in between) stays open: whether the work was done cannot be known here, so nobody may do it
again under the same key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Table, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.store.upsert import insert_into

__all__ = ["Claim", "Completed", "Mine", "Open", "OtherRequest", "claim", "complete", "forget_before", "release"]


@dataclass(frozen=True, slots=True)
class Mine:
    """The key was free: do the work, then `complete` or `release`."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The same request was answered like this."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


@dataclass(frozen=True, slots=True)
class Open:
    """The same request is being carried out, or was when its process died."""

    since: datetime


@dataclass(frozen=True, slots=True)
class OtherRequest:
    """The key belongs to another request."""

    route: str


Claim = Mine | Completed | Open | OtherRequest


async def claim(
    transaction: AsyncConnection, table: Table, *, key: str, route: str, request_hash: str, now: datetime
) -> Claim:
    """Take ``key`` for a request, or learn what became of it. Of two who claim it at once, one gets `Mine`."""
    insert = insert_into(table, transaction.dialect.name)
    entered = await transaction.execute(
        insert.values(key=key, route=route, request_hash=request_hash, created_at=now)
        .on_conflict_do_nothing(index_elements=["key"])
        .returning(table.c.key)
    )
    if entered.scalar() is not None:
        return Mine()
    row = (await transaction.execute(select(table).where(table.c.key == key))).mappings().one()
    if (row["route"], row["request_hash"]) != (route, request_hash):
        return OtherRequest(row["route"])
    if row["status"] is None:
        return Open(row["created_at"])
    return Completed(row["status"], [(name, value) for name, value in row["headers"] or []], row["body"] or b"")


async def complete(transaction: AsyncConnection, table: Table, *, key: str, response: Completed) -> None:
    """Keep the answer for whoever asks again."""
    await transaction.execute(
        update(table)
        .where(table.c.key == key)
        .values(
            status=response.status,
            headers=[[name, value] for name, value in response.headers],
            body=response.body,
        )
    )


async def release(transaction: AsyncConnection, table: Table, *, key: str) -> None:
    """Give up a claim whose work had no effect: the key is free again."""
    await transaction.execute(delete(table).where(table.c.key == key).where(table.c.status.is_(None)))


async def forget_before(transaction: AsyncConnection, table: Table, moment: datetime) -> int:
    """Drop keys claimed before ``moment``. Returns how many."""
    result = await transaction.execute(delete(table).where(table.c.created_at < moment))
    return result.rowcount
