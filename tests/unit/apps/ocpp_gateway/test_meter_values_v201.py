"""2.0.1 meter values to readings."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from evcharging.apps.ocpp_gateway.meter_values_v201 import readings_of
from evcharging.ocpp.errors import CallRejected

AT = "2026-01-31T12:00:00Z"


def sampled(*values: dict[str, Any], at: str = AT) -> list[dict[str, Any]]:
    return [{"timestamp": at, "sampledValue": list(values)}]


def test_a_bare_value_is_the_register_in_watt_hours() -> None:
    (reading,) = readings_of(sampled({"value": 1_234.5}))

    assert reading.register_wh == Decimal("1234.5")
    assert reading.at == datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("unit", "register_wh"),
    [
        ({"unit": "Wh", "multiplier": 3}, 2_000),
        ({"unit": "kWh"}, 2_000),
        ({"unit": "kWh", "multiplier": -3}, 2),
        ({}, 2),
        ({"multiplier": 1}, 20),
    ],
)
def test_units_and_multipliers_are_taken_together(unit: dict[str, Any], register_wh: float) -> None:
    (reading,) = readings_of(sampled({"value": 2, "unitOfMeasure": unit}))

    assert reading.register_wh == Decimal(register_wh)


def test_a_signed_value_counts_by_the_plain_one_beside_it() -> None:
    signed = {"signedMeterData": "x", "signingMethod": "", "encodingMethod": "OCMF", "publicKey": ""}

    (reading,) = readings_of(sampled({"value": 7, "signedMeterValue": signed}))

    assert reading.register_wh == 7


def test_phases_make_a_total_and_other_places_do_not_count() -> None:
    power = {"measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "W"}}
    phases = [{"value": 1_000, "phase": phase, **power} for phase in ("L1", "L2", "L3")]

    (reading,) = readings_of(sampled(*phases, {"value": 9, "location": "Inlet"}))

    assert reading.power_kw == pytest.approx(3.0)
    assert reading.register_wh is None


@pytest.mark.parametrize(
    "value",
    [
        {"value": 1, "unitOfMeasure": {"multiplier": 400}},
        {"value": 1e300, "unitOfMeasure": {"multiplier": 100}},
        {"value": -5},
        {"value": 1, "unitOfMeasure": {"unit": "furlong"}},
        {"value": 1, "measurand": "Frequency"},
    ],
)
def test_a_value_that_no_meter_shows_costs_only_itself(value: dict[str, Any]) -> None:
    current = {"value": 16, "measurand": "Current.Import", "unitOfMeasure": {"unit": "A"}}

    (reading,) = readings_of(sampled(value, current))

    assert (reading.register_wh, reading.amps) == (None, 16.0)


def test_readings_keep_their_order() -> None:
    values = [*sampled({"value": 1}), *sampled({"value": 2}, at="2026-01-31T12:01:00Z")]

    assert [reading.register_wh for reading in readings_of(values)] == [1, 2]


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(CallRejected):
        readings_of(sampled({"value": 1}, at="noon"))
