"""A station's own view of the clock: what goes wrong in a call that fell due is the failure of that station alone."""

from collections.abc import Callable

from evcharging.ocpp.station.interfaces import StationClock, Timer


class GuardedClock:
    """The clock of one station.

    Args:
        clock: The clock of all.
        on_failure: Hears what a call that fell due raised.
    """

    __slots__ = ("_clock", "_on_failure", "now_s", "stopped")

    def __init__(self, clock: StationClock, on_failure: Callable[[Exception], None]) -> None:
        self._clock = clock
        self._on_failure = on_failure
        self.now_s: Callable[[], float] = clock.now_s
        """Returns the time in Unix seconds."""
        self.stopped = False
        """Once the station has ended, nothing falls due any more."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once, `delay_s` seconds from now, unless the station has ended by then."""
        call = _Call(self, callback)
        call.timer = self._clock.call_later(delay_s, call)
        return call

    async def sleep(self, delay_s: float) -> None:
        """Return after `delay_s` seconds."""
        await self._clock.sleep(delay_s)

    def fall_due(self, callback: Callable[[], None]) -> None:
        """Make a call whose time has come, and tell of what it raises."""
        if self.stopped:
            return
        try:
            callback()
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends this station's run
            self._on_failure(error)


class _Call:
    """A call that is still to come: smaller than a closure, since every station has some of them."""

    __slots__ = ("_callback", "_clock", "timer")

    def __init__(self, clock: GuardedClock, callback: Callable[[], None]) -> None:
        self._clock = clock
        self._callback: Callable[[], None] | None = callback
        self.timer: Timer | None = None

    def __call__(self) -> None:
        callback, self._callback, self.timer = self._callback, None, None
        if callback is not None:
            self._clock.fall_due(callback)

    def cancel(self) -> None:
        """Forget the call."""
        if self.timer is not None:
            self.timer.cancel()
        self._callback = self.timer = None
