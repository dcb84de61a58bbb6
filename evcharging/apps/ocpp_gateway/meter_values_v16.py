"""OCPP 1.6 meter values (section 7.33 and 7.43) to readings. What cannot be read costs only itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prometheus_client import Counter

from evcharging.apps.ocpp_gateway.readings import ENERGY_REGISTER, Reading
from evcharging.ocpp.timestamps import parse_timestamp

__all__ = ["readings_of"]

PASSED_OVER = Counter(
    "evcharging_gateway_sampled_values_passed_over_total", "Sampled values that no reading is made of"
)
SIGNED = "SignedData"


def readings_of(meter_values: Iterable[dict[str, Any]]) -> list[Reading]:
    """Readings in the order of the message. Sampled and clock-aligned values count alike; signed ones are opaque.

    Raises:
        CallRejected: a timestamp is none.
    """
    readings = []
    for meter_value in meter_values:
        reading = Reading(parse_timestamp(meter_value["timestamp"]))
        for sampled in meter_value["sampledValue"]:
            if sampled.get("format") == SIGNED:
                PASSED_OVER.inc()
                continue
            try:
                value = float(sampled["value"])
            except ValueError:
                PASSED_OVER.inc()
                continue
            if not reading.add(
                sampled.get("measurand", ENERGY_REGISTER),
                value,
                unit=sampled.get("unit"),
                phase=sampled.get("phase"),
                location=sampled.get("location"),
            ):
                PASSED_OVER.inc()
        reading.complete()
        readings.append(reading)
    return readings
