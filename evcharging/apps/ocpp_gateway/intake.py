"""Bounds what one station may send: a token bucket that holds messages back, and loses none.

While the bucket is empty the socket is not read, so that what a station sends too fast waits in its own network. A call
refused for its rate would be worse: chargers drop transaction messages that were answered with an error.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["Intake", "Outlet"]

SHORTEST_HOLD_S: Final = 0.02
ROUNDING_S: Final = 1e-6


class Outlet(Protocol):
    """Where messages go, and the socket that they come from."""

    def deliver(self, data: bytes) -> None:
        """A message's turn has come."""

    def pause_reading(self) -> None:
        """Read no more for now."""

    def resume_reading(self) -> None:
        """Read again."""

    def held_back(self) -> None:
        """Told each time that the station has to wait, for metrics."""


class Intake:
    """The bucket of one station.

    Args:
        outlet: see `Outlet`.
        per_s: messages a second in the long run; 0 lets everything through.
        burst: messages at once, after a quiet time.
        clock: seconds, monotonic.
    """

    __slots__ = ("_burst", "_clock", "_full_at", "_held", "_outlet", "_per_s", "_timer")

    def __init__(self, outlet: Outlet, *, per_s: float, burst: int, clock: Callable[[], float]) -> None:
        self._outlet = outlet
        self._per_s = per_s
        self._burst = burst
        self._clock = clock
        self._full_at = 0.0
        """When the bucket will be full again: one number says how much is in it."""
        self._held: deque[bytes] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def take(self, data: bytes) -> None:
        """A message came: deliver it, or hold it until there is room."""
        if self._held is not None:
            self._held.append(data)  # read before the pause took hold: one buffer's worth at most
        elif self._spend():
            self._outlet.deliver(data)
        else:
            self._hold(deque((data,)))

    def count(self) -> None:
        """Something came that is answered already (a ping), and counts."""
        if self._held is None and not self._spend():
            self._hold(deque())

    def close(self) -> None:
        """Drop what is held; the socket is gone."""
        self._held = deque()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _spend(self) -> bool:
        if self._per_s == 0:
            return True
        now = self._clock()
        full_at = max(self._full_at, now) + 1.0 / self._per_s
        if full_at - now > self._burst / self._per_s + ROUNDING_S:
            return False
        self._full_at = full_at
        return True

    def _hold(self, held: deque[bytes]) -> None:
        self._held = held
        self._outlet.pause_reading()
        self._outlet.held_back()
        self._timer = asyncio.get_running_loop().call_later(self._hold_s(), self._release)

    def _release(self) -> None:
        held = self._held
        self._timer = None
        while held and self._spend():
            self._outlet.deliver(held.popleft())
            if self._held is not held:
                return  # what was delivered made an end
        if held:
            self._timer = asyncio.get_running_loop().call_later(self._hold_s(), self._release)
        else:
            self._held = None
            self._outlet.resume_reading()

    def _hold_s(self) -> float:
        return max(SHORTEST_HOLD_S, 1.0 / self._per_s)
