"""Clocks for stations: the machine's, perhaps sped up, and one that is moved by hand for tests and dry runs."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable

from evcharging.ocpp.station.interfaces import Timer
from evcharging.ocpp.timer_wheel import TimerWheel


class LoopClock:
    """The wall clock at the time it was made, carried on by the monotonic one: it never goes back.

    Args:
        scale: Simulated seconds in a real one.
        now_s: Unix seconds to begin with; the wall clock's if not given.
    """

    __slots__ = ("_began_s", "_loop", "_origin_s", "_wheel", "scale")

    def __init__(self, *, scale: float = 1.0, now_s: float | None = None) -> None:
        if scale <= 0.0:
            raise ValueError(f"a clock's scale must be above 0, got {scale}")
        self.scale = scale
        self._origin_s = time.time() if now_s is None else now_s
        self._began_s = time.monotonic()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wheel: TimerWheel | None = None

    def now_s(self) -> float:
        """Return the time in Unix seconds."""
        return self._origin_s + (time.monotonic() - self._began_s) * self.scale

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once, `delay_s` of this clock from now."""
        loop = asyncio.get_running_loop()
        if self.scale > 1.0:  # a tick of the wheel could be a second of this clock
            return loop.call_later(delay_s / self.scale, callback)
        wheel = self._wheel
        if wheel is None or loop is not self._loop:
            self._loop = loop
            wheel = self._wheel = TimerWheel.of(loop)
        return wheel.call_later(delay_s / self.scale, callback)

    async def sleep(self, delay_s: float) -> None:
        """Return after `delay_s` of this clock."""
        await _sleep(self, delay_s)


class ManualClock:
    """A clock that stands still until `advance` moves it, calling on the way what falls due, in order."""

    __slots__ = ("_due", "_now_s", "_order")

    def __init__(self, now_s: float = 1_750_000_000.0) -> None:
        self._now_s = now_s
        self._due: list[tuple[float, int, _Due]] = []
        self._order = itertools.count()

    def now_s(self) -> float:
        """Return the time in Unix seconds."""
        return self._now_s

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once the clock was moved `delay_s` on."""
        due = _Due(callback)
        heapq.heappush(self._due, (self._now_s + max(0.0, delay_s), next(self._order), due))
        return due

    async def sleep(self, delay_s: float) -> None:
        """Return once the clock was moved `delay_s` on."""
        await _sleep(self, delay_s)

    async def advance(self, delay_s: float) -> None:
        """Move on by `delay_s`; after each call that fell due, let other tasks run until they have nothing to do."""
        await _let_run()
        end_s = self._now_s + delay_s
        while self._due and self._due[0][0] <= end_s:
            at_s, _, due = heapq.heappop(self._due)
            if due.cancelled:
                continue
            self._now_s = max(self._now_s, at_s)
            due.callback()
            await _let_run()
        self._now_s = end_s
        await _let_run()


async def _sleep(clock: LoopClock | ManualClock, delay_s: float) -> None:
    woken = asyncio.get_running_loop().create_future()
    timer = clock.call_later(delay_s, lambda: None if woken.done() else woken.set_result(None))
    try:
        await woken
    finally:
        timer.cancel()


class _Due:
    __slots__ = ("callback", "cancelled")

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


_ROUNDS = 40
"""Turns of the event loop that a call, its answer and what follows from it take on a loopback, with room to spare."""


async def _let_run() -> None:
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)
