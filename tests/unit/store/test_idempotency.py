from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evcharging.store import idempotency
from evcharging.store.database import Database
from evcharging.store.idempotency import Claim, Completed, Mine, Open, OtherRequest
from evcharging.store.simulator.tables import idempotency_keys
from tests.support.databases import migrated_sqlite

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ANSWER = Completed(202, [("content-type", "application/json")], b'{"command_id":"c-1"}')


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await migrated_sqlite(tmp_path / "simulator.db")
    yield database
    await database.close()


async def claim(
    database: Database, key: str = "k", *, route: str = "POST /a", request_hash: str = "h", now: datetime = NOON
) -> Claim:
    async with database.begin() as transaction:
        return await idempotency.claim(
            transaction, idempotency_keys, key=key, route=route, request_hash=request_hash, now=now
        )


async def complete(database: Database, key: str = "k") -> None:
    async with database.begin() as transaction:
        await idempotency.complete(transaction, idempotency_keys, key=key, response=ANSWER)


async def test_a_free_key_is_given_once(database):
    assert await claim(database) == Mine()
    assert await claim(database) == Open(NOON)


async def test_of_many_who_claim_at_once_one_gets_it(database):
    claims = await asyncio.gather(*(claim(database) for _ in range(8)))
    assert claims.count(Mine()) == 1


async def test_a_completed_key_gives_its_answer_again(database):
    await claim(database)
    await complete(database)
    assert await claim(database) == ANSWER


@pytest.mark.parametrize("other", [{"route": "POST /b"}, {"request_hash": "x"}])
async def test_a_key_serves_one_request_only(database, other):
    await claim(database)
    await complete(database)
    assert await claim(database, **other) == OtherRequest("POST /a")


async def test_a_released_key_is_free_again_but_a_completed_one_is_not(database):
    for key in ("k", "done"):
        await claim(database, key)
    await complete(database, "done")
    async with database.begin() as transaction:
        for key in ("k", "done"):
            await idempotency.release(transaction, idempotency_keys, key=key)
    assert await claim(database) == Mine()
    assert await claim(database, "done") == ANSWER


async def test_old_keys_are_forgotten(database):
    await claim(database, "old")
    await claim(database, "new", now=NOON + timedelta(hours=1))
    async with database.begin() as transaction:
        assert await idempotency.forget_before(transaction, idempotency_keys, NOON + timedelta(minutes=1)) == 1
    assert await claim(database, "old") == Mine()
    assert await claim(database, "new") == Open(NOON + timedelta(hours=1))
