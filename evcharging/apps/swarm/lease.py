"""Whether this process may act for its stations now. Pure but for the clock that is passed in.

A process that stood still (stopped, or swapped out) may have lost its partitions without knowing. Its first act on
waking must not be a frame in a name that is another's: so the lease is looked at before every frame, and it has run
out by itself unless it was renewed a moment ago.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

__all__ = ["LASTS_S", "TICK_S", "Lease", "clock_that_counts_sleep"]

TICK_S: Final = 0.25
LASTS_S: Final = 3.5
"""Under Kafka's session timeout (6 s) less the time between two heartbeats (2 s), with half a second to spare."""


def clock_that_counts_sleep() -> float:
    """Seconds that go on while the machine is suspended, where the system has such a clock."""
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot_time is None else time.clock_gettime(boot_time)


class Lease:
    """Held from the start; lost by standing still; held again when `grant` says so.

    Args:
        clock: seconds that never go back.
        lasts_s: how long it holds without being renewed.
    """

    __slots__ = ("_clock", "_granted", "_lasts_s", "_renewed_at")

    def __init__(self, clock: Callable[[], float] = clock_that_counts_sleep, *, lasts_s: float = LASTS_S) -> None:
        self._clock = clock
        self._lasts_s = lasts_s
        self._renewed_at = clock()
        self._granted = True

    @property
    def held(self) -> bool:
        """Whether it is held at this moment."""
        return self._granted and self._clock() - self._renewed_at < self._lasts_s

    def renew(self) -> float:
        """Say that the process runs. Returns the seconds it stood still, where that cost it the lease; else 0."""
        now = self._clock()
        gap_s = now - self._renewed_at
        self._renewed_at = now
        if gap_s < self._lasts_s:
            return 0.0
        self._granted = False
        return gap_s

    def grant(self) -> None:
        """Hold it again: the partitions are known to be this worker's."""
        self._granted = True
