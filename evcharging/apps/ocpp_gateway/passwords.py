"""Verifies stations' passwords: by argon2 at first use, by a keyed hash in memory afterwards. Never logs or keeps one.

argon2 is slow on purpose, so that it runs in threads, one a core, which give way to everything else the gateway does;
for one attempt a station, and what waits is bounded. A verification that has begun is brought to its end though its
station has hung up meanwhile: when it comes again, the answer is there, so that a storm of first logins gets through
however long it takes. The keyed hash (BLAKE2b under a key of this process's own) takes microseconds, so that a storm of
stations that come back is let in at once, and one that keeps sending a wrong password costs nothing after its first.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import os
import secrets
import threading
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import argon2
import structlog

__all__ = ["PasswordChecker", "TooManyAttempts"]

log = structlog.get_logger()

MOST_THREADS: Final = 16
"""A verification holds up to 64 MiB."""
NICENESS: Final = 10
MOST_WAITING: Final = 4096


class TooManyAttempts(Exception):
    """Too much waits to be verified, or this station's last attempt still does. It should come again a little later."""


class PasswordChecker:
    """Remembers of each station the one password that fitted, as a keyed hash, and the last that did not.

    Args:
        most_waiting: verifications that may wait or run.
        threads: that verify at once; the cores there are, where it is not given.
    """

    def __init__(self, *, most_waiting: int = MOST_WAITING, threads: int | None = None) -> None:
        self._key = secrets.token_bytes(32)
        self._right: dict[str, _Told] = {}
        self._wrong: dict[str, _Told] = {}
        self._under_way: dict[str, tuple[_Told, asyncio.Future[bool]]] = {}
        self._most_waiting = most_waiting
        self._hasher = argon2.PasswordHasher()
        self._threads = ThreadPoolExecutor(
            threads or _cores(), thread_name_prefix="argon2", initializer=_give_way_to_others
        )

    def check(self, cp_id: str, password_hash: str, password: bytes) -> bool | Awaitable[bool]:
        """Whether ``password`` is what ``password_hash`` (argon2) was made from; the answer is at hand after first use.

        Who stops waiting for the answer ends nothing: it is there at the next attempt with the same password.

        Raises:
            TooManyAttempts: not now.
        """
        told = _Told(password_hash, hashlib.blake2b(password, key=self._key).digest())
        right = self._right.get(cp_id)
        if right is not None and right.password_hash == password_hash:
            return hmac.compare_digest(right.digest, told.digest)
        if _same(self._wrong.get(cp_id), told):
            return False
        waiting = self._under_way.get(cp_id)
        if waiting is not None and _same(waiting[0], told):
            return asyncio.shield(waiting[1])
        if waiting is not None or len(self._under_way) >= self._most_waiting:
            raise TooManyAttempts
        return asyncio.shield(self._begin(cp_id, told, password))

    def close(self) -> None:
        """Forget what waits; what runs ends on its own."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _begin(self, cp_id: str, told: _Told, password: bytes) -> asyncio.Future[bool]:
        loop = asyncio.get_running_loop()
        verifying = loop.run_in_executor(self._threads, self._verify_in_thread, cp_id, told.password_hash, password)
        self._under_way[cp_id] = told, verifying

        def remember(done: asyncio.Future[bool]) -> None:
            del self._under_way[cp_id]
            if done.cancelled() or done.exception() is not None:
                return
            if done.result():
                self._right[cp_id] = told
                self._wrong.pop(cp_id, None)
            else:
                self._wrong[cp_id] = told

        verifying.add_done_callback(remember)
        return verifying

    def _verify_in_thread(self, cp_id: str, password_hash: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except argon2.exceptions.VerifyMismatchError:
            return False
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            log.error("a station's password hash is no argon2 hash: register it again", cp_id=cp_id)  # noqa: TRY400
            return False


class _Told(NamedTuple):
    """What a password was held to, and its keyed hash."""

    password_hash: str
    digest: bytes


def _same(known: _Told | None, told: _Told) -> bool:
    return (
        known is not None
        and known.password_hash == told.password_hash
        and hmac.compare_digest(known.digest, told.digest)
    )


def _cores() -> int:
    return max(1, min(len(os.sched_getaffinity(0)), MOST_THREADS)) if hasattr(os, "sched_getaffinity") else 2


def _give_way_to_others() -> None:
    """Linux keeps priorities by thread; argon2's own threads have that of the one that begins them."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
