"""What a station measured at one moment, gathered from values that may come by phase, unit and place.

Pure: one `Reading` is filled with `add`, value by value, in the standard's own words for measurand and unit, which are
the same in 1.6 (section 7.31) and 2.0.1. Nothing is interpolated: what is not told stays unknown.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from evcharging.domain.energy import InvalidEnergy, exact_wh

__all__ = ["ENERGY_REGISTER", "Reading"]

ENERGY_REGISTER: Final = "Energy.Active.Import.Register"
POWER: Final = "Power.Active.Import"
CURRENT: Final = "Current.Import"
VOLTAGE: Final = "Voltage"
SOC: Final = "SoC"
TEMPERATURE: Final = "Temperature"
OUTLET: Final = "Outlet"

_SCALES: Final = {
    (ENERGY_REGISTER, "Wh"): 1.0,
    (ENERGY_REGISTER, "kWh"): 1000.0,
    (POWER, "W"): 0.001,
    (POWER, "kW"): 1.0,
    (CURRENT, "A"): 1.0,
    (VOLTAGE, "V"): 1.0,
    (SOC, "Percent"): 0.01,
}
DIGITS: Final = 9
"""To which scaled values are rounded: 13.7 % is 0.137, whatever floating point makes of it."""
_DEFAULT_UNITS: Final = {
    ENERGY_REGISTER: "Wh",
    POWER: "W",
    CURRENT: "A",
    VOLTAGE: "V",
    SOC: "Percent",
    TEMPERATURE: "Celsius",
}


class Reading:
    """Values of one moment. Power in kW, energy in Wh, SoC from 0 to 1; None where nothing was told."""

    __slots__ = ("_phases", "amps", "at", "power_kw", "register_wh", "soc", "temperature_c", "volts")

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.register_wh: Decimal | None = None
        self.power_kw: float | None = None
        self.amps: float | None = None
        self.volts: float | None = None
        self.soc: float | None = None
        self.temperature_c: float | None = None
        self._phases: dict[str, dict[str, float]] | None = None

    def add(
        self,
        measurand: str,
        value: float,
        *,
        unit: str | None = None,
        phase: str | None = None,
        location: str | None = None,
    ) -> bool:
        """Take one value; False where it is none that is kept here, or not one a meter can show.

        A value without a phase is the total and counts over those with one. The energy register counts at the outlet.
        """
        if unit is None:
            unit = _DEFAULT_UNITS.get(measurand, "")
        if measurand == TEMPERATURE:
            return self._take_temperature(value, unit)
        scale = _SCALES.get((measurand, unit))
        if scale is None or not 0.0 <= value < 1e12:  # also leaves out NaN
            return False
        if measurand == ENERGY_REGISTER and location is not None and location != OUTLET:
            return False
        if phase is not None and measurand != SOC:
            if self._phases is None:
                self._phases = {}
            self._phases.setdefault(measurand, {})[phase] = value * scale
            return True
        return self._take(measurand, value if scale == 1.0 else round(value * scale, DIGITS))

    def complete(self) -> None:
        """Make totals of what came by phase alone. To be called once every value was added."""
        if self._phases is None:
            return
        for measurand, by_phase in self._phases.items():
            lines = {name: value for name, value in by_phase.items() if name in _LINES}
            if measurand == ENERGY_REGISTER and self.register_wh is None and lines:
                self._take(measurand, sum(lines.values()))
            elif measurand == POWER and self.power_kw is None and lines:
                self.power_kw = round(sum(lines.values()), DIGITS)
            elif measurand == CURRENT and self.amps is None and lines:
                self.amps = max(lines.values())
            elif measurand == VOLTAGE and self.volts is None and lines:
                self.volts = sum(lines.values()) / len(lines)
        self._phases = None

    def merge(self, later: Reading) -> None:
        """Take over what a later reading tells."""
        self.at = max(self.at, later.at)
        for name in ("register_wh", "power_kw", "amps", "volts", "soc", "temperature_c"):
            value = getattr(later, name)
            if value is not None:
                setattr(self, name, value)

    def _take(self, measurand: str, value: float) -> bool:
        if measurand == ENERGY_REGISTER:
            try:
                self.register_wh = exact_wh(value)
            except InvalidEnergy:
                return False
        elif measurand == POWER:
            self.power_kw = value
        elif measurand == CURRENT:
            self.amps = value
        elif measurand == VOLTAGE:
            self.volts = value
        else:
            self.soc = min(value, 1.0)
        return True

    def _take_temperature(self, value: float, unit: str) -> bool:
        if not -300.0 < value < 1e6:
            return False
        if unit in ("Celsius", "Celcius"):  # the standard's first edition misspelt it
            self.temperature_c = value
        elif unit == "Fahrenheit":
            self.temperature_c = (value - 32.0) / 1.8
        elif unit == "K":
            self.temperature_c = value - 273.15
        else:
            return False
        return True


_LINES: Final = frozenset(("L1", "L2", "L3", "L1-N", "L2-N", "L3-N"))
"""A reading between two lines, or of the neutral, is part of no sum."""
