"""How a battery's state of charge moves under an offered power, exactly, for a step of any length.

Every taper here is a limit on power that is piecewise linear in the state of charge (SoC, a fraction from 0 to 1), so
the SoC can be solved in closed form: one step of an hour and 36,000 steps of 0.1 s end at the same place. Energy into
the battery is the energy metered; no losses are modelled. This module never keeps state: SoC in, SoC out.
"""

import itertools
import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

TWO_STAGE_TRANSITION_SOC: Final = 0.8
"""SoC from which a battery on full power leaves constant current for constant voltage."""


def two_stage_soc(soc: float, *, offered_kw: float, max_kw: float, capacity_kwh: float, step_h: float) -> float:
    """Return the SoC of a linear two-stage battery after `step_h` hours with `offered_kw` on offer.

    Full power up to the transition, then power falling in a straight line to nothing at 100 %. Source: Lee et al.,
    ACN-Sim, "Linear2StageBattery", in closed form.
    """
    most = max_kw * step_h / capacity_kwh
    step = min(offered_kw * step_h / capacity_kwh, most)
    if step <= 0.0:
        return soc
    transition = TWO_STAGE_TRANSITION_SOC + (step - most) / most * (TWO_STAGE_TRANSITION_SOC - 1.0)
    if soc + step <= transition:
        return soc + step
    if soc < transition:
        return 1.0 + (transition - 1.0) * math.exp((soc + step - transition) / (transition - 1.0))
    return 1.0 + (soc - 1.0) * math.exp(step / (transition - 1.0))


@dataclass(frozen=True, slots=True)
class PowerCurve:
    """The largest power a battery takes, as a fraction of its peak, in straight lines between (SoC, fraction) points.

    Points run from SoC 0 to SoC 1 in rising order; fractions lie in 0..1 and are above 0 before SoC 1.
    Raises ValueError where they do not.
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        socs = [soc for soc, _ in self.points]
        if len(socs) < 2 or socs[0] != 0.0 or socs[-1] != 1.0 or any(b <= a for a, b in itertools.pairwise(socs)):
            raise ValueError(f"a power curve needs rising SoC points from 0.0 to 1.0, got {socs}")
        fractions = [fraction for _, fraction in self.points]
        if not all(0.0 < fraction <= 1.0 for fraction in fractions[:-1]) or not 0.0 <= fractions[-1] <= 1.0:
            raise ValueError(f"a power curve needs fractions over 0.0 and up to 1.0, got {fractions}")

    def fraction(self, soc: float) -> float:
        """Return the fraction of peak power taken at `soc`."""
        index = self._segment(soc)
        (low, at_low), (high, at_high) = self.points[index], self.points[index + 1]
        return at_low + (at_high - at_low) * (soc - low) / (high - low)

    def soc_after(self, soc: float, *, offered_kw: float, peak_kw: float, capacity_kwh: float, step_h: float) -> float:
        """Return the SoC after `step_h` hours of the lesser of `offered_kw` and this curve times `peak_kw`."""
        ceiling = offered_kw / capacity_kwh
        remaining_h = step_h
        if ceiling <= 0.0 or peak_kw <= 0.0:
            return soc
        for index in range(self._segment(soc), len(self.points) - 1):
            high, at_high = self.points[index + 1]
            rate = self.fraction(soc) * peak_kw / capacity_kwh
            rate_at_high = at_high * peak_kw / capacity_kwh
            for to_soc, start_rate, end_rate in _clipped(soc, high, rate, rate_at_high, ceiling):
                crossing_h = _crossing_h(to_soc - soc, start_rate, end_rate)
                if crossing_h > remaining_h:
                    return min(to_soc, soc + _moved(to_soc - soc, start_rate, end_rate, remaining_h))
                remaining_h -= crossing_h
                soc = to_soc
        return soc

    def _segment(self, soc: float) -> int:
        return min(bisect_right(self.points, (soc, math.inf)), len(self.points) - 1) - 1


LINEAR_TAPER: Final = PowerCurve(((0.0, 1.0), (0.8, 1.0), (1.0, 0.2)))
"""Power from 100 % to 20 % between 80 % and 100 % SoC (`taper: linear`)."""

DC_CURVE: Final = PowerCurve(((0.0, 0.6), (0.1, 1.0), (0.5, 1.0), (0.8, 0.55), (1.0, 0.1)))
"""What a vehicle takes of its peak when it is charged with direct current."""


def two_stage_fraction(soc: float) -> float:
    """Return the fraction of its maximum power that a two-stage battery takes at `soc`."""
    if soc <= TWO_STAGE_TRANSITION_SOC:
        return 1.0
    return max(0.0, (1.0 - soc) / (1.0 - TWO_STAGE_TRANSITION_SOC))


def _clipped(
    soc: float, high: float, rate: float, rate_at_high: float, ceiling: float
) -> tuple[tuple[float, float, float], ...]:
    """Cut one straight stretch where the offered power crosses it: (end SoC, rate at start, rate at end) each."""
    start, end = min(rate, ceiling), min(rate_at_high, ceiling)
    if (rate > ceiling) == (rate_at_high > ceiling):
        return ((high, start, end),)
    crossing = soc + (high - soc) * (ceiling - rate) / (rate_at_high - rate)
    return ((min(max(crossing, soc), high), start, ceiling), (high, ceiling, end))


def _crossing_h(distance: float, start_rate: float, end_rate: float) -> float:
    """Hours to move `distance` of SoC at a rate that changes in a straight line over that distance."""
    if distance <= 0.0:
        return 0.0
    if end_rate <= 0.0:
        return math.inf
    relative = (end_rate - start_rate) / start_rate
    return distance / start_rate * (math.log1p(relative) / relative if relative else 1.0)


def _moved(distance: float, start_rate: float, end_rate: float, hours: float) -> float:
    """SoC moved in `hours`, too few to cover `distance`."""
    growth = (end_rate - start_rate) / distance * hours
    return start_rate * hours * (math.expm1(growth) / growth if growth else 1.0)
