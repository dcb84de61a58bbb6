"""Central's orders in 2.0.1: each is what the standard's schemas take."""

from __future__ import annotations

import pytest

from evcharging.apps.ocpp_gateway.dialect import Ask
from evcharging.apps.ocpp_gateway.dialect_v201 import DialectV201
from evcharging.ocpp.schemas import check_request
from evcharging.ocpp.versions import OcppVersion

SPOKEN = DialectV201()


@pytest.mark.parametrize(
    ("ask", "action"),
    [
        (SPOKEN.start(id_tag="TAG", connector_id=1, remote_start_id=7), "RequestStartTransaction"),
        (SPOKEN.start(id_tag="TAG", connector_id=None, remote_start_id=7), "RequestStartTransaction"),
        (SPOKEN.stop("T-1"), "RequestStopTransaction"),
        (SPOKEN.serve(0, operative=False), "ChangeAvailability"),
        (SPOKEN.serve(2, operative=True), "ChangeAvailability"),
        (SPOKEN.limit(0, 16.0), "SetChargingProfile"),
        (SPOKEN.limit(1, 10.04, stack_level=5), "SetChargingProfile"),
        (SPOKEN.highest_level(), "GetVariables"),
        (SPOKEN.read_keys(["A.One", "B@1.2[x].Two[y]"]), "GetVariables"),
        (SPOKEN.set_key("A.One", "1"), "SetVariables"),
        (SPOKEN.inject(1, "unplug", {"delay_s": 3}), "DataTransfer"),
    ],
)
def test_every_order_is_a_request_of_the_standard(ask: Ask, action: str) -> None:
    assert ask.action == action
    assert action in SPOKEN.actions
    check_request(OcppVersion.V201, ask.action, ask.payload)


@pytest.mark.parametrize(
    ("status", "refusal"),
    [("Accepted", None), ("Scheduled", None), ("Rejected", "Rejected"), ("Occupied", "Occupied")],
)
def test_a_promise_is_a_yes(status: str, refusal: str | None) -> None:
    assert SPOKEN.serve(0, operative=True).refusal({"status": status}) == refusal


def test_a_limit_replaces_the_limit_before_it_and_no_others() -> None:
    profiles = [SPOKEN.limit(connector, amps).payload["chargingProfile"]["id"] for connector, amps in
                ((0, 10.0), (0, 16.0), (1, 10.0))]  # fmt: skip

    assert profiles[0] == profiles[1] != profiles[2]


def test_whatever_asks_a_station_to_charge_is_among_its_actions() -> None:
    assert SPOKEN.begins_charging < SPOKEN.actions
    assert not SPOKEN.transaction_messages & SPOKEN.actions


def test_values_are_those_of_variables_that_may_be_told() -> None:
    one = {"component": {"name": "A", "evse": {"id": 1}}, "variable": {"name": "One"}}
    two = {"component": {"name": "B"}, "variable": {"name": "Two"}}
    results = [
        {**one, "attributeStatus": "Accepted", "attributeValue": "1"},
        {**two, "attributeStatus": "UnknownComponent"},
    ]
    assert SPOKEN.values_told({"getVariableResult": results}) == {"A@1.One": "1"}
    assert SPOKEN.set_told({"setVariableResult": [{**one, "attributeStatus": "Rejected"}]}) == "Rejected"
