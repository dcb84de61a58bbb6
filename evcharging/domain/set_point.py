"""The current a charger was told to offer, and what becomes of it when nobody repeats it. No vehicle, no clock."""

import math
from typing import Final

from evcharging.domain.charger_state import InvalidInput
from evcharging.domain.levels import MIN_PILOT_AMPS

SET_POINT_TIMEOUT_S: Final = 5.0
"""Wall time without a set point after which the caller must say that it is lost."""
RAMP_DOWN_S: Final = 1.0
"""Simulated time in which rated current is ramped to nothing once the set point is lost."""

_PILOT_TOLERANCE_AMPS: Final = 1e-6
"""6 A converted to kW and back may come out a hair under 6."""


class SetPoint:
    """The current on offer per phase, in A: 0 until it is set for the first time."""

    def __init__(self, rated_amps: float) -> None:
        self._rated_amps = rated_amps
        self._ramp_amps: float | None = None
        self.requested_amps = 0.0
        self.limit_amps = 0.0

    def set(self, amps: float) -> None:
        """Offer `amps`: under 6 A is 0, above the rating is clamped. Heals a loss. Raises InvalidInput."""
        if not 0.0 <= amps < math.inf:
            raise InvalidInput(f"a limit must be 0 A or more, got {amps}")
        self.requested_amps = float(amps)
        enough = amps >= MIN_PILOT_AMPS - _PILOT_TOLERANCE_AMPS
        self.limit_amps = min(max(float(amps), MIN_PILOT_AMPS), self._rated_amps) if enough else 0.0
        self._ramp_amps = None

    def lose(self, current_a: float) -> None:
        """Begin to ramp down from `current_a`, the current that flows now. A repeat changes nothing."""
        if self._ramp_amps is None:
            self._ramp_amps = min(current_a, self.limit_amps)

    def ramp(self, step_s: float) -> None:
        """Let `step_s` seconds of simulated time pass."""
        if self._ramp_amps:
            ramped_amps = self._ramp_amps - self._rated_amps * step_s / RAMP_DOWN_S
            self._ramp_amps = ramped_amps if ramped_amps >= MIN_PILOT_AMPS else 0.0

    def offered_amps(self, derate: float) -> float:
        """Return the current on offer with the power stage derated to `derate` of its rating: 0, or 6 A and more."""
        offered = min(self.limit_amps, self._rated_amps * derate)
        if self._ramp_amps is not None:
            offered = min(offered, self._ramp_amps)
        return offered if offered >= MIN_PILOT_AMPS else 0.0

    @property
    def clamped(self) -> bool:
        """Whether more than the hardware's rating was asked for."""
        return self.requested_amps > self._rated_amps

    @property
    def silent(self) -> bool:
        """Whether it was lost and has not come back."""
        return self._ramp_amps is not None

    @property
    def ramping(self) -> bool:
        """Whether it was lost and has not reached 0 A yet."""
        return bool(self._ramp_amps)
