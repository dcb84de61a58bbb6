"""Many timers of one event loop behind a single one of the loop's own.

Ten thousand stations have fifty thousand timers. One of the loop's costs 500 bytes and 3 µs, and a wake-up of its own;
one of these 48 bytes and less than 1 µs, since those that fall due within a few milliseconds of each other share a
place. They are called in the order they fall due, within a tick in the order they were asked for; never early, and at
most a tick late while the loop keeps up. However many fall due at once, sockets are served in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from time import perf_counter
from typing import Final

__all__ = ["Due", "TimerWheel"]

TICKS_PER_S: Final = 64.0
"""Few enough that a process of a thousand stations wakes for several at a time: a third less CPU than at 256."""
LONGEST_TURN_S: Final = 0.005
"""Of calls made in one go, before the loop looks after its sockets again."""


class Due:
    """A call that is still to come."""

    __slots__ = ("_callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Forget the call; after it was made this changes nothing."""
        self._callback = None

    def fall(self) -> None:
        """Make the call, if it was not cancelled."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class TimerWheel:
    """The timers of ``loop``; `of` gives the one that all share."""

    __slots__ = ("_due", "_falling", "_loop", "_next", "_ticks", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: dict[int, list[Due]] = {}
        self._ticks: list[int] = []
        self._falling: list[Due] = []
        """What fell due and is not called yet, the last first."""
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> TimerWheel:
        """The wheel of ``loop``."""
        wheel = _WHEELS.get(loop)
        if wheel is None:
            for gone in [one for one in _WHEELS if one.is_closed()]:
                del _WHEELS[gone]
            wheel = _WHEELS[loop] = cls(loop)
        return wheel

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Due:
        """Call ``callback`` once, ``delay_s`` seconds from now. What it raises the loop's exception handler hears."""
        tick = int((self._loop.time() + max(delay_s, 0.0)) * TICKS_PER_S) + 1
        due = Due(callback)
        place = self._due.get(tick)
        if place is None:
            self._due[tick] = [due]
            heappush(self._ticks, tick)
            if self._timer is None or tick < self._next:
                self._arm(tick)
        else:
            place.append(due)
        return due

    def _arm(self, tick: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = tick
        # uvloop rounds to milliseconds: half of one more, and it is not woken before there is something to do.
        self._timer = self._loop.call_at(tick / TICKS_PER_S + 0.0005, self._turn)

    def _turn(self) -> None:
        """Call what is due, as long as a turn may last; go on in the loop's next round if that was not all."""
        self._timer = None
        until_s, falling, ticks = perf_counter() + LONGEST_TURN_S, self._falling, self._ticks
        now_tick = self._loop.time() * TICKS_PER_S
        while True:
            while falling:
                try:
                    falling.pop().fall()
                except Exception as error:  # noqa: BLE001 - the others are not to miss their time for it
                    self._loop.call_exception_handler({"message": "a timer's call failed", "exception": error})
                if perf_counter() > until_s:
                    self._loop.call_soon(self._turn)
                    return
            if not ticks or ticks[0] > now_tick:
                break
            falling.extend(reversed(self._due.pop(heappop(ticks))))
        if ticks:
            self._arm(ticks[0])


_WHEELS: Final[dict[asyncio.AbstractEventLoop, TimerWheel]] = {}
