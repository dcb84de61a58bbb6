"""Numbers that a connector can have."""

from __future__ import annotations

import pytest

from evcharging.apps.ocpp_gateway.connector_numbers import connector_number, transaction_place
from evcharging.ocpp.errors import CallRejected, Fault


@pytest.mark.parametrize("number", [0, 1, 255])
def test_a_number_that_the_bus_takes_is_that_number(number: int) -> None:
    assert connector_number(number, "connectorId") == number


@pytest.mark.parametrize("number", [-1, 256, 2**31])
def test_any_other_is_refused_by_the_name_of_its_field(number: int) -> None:
    with pytest.raises(CallRejected, match="connectorId: .*; expected 0 to 255") as refused:
        connector_number(number, "connectorId")
    assert refused.value.fault is Fault.PROPERTY_CONSTRAINT


@pytest.mark.parametrize(("number", "place"), [(0, 0), (2, 2), (255, 255), (-1, 0), (256, 0)])
def test_a_transaction_at_a_connector_that_cannot_be_is_one_of_the_whole_station(number: int, place: int) -> None:
    assert transaction_place(number) == place
