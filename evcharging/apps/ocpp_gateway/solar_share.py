"""The sun's part of what stations deliver: solar first, the same share for each session that runs now.

The share goes by the site's last word on its sun and by what all sessions of this gateway draw, as an engine's does by
its own. What was metered long ago counts as the grid's: nobody has kept how the sun shone then. It stores nothing, so
an interval that is told again may be split anew; whoever counts intervals takes the first.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Final, Protocol

from evcharging.apps.ocpp_gateway.charge_points import ChargePoints
from evcharging.domain.energy import REGISTER_RESOLUTION_WH

__all__ = ["SolarShare", "Sun"]

LOOK_EVERY_S: Final = 1.0
"""At most so often the power of all sessions is added up."""
LATE: Final = timedelta(minutes=5)


class Sun(Protocol):
    """What the site says."""

    @property
    def solar_kw(self) -> float:
        """What its sun gives now."""


class SolarShare:
    """Splits energy.

    Args:
        sun: the site's.
        points: the stations here.
        now: the time, with a zone.
        monotonic: seconds.
    """

    def __init__(
        self, sun: Sun, points: ChargePoints, *, now: Callable[[], datetime], monotonic: Callable[[], float]
    ) -> None:
        self._sun = sun
        self._points = points
        self._now = now
        self._monotonic = monotonic
        self._drawn_kw = 0.0
        self._looked_s = float("-inf")

    def fraction(self, kw: float) -> float:
        """The sun's part of ``kw`` that flows now, from 0 to 1."""
        solar_kw = self._sun.solar_kw
        if solar_kw <= 0.0:
            return 0.0
        drawn_kw = max(self._all_kw(), kw)
        return min(1.0, solar_kw / drawn_kw) if drawn_kw > 0.0 else 1.0

    def of(self, energy_wh: Decimal, *, kw: float, until: datetime) -> Decimal:
        """The sun's part of the energy of an interval that ended at ``until``, in Wh, cut down to 0.1."""
        fraction = self.fraction(kw)
        if fraction <= 0.0 or self._now() - until > LATE:
            return Decimal(0)
        if fraction >= 1.0:
            return energy_wh
        return (energy_wh * Decimal(fraction)).quantize(REGISTER_RESOLUTION_WH, rounding=ROUND_DOWN)

    def _all_kw(self) -> float:
        now_s = self._monotonic()
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            self._drawn_kw = sum(t.drawn_kw for point in self._points for t in point.open.values())
        return self._drawn_kw
