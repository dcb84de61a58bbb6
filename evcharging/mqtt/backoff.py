"""How long to wait between attempts to connect. Pure: the generator is passed in."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

__all__ = ["Backoff"]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between attempts: doubled from ``first_s`` up to ``most_s``, each cut by up to a half by chance."""

    first_s: float = 0.5
    most_s: float = 30.0

    def pause_s(self, attempt: int, random: Random) -> float:
        """The pause after the ``attempt``-th failure in a row, counted from 0."""
        return min(self.most_s, self.first_s * 2.0 ** min(attempt, 32)) * random.uniform(0.5, 1.0)
