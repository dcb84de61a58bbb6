"""How a reading is spelt in 2.0.1."""

from __future__ import annotations

import pytest

from evcharging.domain.charger_state import ChargerState, FaultCode
from evcharging.ocpp.station.interfaces import Reading
from evcharging.ocpp.station.v201.meter_values import MEASURANDS, measured, meter_value
from evcharging.ocpp.station.wire import Context, Sample

READING = Reading(1234.9, 15.996, 230.94, 11083.25, 0.514, 31.0, ChargerState.CHARGING, FaultCode.NONE, 16.0)


def sample(context: Context = Context.PERIODIC, **changes) -> Sample:
    return Sample(1_750_032_000.0, context, 1234, READING._replace(**changes))


def test_values_are_rounded_numbers():
    value = meter_value(sample(), tuple(MEASURANDS))
    assert value is not None
    assert value["timestamp"] == "2025-06-16T00:00:00.000Z"
    assert {one["measurand"]: one["value"] for one in value["sampledValue"]} == {
        "Energy.Active.Import.Register": 1234.0,
        "Power.Active.Import": pytest.approx(11083.2, abs=0.11),
        "Current.Import": 16.0,
        "Current.Offered": 16.0,
        "Voltage": 230.9,
        "SoC": 51.4,
    }


def test_the_context_is_left_out_where_it_goes_without_saying():
    periodic, begin = (meter_value(sample(context), ("Voltage",)) for context in (Context.PERIODIC, Context.BEGIN))
    assert periodic is not None
    assert begin is not None
    assert "context" not in periodic["sampledValue"][0]
    assert begin["sampledValue"][0]["context"] == "Transaction.Begin"


def test_without_a_vehicle_there_is_no_state_of_charge():
    assert meter_value(sample(soc=None), ("SoC",)) is None
    assert meter_value(sample(), ()) is None


def test_what_201_does_not_measure_is_left_out():
    assert measured(("Temperature", "SoC", "Coffee")) == ("SoC",)


def test_a_sample_is_not_changed_by_the_next_one():
    first = meter_value(sample(), ("Voltage", "Current.Import"))
    second = meter_value(sample(volts=231.0), ("Voltage", "Current.Import"))
    assert first is not None
    assert second is not None
    assert [one["value"] for one in first["sampledValue"]] == [230.9, 16.0]
    assert [one["value"] for one in second["sampledValue"]] == [231.0, 16.0]
