"""What was handled is known, and what is to be published is not forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evcharging.messages.charge_points import Health
from evcharging.messages.envelope import Event
from evcharging.messages.topics import HEALTH
from evcharging.store import inbox, outbox
from evcharging.store.database import Database
from evcharging.store.simulator import tables
from tests.support.databases import migrated_sqlite

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await migrated_sqlite(tmp_path / "simulator.db")
    yield database
    await database.close()


def event(event_id: str) -> Event[Health]:
    return Event(HEALTH, Health(ts=NOW, cp_id="CP-001", healthy=True), event_id, "test")


async def test_a_message_is_fresh_once(database: Database) -> None:
    async with database.begin() as transaction:
        assert await inbox.take(transaction, tables.inbox, ["a", "b", "a"], NOW) == {"a", "b"}
    async with database.begin() as transaction:
        assert await inbox.take(transaction, tables.inbox, ["b", "c"], NOW) == {"c"}


async def test_more_messages_than_a_statement_holds_are_taken(database: Database) -> None:
    ids = [str(number) for number in range(1234)]
    async with database.begin() as transaction:
        assert await inbox.take(transaction, tables.inbox, ids, NOW) == set(ids)


async def test_old_entries_are_forgotten(database: Database) -> None:
    async with database.begin() as transaction:
        await inbox.take(transaction, tables.inbox, ["old"], NOW - timedelta(days=8))
        await inbox.take(transaction, tables.inbox, ["new"], NOW)
        assert await inbox.forget_before(transaction, tables.inbox, NOW - timedelta(days=7)) == 1


async def test_events_wait_in_order_until_they_are_marked(database: Database) -> None:
    async with database.begin() as transaction:
        events = [event(str(number)) for number in range(250)]
        written = await outbox.enqueue(transaction, tables.outbox, events, owner="a", now=NOW)
        await outbox.mark_published(transaction, tables.outbox, [written[0].outbox_id], NOW)
        waiting = await outbox.waiting(transaction, tables.outbox, owner="a", orphaned_before=NOW, limit=1000)
    assert [row.event.id for row in written] == [str(number) for number in range(250)]
    assert [row.event.id for row in waiting] == [str(number) for number in range(1, 250)]
    assert waiting[0].event.message == events[1].message


async def test_an_event_that_is_there_is_not_written_again(database: Database) -> None:
    async with database.begin() as transaction:
        await outbox.enqueue(transaction, tables.outbox, [event("1")], owner="a", now=NOW)
        assert await outbox.enqueue(transaction, tables.outbox, [event("1")], owner="a", now=NOW) == []


async def test_another_copys_events_are_adopted_after_a_while(database: Database) -> None:
    async with database.begin() as transaction:
        await outbox.enqueue(transaction, tables.outbox, [event("1")], owner="gone", now=NOW)
        early = await outbox.waiting(transaction, tables.outbox, owner="me", orphaned_before=NOW, limit=9)
        late = NOW + timedelta(seconds=1)
        adopted = await outbox.waiting(transaction, tables.outbox, owner="me", orphaned_before=late, limit=9)
    assert (len(early), len(adopted)) == (0, 1)
