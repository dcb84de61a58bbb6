"""What a station is configured with where nobody says otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from evcharging.ocpp.schemas import check_request
from evcharging.ocpp.station.parameters import DEFAULT_MEASURANDS, ENERGY, Parameters
from evcharging.ocpp.versions import OcppVersion

AT = "2026-03-01T12:00:00Z"


def meter_values(version: OcppVersion, measurand: str) -> dict[str, Any]:
    if version is OcppVersion.V16:
        sampled: dict[str, Any] = {"value": "1", "measurand": measurand}
        return {"connectorId": 1, "meterValue": [{"timestamp": AT, "sampledValue": [sampled]}]}
    sampled = {"value": 1.0, "measurand": measurand}
    return {"evseId": 1, "meterValue": [{"timestamp": AT, "sampledValue": [sampled]}]}


@pytest.mark.parametrize("measurand", sorted({*DEFAULT_MEASURANDS, *Parameters().aligned}))
def test_the_default_measurands_are_the_standards(measurand: str) -> None:
    check_request(OcppVersion.V16, "MeterValues", meter_values(OcppVersion.V16, measurand))


def test_in_2_0_1_there_is_no_temperature_and_all_else() -> None:
    for measurand in set(DEFAULT_MEASURANDS) - {"Temperature"}:
        check_request(OcppVersion.V201, "MeterValues", meter_values(OcppVersion.V201, measurand))


def test_the_register_is_always_told() -> None:
    made = Parameters()
    assert ENERGY in made.sampled
    assert ENERGY in made.aligned


def test_the_end_of_a_transaction_tells_no_data_unless_that_is_asked_for() -> None:
    made = Parameters()
    assert (made.ended_sampled, made.ended_aligned, made.aligned_interval_s) == ((), (), 0.0)


def test_each_station_has_its_own() -> None:
    one, two = Parameters(), Parameters()
    one.heartbeat_interval_s = 10.0
    assert two.heartbeat_interval_s == 300.0
