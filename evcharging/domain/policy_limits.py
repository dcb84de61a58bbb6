"""What a policy decides over: a profile's limits and a site's signals, refused where they make no sense."""

import math
from dataclasses import dataclass
from typing import Any, Final

from evcharging.domain.site import PEAK_HOURS

HOURS: Final = 24
MAX_GRID_LOAD: Final = 0.8
"""Grid load (1 is full) above which power is ramped down, where a profile sets no other."""


class PolicyInputError(ValueError):
    """Raised for a missing or senseless figure; the message names it and says what was expected."""


@dataclass(frozen=True, slots=True)
class PolicyLimits:
    """What a profile allows.

    Attributes:
        charge_if_price_below: Highest price per kWh at which it charges, itself included; None for any.
        max_energy_kwh: Cap on the energy of one session; None for none.
        allow_peak_hours: Whether it charges in peak hours.
        peak_hours: The peak hours of the day, 0 to 23.
        max_grid_load: Grid load above which it ramps down, 0 to under 1.
        max_carbon_g_per_kwh: Carbon intensity above which it ramps down or defers; None to ignore it.
    """

    charge_if_price_below: float | None
    max_energy_kwh: float | None
    allow_peak_hours: bool
    peak_hours: frozenset[int] = PEAK_HOURS
    max_grid_load: float = MAX_GRID_LOAD
    max_carbon_g_per_kwh: float | None = None

    def __post_init__(self) -> None:
        check_number("charge_if_price_below", self.charge_if_price_below)
        check_number("max_energy_kwh", self.max_energy_kwh, least=0.0)
        check_number("max_carbon_g_per_kwh", self.max_carbon_g_per_kwh, least=0.0)
        if not isinstance(self.allow_peak_hours, bool):
            raise PolicyInputError(f"allow_peak_hours: expected true or false, got {self.allow_peak_hours!r}")
        for hour in self.peak_hours:
            check_hour("peak_hours", hour)
        if not 0.0 <= self.max_grid_load < 1.0:
            raise PolicyInputError(f"max_grid_load: expected 0 to under 1, got {self.max_grid_load!r}")


@dataclass(frozen=True, slots=True)
class Signals:
    """What the site says beyond price and hour; every one is optional.

    Attributes:
        grid_load: Load of the grid connection, 1 is full.
        carbon_g_per_kwh: Carbon intensity of grid power.
        demand_response: Whether a grid event asks for less.
        demand_response_until_hour: The hour at which that event ends; None where it is not known.
    """

    grid_load: float | None = None
    carbon_g_per_kwh: float | None = None
    demand_response: bool = False
    demand_response_until_hour: int | None = None


def check_number(name: str, value: Any, *, least: float = -math.inf) -> None:
    """Refuse what is no number of `least` or more; None passes, for a limit that is not set."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < least:
        floor = "" if least == -math.inf else f" of {least:g} or more"
        raise PolicyInputError(f"{name}: expected a number{floor}, got {value!r}")


def check_hour(name: str, hour: Any) -> int:
    """Return an hour of the day, or refuse what is none."""
    if isinstance(hour, bool) or not isinstance(hour, int) or not 0 <= hour < HOURS:
        raise PolicyInputError(f"{name}: expected an hour from 0 to 23, got {hour!r}")
    return hour
