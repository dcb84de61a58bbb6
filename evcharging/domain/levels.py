"""What a charger is built for: its level, current, voltage and phases, and the usual kinds of charger ready-made."""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

MIN_PILOT_AMPS: Final = 6.0
"""Lowest current a control pilot can offer (IEC 61851-1); anything under it is no current at all."""

_MAINS_PHASE_V: Final = 230.0
_THREE_PHASE_V: Final = 400.0 / math.sqrt(3.0)


class ChargerLevel(StrEnum):
    """The level a charger is sold under."""

    L1 = "L1"
    L2 = "L2"
    L3 = "L3"
    DC = "DC"


@dataclass(frozen=True, slots=True)
class ChargerSpec:
    """The rating plate of one charger outlet.

    Attributes:
        level: L1, L2, L3 (all AC) or DC.
        rated_amps: Largest current per phase (AC) or on the DC side, in A. Limits above it are clamped.
        voltage_v: Phase to neutral (AC; a 400 V three-phase supply has 230.9 V) or DC side, in V.
        phases: 1 or 3; 1 for DC, so that power is always phases · voltage_v · current.
        max_power_kw: Further cap on power, for DC chargers that are sold by power; None where there is none.
        cable_amps: What the cable carries per phase; None where the cable never is the narrowest part.
        kw_per_amp: Power in kW of one ampere in every phase; follows from the others.

    Raises ValueError where a figure makes no sense.
    """

    level: ChargerLevel
    rated_amps: float
    voltage_v: float
    phases: int = 1
    max_power_kw: float | None = None
    cable_amps: float | None = None
    kw_per_amp: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.phases not in {1, 3} or (self.level is ChargerLevel.DC and self.phases != 1):
            raise ValueError(f"phases must be 1 or 3, and 1 for DC, got {self.phases} for {self.level.value}")
        figures = {"voltage_v": self.voltage_v, "max_power_kw": self.max_power_kw}
        for name, figure in figures.items():
            if figure is not None and not 0.0 < figure < math.inf:
                raise ValueError(f"{name} must be above 0, got {figure}")
        for name, amps in {"rated_amps": self.rated_amps, "cable_amps": self.cable_amps}.items():
            if amps is not None and not MIN_PILOT_AMPS <= amps < math.inf:
                raise ValueError(f"{name} must be at least {MIN_PILOT_AMPS:g} A, got {amps}")
        object.__setattr__(self, "kw_per_amp", self.phases * self.voltage_v / 1000.0)

    @property
    def rated_kw(self) -> float:
        """The most this charger delivers through its cable, in kW."""
        return self.power_kw(self.rated_amps)

    def power_kw(self, amps: float) -> float:
        """Return the power in kW at `amps` per phase, within the cable's and the power stage's rating."""
        within = amps if self.cable_amps is None else min(amps, self.cable_amps)
        kw = within * self.kw_per_amp
        return kw if self.max_power_kw is None else min(kw, self.max_power_kw)

    def amps(self, power_kw: float) -> float:
        """Return the current in A per phase that carries `power_kw`."""
        return power_kw / self.kw_per_amp


L1: Final = ChargerSpec(ChargerLevel.L1, rated_amps=16.0, voltage_v=_MAINS_PHASE_V)
"""16 A, 230 V, 1 phase: 3.68 kW."""

L2: Final = ChargerSpec(ChargerLevel.L2, rated_amps=32.0, voltage_v=_MAINS_PHASE_V)
"""32 A, 230 V, 1 phase: 7.36 kW."""

L2_THREE_PHASE: Final = ChargerSpec(ChargerLevel.L2, rated_amps=32.0, voltage_v=_THREE_PHASE_V, phases=3)
"""32 A, 400 V, 3 phases: 22.2 kW; the demo's charger."""

L3: Final = ChargerSpec(ChargerLevel.L3, rated_amps=63.0, voltage_v=_THREE_PHASE_V, phases=3)
"""63 A, 400 V, 3 phases: 43.6 kW."""


def dc(max_power_kw: float, *, voltage_v: float = 400.0) -> ChargerSpec:
    """Return a DC charger of `max_power_kw` (usually 50 to 350) at a battery voltage of `voltage_v`."""
    return ChargerSpec(
        ChargerLevel.DC, rated_amps=max_power_kw * 1000.0 / voltage_v, voltage_v=voltage_v, max_power_kw=max_power_kw
    )
