"""Passwords by argon2 once, by a keyed hash afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator

import argon2
import pytest

from evcharging.apps.ocpp_gateway.passwords import PasswordChecker, TooManyAttempts

HASHER = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HASH = HASHER.hash("right")


@pytest.fixture
def checker() -> Iterator[PasswordChecker]:
    made = PasswordChecker(most_waiting=2)
    yield made
    made.close()


async def test_the_first_use_takes_its_time_and_the_next_is_answered_at_once(checker: PasswordChecker) -> None:
    first = checker.check("CP-001", HASH, b"right")
    assert not isinstance(first, bool)
    assert await first

    assert checker.check("CP-001", HASH, b"right") is True
    assert checker.check("CP-001", HASH, b"wrong") is False


async def test_a_wrong_password_is_verified_once_and_then_known(checker: PasswordChecker) -> None:
    first = checker.check("CP-001", HASH, b"wrong")
    assert not isinstance(first, bool)
    assert not await first

    assert checker.check("CP-001", HASH, b"wrong") is False
    right = checker.check("CP-001", HASH, b"right")
    assert not isinstance(right, bool), "another password has to be verified"
    assert await right


async def test_a_new_hash_makes_what_was_known_worthless(checker: PasswordChecker) -> None:
    assert await awaited(checker.check("CP-001", HASH, b"right"))

    changed = checker.check("CP-001", HASHER.hash("changed"), b"right")

    assert not isinstance(changed, bool)
    assert not await changed


async def test_one_stations_password_lets_no_other_in(checker: PasswordChecker) -> None:
    assert await awaited(checker.check("CP-001", HASH, b"right"))

    assert not await awaited(checker.check("CP-002", HASHER.hash("other"), b"right"))


async def test_a_password_may_be_any_bytes(checker: PasswordChecker) -> None:
    key = bytes(range(20))

    assert await awaited(checker.check("CP-001", HASHER.hash(key), key))


async def test_one_attempt_a_station_and_so_many_in_all(checker: PasswordChecker) -> None:
    one = asyncio.ensure_future(awaited(checker.check("CP-001", HASH, b"right")))
    with pytest.raises(TooManyAttempts):
        checker.check("CP-001", HASH, b"guess")
    two = asyncio.ensure_future(awaited(checker.check("CP-002", HASH, b"right")))
    with pytest.raises(TooManyAttempts):
        checker.check("CP-003", HASH, b"right")

    assert await one
    assert await two
    assert await awaited(checker.check("CP-003", HASH, b"right")), "there is room again"


async def test_a_hash_that_is_none_fits_nothing(checker: PasswordChecker) -> None:
    assert not await awaited(checker.check("CP-001", "plain text", b"plain text"))


async def test_no_password_is_kept_where_it_could_be_read(checker: PasswordChecker) -> None:
    await awaited(checker.check("CP-001", HASHER.hash("pa55-w0rd"), b"pa55-w0rd"))

    assert "pa55-w0rd" not in repr(vars(checker))


async def awaited(answer: bool | Awaitable[bool]) -> bool:
    return answer if isinstance(answer, bool) else await answer
