"""1.6 meter values as chargers send them."""

from __future__ import annotations

import pytest

from evcharging.apps.ocpp_gateway.meter_values_v16 import readings_of
from evcharging.ocpp.errors import CallRejected


def values(*sampled: dict[str, str], timestamp: str = "2026-03-01T12:00:00Z") -> list[dict[str, object]]:
    return [{"timestamp": timestamp, "sampledValue": list(sampled)}]


def test_a_bare_value_is_the_energy_register_in_wh() -> None:
    [reading] = readings_of(values({"value": "1500"}))
    assert reading.register_wh == 1500
    assert reading.at.isoformat() == "2026-03-01T12:00:00+00:00"


@pytest.mark.parametrize("context", ["Sample.Clock", "Sample.Periodic", "Transaction.Begin", "Trigger", "Other"])
def test_sampled_and_clock_aligned_values_count_alike(context: str) -> None:
    assert readings_of(values({"value": "7", "context": context}))[0].register_wh == 7


def test_signed_data_and_what_is_no_number_cost_only_themselves() -> None:
    [reading] = readings_of(
        values(
            {"value": "30 44 02 20", "format": "SignedData"},
            {"value": "n/a", "measurand": "Voltage"},
            {"value": "16.5", "measurand": "Current.Import", "unit": "A"},
        )
    )
    assert (reading.register_wh, reading.volts, reading.amps) == (None, None, 16.5)


def test_several_moments_stay_in_their_order() -> None:
    readings = readings_of([*values({"value": "1"}), *values({"value": "2"}, timestamp="2026-03-01T12:01:00+00:00")])
    assert [r.register_wh for r in readings] == [1, 2]


def test_a_timestamp_that_is_none_rejects_the_message() -> None:
    with pytest.raises(CallRejected):
        readings_of(values({"value": "1"}, timestamp="now"))
