"""Meter readings as OCPP 1.6 spells them: sampled values with measurand, unit, location and context."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from evcharging.ocpp.exchange import Payload
from evcharging.ocpp.station.wire import Context, Sample
from evcharging.ocpp.timestamps import timestamp_of as text_time

__all__ = ["MEASURANDS", "meter_value", "text_time"]

_PERCENT: Final = 100.0

Measure = Callable[[Sample], str | None]

MEASURANDS: Final[dict[str, tuple[Measure, str, str]]] = {
    "Energy.Active.Import.Register": (lambda sample: str(sample.register_wh), "Wh", "Outlet"),
    "Power.Active.Import": (lambda sample: f"{sample.reading.power_w:.1f}", "W", "Outlet"),
    "Current.Import": (lambda sample: f"{sample.reading.amps:.2f}", "A", "Outlet"),
    "Current.Offered": (lambda sample: f"{sample.reading.limit_amps:.2f}", "A", "Outlet"),
    "Voltage": (lambda sample: f"{sample.reading.volts:.1f}", "V", "Outlet"),
    "SoC": (
        lambda sample: None if sample.reading.soc is None else f"{sample.reading.soc * _PERCENT:.1f}",
        "Percent",
        "EV",
    ),
    "Temperature": (lambda sample: f"{sample.reading.temperature_c:.1f}", "Celsius", "Body"),
}
"""What stations measure: how it is read, its unit, and where it is taken. SoC is left out without a vehicle."""


def meter_value(sample: Sample, measurands: tuple[str, ...]) -> Payload | None:
    """Return one `meterValue` element, None where none of the measurands has a value now."""
    values: list[dict[str, str]] = []
    for measure, blank in _blanks(measurands, sample.context):
        value = measure(sample)
        if value is not None:
            sampled = blank.copy()
            sampled["value"] = value
            values.append(sampled)
    return {"timestamp": text_time(sample.at_s), "sampledValue": values} if values else None


@lru_cache(maxsize=256)
def _blanks(measurands: tuple[str, ...], context: Context) -> tuple[tuple[Measure, dict[str, str]], ...]:
    """Each measurand's sampled value but for the value, which is all that differs from one sample to the next."""
    told = {} if context is Context.PERIODIC else {"context": context.value}  # what the standard takes for granted
    blanks = []
    for measurand in measurands:
        measure, unit, location = MEASURANDS[measurand]
        blanks.append((measure, {"value": "", "measurand": measurand, "unit": unit, "location": location, **told}))
    return tuple(blanks)
