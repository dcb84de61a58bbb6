"""Hashes stations' passwords with argon2id. A password never leaves this module but as its hash."""

from __future__ import annotations

import asyncio

import argon2
from pydantic import SecretStr

__all__ = ["hashed"]

AT_ONCE = 2
"""A hash takes about 0.1 s and 64 MiB on purpose."""

_hasher = argon2.PasswordHasher()
_slots = asyncio.Semaphore(AT_ONCE)


async def hashed(password: SecretStr) -> str:
    """The password as gateways verify it; made in a thread, so that others are served meanwhile."""
    async with _slots:
        return await asyncio.to_thread(_hasher.hash, password.get_secret_value())
