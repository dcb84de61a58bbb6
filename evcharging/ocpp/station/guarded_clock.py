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

        def fall_due() -> None:
            if self.stopped:
                return
            try:
                callback()
            except Exception as error:  # noqa: BLE001 - whatever it is, it ends this station's run
                self._on_failure(error)

        return self._clock.call_later(delay_s, fall_due)

    async def sleep(self, delay_s: float) -> None:
        """Return after `delay_s` seconds."""
        await self._clock.sleep(delay_s)
