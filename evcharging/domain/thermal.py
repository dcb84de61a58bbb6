"""How warm a charger's power stage gets, and what it may then deliver: functions of temperature, current and time."""

import math
from typing import Final

DEFAULT_AMBIENT_C: Final = 25.0
RISE_AT_RATED_C: Final = 30.0
"""Rise over ambient in the steady state at rated current."""
TIME_CONSTANT_S: Final = 20.0 * 60.0
DERATE_FROM_C: Final = 65.0
DERATE_TO_C: Final = 80.0
DERATE_FLOOR: Final = 0.5
TRIP_C: Final = 90.0
RESUME_C: Final = 65.0


def temperature_after(
    temperature_c: float, *, ambient_c: float, current_a: float, rated_amps: float, step_s: float
) -> float:
    """Return the temperature after `step_s` seconds at a steady current; exact for any step.

    First-order: it approaches ambient + 30 K·(I/I_rated)² with a time constant of 20 minutes.
    """
    steady_c = ambient_c + RISE_AT_RATED_C * (current_a / rated_amps) ** 2
    return steady_c + (temperature_c - steady_c) * math.exp(-step_s / TIME_CONSTANT_S)


def derate_factor(temperature_c: float) -> float:
    """Return the share of rated current allowed: 1.0 up to 65 °C, falling in a line to 0.5 at 80 °C and above."""
    if temperature_c <= DERATE_FROM_C:
        return 1.0
    if temperature_c >= DERATE_TO_C:
        return DERATE_FLOOR
    return 1.0 - (1.0 - DERATE_FLOOR) * (temperature_c - DERATE_FROM_C) / (DERATE_TO_C - DERATE_FROM_C)
