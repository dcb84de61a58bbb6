"""When a session is to end by itself: its time is over, or the energy asked for has flowed.

The register is heard once a second, so between readings the energy is reckoned from the measured power. With simulated
time running fast that is what keeps a session from overshooting its target by a second's worth of hours.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Final

from evcharging.domain.end_reasons import EndReason

__all__ = ["SessionClock"]

CHARGER_STEP_S: Final = 0.1
"""A charger counts in steps of this much wall time; a step less than what was reckoned would miss the target."""

_WH_PER_KW_SECOND: Final = 1.0 / 3.6


class SessionClock:
    """Watches one session. Times are monotonic seconds.

    Args:
        started_s: when the session began to flow, or would have if the engine had been there all along.
        lasts_s: how long it may last; 0: for ever.
        target_wh: the energy it may take, None without a bound.
        energy_wh: what it has taken by now.
        now_s: now.
        time_scale: simulated seconds a second.
    """

    def __init__(
        self,
        *,
        started_s: float,
        lasts_s: float,
        target_wh: Decimal | None,
        energy_wh: Decimal,
        now_s: float,
        time_scale: float,
    ) -> None:
        self._ends_s = started_s + lasts_s if lasts_s > 0 else math.inf
        self._target_wh = math.inf if target_wh is None else float(target_wh)
        self._wh_per_kw_s = time_scale * _WH_PER_KW_SECOND
        self._metered_wh = self._reckoned_wh = float(energy_wh)
        self._reckoned_s = now_s
        self._kw = 0.0

    @property
    def has_target(self) -> bool:
        """Whether the measured power matters here."""
        return self._target_wh < math.inf

    @property
    def due_s(self) -> float:
        """When to ask for `reason` next; infinity where nothing ends the session."""
        return min(self._ends_s, self._target_s)

    def metered(self, energy_wh: Decimal, kw: float, now_s: float) -> None:
        """Take a reading of the register."""
        self._metered_wh = self._reckoned_wh = float(energy_wh)
        self._reckoned_s = now_s
        self._kw = kw

    def flowing(self, kw: float, now_s: float) -> None:
        """Take a reading of the power, which counts from the last reading on."""
        self._kw = kw
        self._reckoned_wh += kw * self._wh_per_kw_s * max(0.0, now_s - self._reckoned_s)
        self._reckoned_s = now_s

    def reason(self, now_s: float) -> EndReason | None:
        """Why the session is to end now, None where it goes on."""
        if now_s >= self._target_s:
            return EndReason.TARGET_REACHED
        return EndReason.TIME_ELAPSED if now_s >= self._ends_s else None

    @property
    def _target_s(self) -> float:
        if self._metered_wh >= self._target_wh:
            return self._reckoned_s
        if self._kw <= 0.0:
            return math.inf
        left_wh = self._target_wh - self._reckoned_wh  # below 0 where the moment lies behind the last reading
        return self._reckoned_s + left_wh / (self._kw * self._wh_per_kw_s) + CHARGER_STEP_S
