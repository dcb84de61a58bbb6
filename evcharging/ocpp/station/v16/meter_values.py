"""Meter readings as OCPP 1.6 spells them: sampled values with measurand, unit, location and context."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from evcharging.ocpp.exchange import Payload
from evcharging.ocpp.station.wire import Context, Sample

_PER_KILO: Final = 1000.0
_PERCENT: Final = 100.0
_WITHOUT_ZONE: Final = -len("+00:00")

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


def meter_value(sample: Sample, measurands: Sequence[str]) -> Payload | None:
    """Return one `meterValue` element, None where none of the measurands has a value now."""
    context = sample.context.value
    periodic = sample.context is Context.PERIODIC
    values: list[dict[str, Any]] = []
    for measurand in measurands:
        measure, unit, location = MEASURANDS[measurand]
        value = measure(sample)
        if value is None:
            continue
        sampled = {"value": value, "measurand": measurand, "unit": unit, "location": location}
        if not periodic:  # Sample.Periodic is what the standard takes for granted
            sampled["context"] = context
        values.append(sampled)
    if not values:
        return None
    return {"timestamp": text_time(sample.at_s), "sampledValue": values}


def text_time(at_s: float) -> str:
    """Return Unix seconds as the wire spells them."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds")[:_WITHOUT_ZONE] + "Z"
