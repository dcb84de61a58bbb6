"""Passwords by argon2 once, by a keyed hash afterwards."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
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


async def test_a_station_that_hangs_up_meanwhile_finds_the_answer_when_it_comes_again(checker: PasswordChecker) -> None:
    counted = checker._hasher = Counted()  # type: ignore[assignment]
    first = asyncio.ensure_future(awaited(checker.check("CP-001", HASH, b"right")))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    again = asyncio.ensure_future(awaited(checker.check("CP-001", HASH, b"right")))
    await asyncio.sleep(0)
    assert not again.done(), "it waits for the same verification"
    counted.may_end.set()
    assert await again
    assert checker.check("CP-001", HASH, b"right") is True
    assert counted.verified == 1


async def test_what_nobody_waits_for_any_more_is_known_all_the_same(checker: PasswordChecker) -> None:
    counted = checker._hasher = Counted()  # type: ignore[assignment]
    first = asyncio.ensure_future(awaited(checker.check("CP-001", HASH, b"right")))
    await asyncio.sleep(0)
    first.cancel()
    counted.may_end.set()
    async with asyncio.timeout(20):
        while "CP-001" in checker._under_way:
            await asyncio.sleep(0.005)
    assert checker.check("CP-001", HASH, b"right") is True
    assert counted.verified == 1


class Counted:
    """A hasher that counts, and is done when it may be."""

    def __init__(self) -> None:
        self.verified = 0
        self.may_end = threading.Event()

    def verify(self, _hash: str, _password: bytes) -> bool:
        self.verified += 1
        return self.may_end.wait(20)


async def test_a_storm_of_first_logins_is_verified_by_as_many_threads_as_are_given() -> None:
    checker = PasswordChecker(threads=3)
    meeting = threading.Barrier(3)
    checker._hasher = Meeting(meeting)  # type: ignore[assignment]
    try:
        stations = [f"CP-{number}" for number in range(3)]
        answers = [awaited(checker.check(cp_id, HASH, b"right")) for cp_id in stations]
        assert await asyncio.wait_for(asyncio.gather(*answers), 20) == [True, True, True]
    finally:
        checker.close()


class Meeting:
    """A hasher that is done once as many verify as are to meet."""

    def __init__(self, meeting: threading.Barrier) -> None:
        self._meeting = meeting

    def verify(self, _hash: str, _password: bytes) -> bool:
        self._meeting.wait(20)
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="priorities are kept by thread on Linux only")
async def test_verifying_gives_way_to_what_the_gateway_does_beside_it(checker: PasswordChecker) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    theirs = await asyncio.wrap_future(
        checker._threads.submit(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    )
    assert theirs == min(own + 10, 19) or theirs == 10
    assert os.getpriority(os.PRIO_PROCESS, 0) == own
