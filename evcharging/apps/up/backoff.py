"""How long to wait before a service that ended is started again. Pure: the time is passed in."""

from __future__ import annotations

__all__ = ["Backoff"]

FIRST_S = 0.5
LONGEST_S = 15.0
STEADY_AFTER_S = 30.0


class Backoff:
    """Doubles from half a second to a quarter of a minute; a service that was up for 30 s begins anew."""

    def __init__(self) -> None:
        self._next_s = FIRST_S

    def delay_after(self, up_s: float) -> float:
        """Seconds to wait, for a service that ended after ``up_s`` seconds of being ready (0: it never was)."""
        if up_s >= STEADY_AFTER_S:
            self._next_s = FIRST_S
        delay_s = self._next_s
        self._next_s = min(LONGEST_S, delay_s * 2)
        return delay_s
