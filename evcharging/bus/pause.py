"""How long to wait before a thing is tried again: longer each time, never quite the same, short again after a calm."""

from __future__ import annotations

import random
from collections.abc import Callable

__all__ = ["GrowingPause"]


class GrowingPause:
    """Pauses that double from ``first_s`` to ``longest_s``, and begin anew when the last was ``calm_s`` ago.

    Each is cut by chance to between half and all of its length, so that several who wait do not come back together.
    """

    def __init__(
        self,
        *,
        first_s: float,
        longest_s: float,
        calm_s: float,
        monotonic: Callable[[], float],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._calm_s = calm_s
        self._monotonic = monotonic
        self._chance = chance
        self._next_s = first_s
        self._over_at = monotonic()

    def begin(self) -> None:
        """Begin the next pause."""
        now = self._monotonic()
        if now - self._over_at > self._calm_s:
            self._next_s = self._first_s
        self._over_at = now + self._next_s * (1 + self._chance()) / 2
        self._next_s = min(self._next_s * 2, self._longest_s)

    def left_s(self) -> float:
        """What is left of the pause; 0 when it is over or none was begun."""
        return max(self._over_at - self._monotonic(), 0.0)
