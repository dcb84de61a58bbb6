"""Hashes stations' passwords with argon2id. A password never leaves this module but as its hash."""

from __future__ import annotations

import asyncio

import argon2
from pydantic import SecretStr

__all__ = ["hashed"]

AT_ONCE = 2
"""A hash takes some 40 ms of one core and 19 MiB on purpose."""

_hasher = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""argon2id as OWASP's password storage cheat sheet has it. OCPP's passwords are keys of 16 characters and more, and a
gateway verifies each of them once: the library's defaults take six times as long, minutes for a thousand stations."""
_slots = asyncio.Semaphore(AT_ONCE)


async def hashed(password: SecretStr) -> str:
    """The password as gateways verify it; made in a thread, so that others are served meanwhile."""
    async with _slots:
        return await asyncio.to_thread(_hasher.hash, password.get_secret_value())
