"""Verifies stations' passwords: by argon2 at first use, by a keyed hash in memory afterwards. Never logs or keeps one.

argon2 takes about 0.1 s on purpose, so that it runs in threads, two at a time, for one attempt a station; what waits is
bounded. The keyed hash (BLAKE2b under a key of this process's own) takes microseconds, so that a storm of stations that
come back is let in at once, and one that keeps sending a wrong password costs nothing after the first time.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import argon2
import structlog

__all__ = ["PasswordChecker", "TooManyAttempts"]

log = structlog.get_logger()

THREADS: Final = 2
MOST_WAITING: Final = 4096


class TooManyAttempts(Exception):
    """Too much waits to be verified, or this station's last attempt still does. It should come again a little later."""


class PasswordChecker:
    """Remembers of each station the one password that fitted, as a keyed hash, and the last that did not."""

    def __init__(self, *, most_waiting: int = MOST_WAITING) -> None:
        self._key = secrets.token_bytes(32)
        self._right: dict[str, tuple[str, bytes]] = {}
        self._wrong: dict[str, tuple[str, bytes]] = {}
        self._under_way: set[str] = set()
        self._most_waiting = most_waiting
        self._hasher = argon2.PasswordHasher()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")

    def check(self, cp_id: str, password_hash: str, password: bytes) -> bool | Awaitable[bool]:
        """Whether ``password`` is what ``password_hash`` (argon2) was made from; the answer is at hand after first use.

        Raises:
            TooManyAttempts: not now.
        """
        told = (password_hash, hashlib.blake2b(password, key=self._key).digest())
        right = self._right.get(cp_id)
        if right is not None and right[0] == password_hash:
            return hmac.compare_digest(right[1], told[1])
        wrong = self._wrong.get(cp_id)
        if wrong is not None and wrong[0] == password_hash and hmac.compare_digest(wrong[1], told[1]):
            return False
        if cp_id in self._under_way or len(self._under_way) >= self._most_waiting:
            raise TooManyAttempts
        self._under_way.add(cp_id)
        return self._verify(cp_id, told, password)

    def close(self) -> None:
        """Forget what waits; what runs ends on its own."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _verify(self, cp_id: str, told: tuple[str, bytes], password: bytes) -> bool:
        try:
            loop = asyncio.get_running_loop()
            fits = await loop.run_in_executor(self._threads, self._verify_in_thread, cp_id, told[0], password)
        finally:
            self._under_way.discard(cp_id)
        if fits:
            self._right[cp_id] = told
            self._wrong.pop(cp_id, None)
        else:
            self._wrong[cp_id] = told
        return fits

    def _verify_in_thread(self, cp_id: str, password_hash: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except argon2.exceptions.VerifyMismatchError:
            return False
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            log.error("a station's password hash is no argon2 hash: register it again", cp_id=cp_id)  # noqa: TRY400
            return False
