"""How the sessions of one site share its sun and its grid connection. It decides nothing about who may charge when."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from itertools import accumulate
from typing import Final

from evcharging.domain.energy import REGISTER_RESOLUTION_WH

PEAK_HOURS: Final = frozenset({17, 18, 19})
PEAK_POWER_FACTOR: Final = 0.5
"""Share of power left in peak hours to those who may charge in them."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What one session asks of the site.

    Attributes:
        kw: Power it would take if nothing held it back; 0 where it wants none.
        floor_kw: Power at 6 A, its lowest set point (`ChargerSpec.power_kw(MIN_PILOT_AMPS)`).
    """

    kw: float
    floor_kw: float

    def __post_init__(self) -> None:
        if not (0.0 <= self.kw < math.inf and 0.0 < self.floor_kw < math.inf):
            raise ValueError(f"a demand needs kw of 0 or more and floor_kw above 0, got {self.kw} and {self.floor_kw}")


@dataclass(frozen=True, slots=True)
class EnergySplit:
    """The energy of one interval by source, in Wh."""

    solar_wh: Decimal
    grid_wh: Decimal


def share_limit(limit_kw: float, demands: Sequence[Demand]) -> list[float]:
    """Share `limit_kw` among `demands` in proportion and return the kW of each, in the same order.

    Each gets nothing, or at least its floor: under 6 A a session cannot be held, so a small demand is counted as its
    floor, and where the floors do not all fit, those earlier in the sequence are kept on. Nobody gets more than asked
    (or the floor), and all together get no more than the limit.
    """
    if not 0.0 <= limit_kw < math.inf:
        raise ValueError(f"limit_kw must be 0 or more, got {limit_kw}")
    wanted_kw = {index: max(demand.kw, demand.floor_kw) for index, demand in enumerate(demands) if demand.kw > 0.0}
    kept = _kept_on(limit_kw, demands, wanted_kw)
    # Highest floor for its demand first: once one of them is above its floor in proportion, all that follow are.
    kept.sort(key=lambda index: demands[index].floor_kw / wanted_kw[index], reverse=True)
    unshared_kw = list(accumulate(wanted_kw[index] for index in reversed(kept)))
    shares_kw = [0.0] * len(demands)
    left_kw = limit_kw
    for index in kept:
        in_proportion_kw = wanted_kw[index] * min(1.0, left_kw / unshared_kw.pop())
        shares_kw[index] = max(demands[index].floor_kw, in_proportion_kw)
        left_kw -= shares_kw[index]
    return shares_kw


def share_solar(solar_kw: float, drawn_kw: Sequence[float]) -> list[float]:
    """Share the sun among sessions in proportion to what each draws; return the solar kW of each."""
    total_kw = math.fsum(drawn_kw)
    covered = min(1.0, solar_kw / total_kw) if total_kw > 0.0 else 0.0
    return [kw * covered for kw in drawn_kw]


def split_energy(energy_wh: Decimal, *, solar_kw: float, duration_s: float) -> EnergySplit:
    """Split metered energy by source: solar first, as far as `solar_kw` over `duration_s` goes, the rest from the grid.

    Solar is cut down to the register's 0.1 Wh; both parts add up to `energy_wh` exactly.
    """
    if not (0.0 <= solar_kw < math.inf and 0.0 <= duration_s < math.inf):
        raise ValueError(f"solar_kw and duration_s must be 0 or more, got {solar_kw} and {duration_s}")
    available_wh = Decimal(solar_kw * duration_s / 3.6)
    if available_wh >= energy_wh:
        return EnergySplit(solar_wh=energy_wh, grid_wh=Decimal(0))
    solar_wh = available_wh.quantize(REGISTER_RESOLUTION_WH, rounding=ROUND_DOWN)
    return EnergySplit(solar_wh=solar_wh, grid_wh=energy_wh - solar_wh)


def peak_factor(
    hour: int, *, peak_hours: Collection[int] = PEAK_HOURS, power_factor: float = PEAK_POWER_FACTOR
) -> float:
    """Return the share of power allowed in this hour of the day: `power_factor` in peak hours, else 1.0."""
    return power_factor if hour in peak_hours else 1.0


def _kept_on(limit_kw: float, demands: Sequence[Demand], wanted_kw: dict[int, float]) -> list[int]:
    kept = []
    room_kw = limit_kw
    for index in wanted_kw:
        if demands[index].floor_kw <= room_kw:
            kept.append(index)
            room_kw -= demands[index].floor_kw
    return kept
