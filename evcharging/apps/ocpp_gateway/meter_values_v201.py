"""OCPP 2.0.1 meter values (part 2, MeterValueType) to readings. What cannot be read costs only itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from evcharging.apps.ocpp_gateway.meter_values_v16 import PASSED_OVER
from evcharging.apps.ocpp_gateway.readings import ENERGY_REGISTER, Reading
from evcharging.ocpp.timestamps import parse_timestamp

__all__ = ["readings_of"]


def readings_of(meter_values: Iterable[dict[str, Any]]) -> list[Reading]:
    """Readings in the order of the message. A signed value counts by the plain value beside it.

    Raises:
        CallRejected: a timestamp is none.
    """
    readings = []
    for meter_value in meter_values:
        reading = Reading(parse_timestamp(meter_value["timestamp"]))
        for sampled in meter_value["sampledValue"]:
            unit = sampled.get("unitOfMeasure") or {}
            try:
                value = float(sampled["value"]) * 10.0 ** unit.get("multiplier", 0)
            except OverflowError:
                PASSED_OVER.inc()
                continue
            if not reading.add(
                sampled.get("measurand", ENERGY_REGISTER),
                value,
                unit=unit.get("unit"),
                phase=sampled.get("phase"),
                location=sampled.get("location"),
            ):
                PASSED_OVER.inc()
        reading.complete()
        readings.append(reading)
    return readings
