"""Saying the same thing only so often: a limit for log lines that bad input could multiply."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["RateLimit"]


class RateLimit:
    """Admits so many a second; the rest is counted and told with the next one."""

    def __init__(self, *, per_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._interval_s = 1.0 / per_s
        self._monotonic = monotonic
        self._next_at = monotonic()
        self._unsaid = 0

    def admit(self) -> int | None:
        """How many were left out since the last one that was admitted, or ``None`` to leave this one out."""
        now = self._monotonic()
        if now < self._next_at:
            self._unsaid += 1
            return None
        self._next_at = now + self._interval_s
        unsaid, self._unsaid = self._unsaid, 0
        return unsaid
