"""Meter readings as OCPP 2.0.1 spells them: numbers, with measurand, unit, location and context."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

from evcharging.ocpp.exchange import Payload
from evcharging.ocpp.station.wire import Context, Sample
from evcharging.ocpp.timestamps import timestamp_of as text_time

__all__ = ["MEASURANDS", "measured", "meter_value", "text_time"]

_PERCENT: Final = 100.0

Measure = Callable[[Sample], float | None]

MEASURANDS: Final[dict[str, tuple[Measure, str, str]]] = {
    "Energy.Active.Import.Register": (lambda sample: float(sample.register_wh), "Wh", "Outlet"),
    "Power.Active.Import": (lambda sample: round(sample.reading.power_w, 1), "W", "Outlet"),
    "Current.Import": (lambda sample: round(sample.reading.amps, 2), "A", "Outlet"),
    "Current.Offered": (lambda sample: round(sample.reading.limit_amps, 2), "A", "Outlet"),
    "Voltage": (lambda sample: round(sample.reading.volts, 1), "V", "Outlet"),
    "SoC": (
        lambda sample: None if sample.reading.soc is None else round(sample.reading.soc * _PERCENT, 1),
        "Percent",
        "EV",
    ),
}
"""What stations measure. 2.0.1 has no temperature among its measurands. SoC is left out without a vehicle."""


def measured(names: Sequence[str]) -> tuple[str, ...]:
    """Those of ``names`` that are measurands here."""
    return tuple(name for name in names if name in MEASURANDS)


def meter_value(sample: Sample, measurands: tuple[str, ...]) -> Payload | None:
    """One `meterValue` element, None where none of the measurands has a value now."""
    values: list[dict[str, Any]] = []
    for measure, blank in _blanks(measurands, sample.context):
        value = measure(sample)
        if value is not None:
            sampled = blank.copy()
            sampled["value"] = value
            values.append(sampled)
    return {"timestamp": text_time(sample.at_s), "sampledValue": values} if values else None


@lru_cache(maxsize=256)
def _blanks(measurands: tuple[str, ...], context: Context) -> tuple[tuple[Measure, dict[str, Any]], ...]:
    """Each measurand's sampled value but for the value, which is all that differs from one sample to the next."""
    told = {} if context is Context.PERIODIC else {"context": context.value}  # what the standard takes for granted
    blanks = []
    for measurand in measurands:
        measure, unit, location = MEASURANDS[measurand]
        blank = {"value": 0.0, "measurand": measurand, "location": location, "unitOfMeasure": {"unit": unit}, **told}
        blanks.append((measure, blank))
    return tuple(blanks)
