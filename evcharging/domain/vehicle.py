"""The vehicle at the other end of the cable: what its battery holds and how much power it takes at which SoC."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from evcharging.domain.battery import DC_CURVE, LINEAR_TAPER, PowerCurve, two_stage_fraction, two_stage_soc


class Taper(StrEnum):
    """How AC charging slows down towards a full battery."""

    TWO_STAGE = "two-stage"
    LINEAR = "linear"


_LINEAR: Final = Taper.LINEAR  # looked up once: a member of an enumeration takes longer to find than all else here


@dataclass(frozen=True, slots=True)
class VehicleSpec:
    """A vehicle as it arrives.

    Attributes:
        capacity_kwh: Usable capacity of the battery.
        onboard_kw: Largest power of the on-board AC charger.
        arrival_soc: State of charge at arrival, as a fraction from 0 to 1.
        taper: Shape of the AC taper over SoC.
        dc_peak_kw: Largest DC power the battery takes; `dc_curve` is a fraction of it.
        dc_curve: DC power over SoC.

    Raises ValueError where a figure makes no sense.
    """

    capacity_kwh: float
    onboard_kw: float
    arrival_soc: float
    taper: Taper = Taper.TWO_STAGE
    dc_peak_kw: float = 150.0
    dc_curve: PowerCurve = DC_CURVE

    def __post_init__(self) -> None:
        for name in ("capacity_kwh", "onboard_kw", "dc_peak_kw"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if not 0.0 <= self.arrival_soc <= 1.0:
            raise ValueError(f"arrival_soc must be a fraction from 0 to 1, got {self.arrival_soc}")

    def peak_kw(self, *, direct_current: bool) -> float:
        """Return the most this vehicle ever takes, in kW, over DC or through its on-board charger."""
        return self.dc_peak_kw if direct_current else self.onboard_kw

    def accepted_kw(self, soc: float, *, direct_current: bool) -> float:
        """Return the most this vehicle takes at `soc`, in kW."""
        if direct_current:
            return self.dc_peak_kw * self.dc_curve.fraction(soc)
        fraction = LINEAR_TAPER.fraction(soc) if self.taper is _LINEAR else two_stage_fraction(soc)
        return self.onboard_kw * fraction

    def soc_after(self, soc: float, *, offered_kw: float, step_h: float, direct_current: bool) -> float:
        """Return the SoC after `step_h` hours with `offered_kw` on offer; exact for any step."""
        if not direct_current and self.taper is not _LINEAR:
            return two_stage_soc(
                soc, offered_kw=offered_kw, max_kw=self.onboard_kw, capacity_kwh=self.capacity_kwh, step_h=step_h
            )
        return (self.dc_curve if direct_current else LINEAR_TAPER).soc_after(
            soc,
            offered_kw=offered_kw,
            peak_kw=self.peak_kw(direct_current=direct_current),
            capacity_kwh=self.capacity_kwh,
            step_h=step_h,
        )


DEMO_VEHICLE: Final = VehicleSpec(capacity_kwh=60.0, onboard_kw=22.0, arrival_soc=0.30)
"""The demo's vehicle: on a three-phase 32 A charger it draws the demo's 22 kW."""
