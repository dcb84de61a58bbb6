"""What is to be published, written in the same transaction as the effect that causes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Table, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from evcharging.messages.envelope import Event
from evcharging.messages.topics import topic_named
from evcharging.store.many import parts
from evcharging.store.upsert import insert_into

__all__ = ["Waiting", "enqueue", "forget_before", "mark_published", "waiting"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row that was not published yet."""

    outbox_id: int
    event: Event[Any]


async def enqueue(
    transaction: AsyncConnection, outbox: Table, events: Sequence[Event[Any]], *, owner: str, now: datetime
) -> list[Waiting]:
    """Write ``events`` in order. An event whose id is there already is left out: it was, or will be, published.

    Returns:
        The rows that were written, in the order in which they must be published.
    """
    if not events:
        return []
    by_id = {event.id: event for event in events}
    rows = [
        {
            "event_id": event.id,
            "topic": event.topic.name,
            "body": event.body,
            "source": event.source,
            "traceparent": event.traceparent,
            "owner": owner,
            "created_at": now,
        }
        for event in events
    ]
    result = await transaction.execute(_statement(outbox, transaction.dialect.name), rows)
    written = [Waiting(outbox_id, by_id[event_id]) for outbox_id, event_id in result]
    return sorted(written, key=lambda row: row.outbox_id)


async def waiting(
    transaction: AsyncConnection, outbox: Table, *, owner: str, orphaned_before: datetime, limit: int
) -> list[Waiting]:
    """Rows not published yet, oldest first: our own, and those of a copy that has had time enough and did not."""
    result = await transaction.execute(
        select(outbox)
        .where(outbox.c.published_at.is_(None))
        .where((outbox.c.owner == owner) | (outbox.c.created_at < orphaned_before))
        .order_by(outbox.c.outbox_id)
        .limit(limit)
    )
    rows = []
    for row in result:
        topic = topic_named(row.topic)
        event = Event(topic, topic.model.from_json(row.body), row.event_id, row.source, row.traceparent)
        rows.append(Waiting(row.outbox_id, event))
    return rows


async def mark_published(transaction: AsyncConnection, outbox: Table, outbox_ids: Sequence[int], now: datetime) -> None:
    """Note that the broker has these. A crash before this point publishes them again, with the same ids."""
    for part in parts(outbox_ids):
        await transaction.execute(update(outbox).where(outbox.c.outbox_id.in_(part)).values(published_at=now))


async def forget_before(transaction: AsyncConnection, outbox: Table, moment: datetime) -> int:
    """Drop rows that were published before ``moment``. Returns how many."""
    result = await transaction.execute(delete(outbox).where(outbox.c.published_at < moment))
    return result.rowcount


@cache
def _statement(outbox: Table, dialect: str) -> ReturningInsert[int, str]:
    """Made once a table; SQLAlchemy cuts many rows into as many statements as the database takes, in their order."""
    insert = insert_into(outbox, dialect)
    statement: ReturningInsert[int, str] = insert.on_conflict_do_nothing(index_elements=["event_id"]).returning(
        outbox.c.outbox_id, outbox.c.event_id
    )
    return statement
