"""A station in memory: states and their roll-up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, ChargePoints, ConnectorReport, Link, OpenTransaction
from evcharging.domain.states import ChargePointState, OcppStatus

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def point(statuses: dict[int, OcppStatus], **attributes: Any) -> ChargePoint:
    made = ChargePoint("CP-1")
    made.link = cast("Link", object())
    made.boot_status = "Accepted"
    for connector_id, status in statuses.items():
        made.connectors[connector_id] = ConnectorReport(status, AT)
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def begin(made: ChargePoint, transaction_id: str, connector_id: int) -> OpenTransaction:
    transaction = OpenTransaction(f"s-{transaction_id}", made.cp_id, transaction_id, connector_id, AT)
    made.open[transaction_id] = transaction
    return transaction


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (OcppStatus.AVAILABLE, ChargePointState.SUPPLYING),
        (OcppStatus.FINISHING, ChargePointState.SUPPLYING),
        (OcppStatus.CHARGING, ChargePointState.SUPPLYING),
        (OcppStatus.FAULTED, ChargePointState.FAULT),
        (OcppStatus.UNAVAILABLE, ChargePointState.STOPPED),
    ],
)
def test_a_connector_supplies_while_a_transaction_is_open_unless_it_cannot(
    status: OcppStatus, state: ChargePointState
) -> None:
    made = point({1: status})
    begin(made, "7", 1)
    assert made.state_of(1) is state


def test_a_connector_is_free_again_but_for_the_transaction_that_is_ending() -> None:
    made = point({1: OcppStatus.CHARGING})
    begin(made, "7", 1)
    assert made.state_of(1, without="7") is ChargePointState.ACTIVATED
    begin(made, "8", 1)
    assert made.state_of(1, without="7") is ChargePointState.SUPPLYING


@pytest.mark.parametrize(
    ("attributes", "state"),
    [
        ({}, ChargePointState.ACTIVATED),
        ({"link": None}, ChargePointState.DISCONNECTED),
        ({"boot_status": "Pending"}, ChargePointState.STOPPED),
    ],
)
def test_the_whole_is_what_its_socket_and_its_boot_say(attributes: dict[str, Any], state: ChargePointState) -> None:
    made = point({1: OcppStatus.AVAILABLE}, **attributes)
    assert made.whole_state() is state
    assert made.rolled_up() is state


def test_the_roll_up_supplies_where_any_connector_does() -> None:
    made = point({1: OcppStatus.AVAILABLE, 2: OcppStatus.FAULTED})
    begin(made, "7", 3)
    assert made.rolled_up() is ChargePointState.SUPPLYING


def test_the_newest_transaction_of_a_connector_counts() -> None:
    made = point({})
    begin(made, "7", 1)
    newest = begin(made, "8", 1)
    assert made.transaction_at(1) is newest
    assert made.transaction_of("s-8") is newest
    made.drop("8")
    assert made.transaction_at(1) is made.open["7"]


def test_stations_are_known_until_they_are_forgotten() -> None:
    points = ChargePoints()
    made = points.obtain("CP-1")
    assert points.obtain("CP-1") is made
    assert points.connected() == []
    points.forget("CP-1")
    assert points.get("CP-1") is None
    assert len(points) == 0
