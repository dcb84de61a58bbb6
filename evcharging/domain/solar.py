"""How much the sun gives a site at an hour of the day. A shape, not a forecast: no place, season or weather."""

import math
from typing import Final

SUNRISE_H: Final = 6.0
SUNSET_H: Final = 18.0


def solar_power_kw(peak_kw: float, hour: float, *, cloud_factor: float = 1.0) -> float:
    """Return the solar power in kW at `hour` (0 ≤ hour < 24, with fractions): a half sine from 6 to 18 h.

    `cloud_factor` is the share of a clear sky's power that is left, from 0 to 1. Raises ValueError out of range.
    """
    if not 0.0 <= peak_kw < math.inf:
        raise ValueError(f"peak_kw must be 0 or more, got {peak_kw}")
    if not 0.0 <= hour < 24.0:
        raise ValueError(f"hour must be from 0 to under 24, got {hour}")
    if not 0.0 <= cloud_factor <= 1.0:
        raise ValueError(f"cloud_factor must be from 0 to 1, got {cloud_factor}")
    if not SUNRISE_H < hour < SUNSET_H:
        return 0.0
    return peak_kw * math.sin(math.pi * (hour - SUNRISE_H) / (SUNSET_H - SUNRISE_H)) * cloud_factor
