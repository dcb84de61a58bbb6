"""What stations say of their connectors, and what is told and kept of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, ConnectorReport, OpenTransaction
from evcharging.domain.states import ChargePointState, OcppStatus
from evcharging.messages.charge_points import Status
from evcharging.store.gateway import tables
from tests.support.gateway_parts import NOW, Ground, ground


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Ground]:
    async with ground(tmp_path) as made:
        yield made


@pytest.fixture
def point(gateway: Ground) -> ChargePoint:
    return gateway.station()[0]


def said(gateway: Ground) -> list[tuple[int, ChargePointState, str | None]]:
    return [(s.connector_id, s.state, s.reason) for s in gateway.messages(Status)]


def tell(gateway: Ground, point: ChargePoint, status: OcppStatus, connector_id: int = 1, **more: Any) -> None:
    gateway.statuses.report(point, connector_id, ConnectorReport(status, gateway.moment, **more))


def begin(point: ChargePoint, connector_id: int = 1) -> OpenTransaction:
    transaction = OpenTransaction("s-1", point.cp_id, "7", connector_id, NOW)
    point.open["7"] = transaction
    return transaction


def test_a_status_is_told_in_the_words_of_the_bus_and_one_that_says_nothing_new_is_not(
    gateway: Ground, point: ChargePoint
) -> None:
    tell(gateway, point, OcppStatus.AVAILABLE)
    gateway.advance(5)
    tell(gateway, point, OcppStatus.AVAILABLE)
    tell(gateway, point, OcppStatus.UNAVAILABLE)
    assert said(gateway) == [
        (1, ChargePointState.ACTIVATED, "Available"),
        (1, ChargePointState.STOPPED, "Unavailable"),
    ]
    assert gateway.messages(Status)[1].previous_state is ChargePointState.ACTIVATED


def test_a_fault_is_told_with_its_code_and_what_the_maker_says_of_it(gateway: Ground, point: ChargePoint) -> None:
    tell(gateway, point, OcppStatus.FAULTED, error_code="GroundFailure", info="relay", vendor_error_code="E7")
    (status,) = gateway.messages(Status)
    assert (status.state, status.reason) == (ChargePointState.FAULT, "GroundFailure")
    detail = status.detail
    assert (detail.fault_code, detail.info, detail.vendor_error_code) == ("GroundFailure", "relay", "E7")


@pytest.mark.parametrize(
    ("before", "now", "freed"),
    [
        (OcppStatus.PREPARING, OcppStatus.AVAILABLE, True),
        (OcppStatus.PREPARING, OcppStatus.RESERVED, True),
        (OcppStatus.RESERVED, OcppStatus.AVAILABLE, True),
        (OcppStatus.PREPARING, OcppStatus.CHARGING, False),
        (OcppStatus.RESERVED, OcppStatus.PREPARING, False),
        (OcppStatus.FINISHING, OcppStatus.AVAILABLE, False),
        (OcppStatus.AVAILABLE, OcppStatus.AVAILABLE, False),
    ],
)
def test_a_connector_that_waited_and_is_free_has_served_nobody(
    gateway: Ground, point: ChargePoint, before: OcppStatus, now: OcppStatus, freed: bool
) -> None:
    tell(gateway, point, before)
    tell(gateway, point, now)
    assert gateway.freed == ([("CP-1", 1)] if freed else [])


def test_a_session_is_named_for_as_long_as_it_is_open(gateway: Ground, point: ChargePoint) -> None:
    begin(point)
    tell(gateway, point, OcppStatus.SUSPENDED_EV)
    (status,) = gateway.messages(Status)
    assert (status.state, status.session_id) == (ChargePointState.SUPPLYING, "s-1")


def test_before_its_transactions_are_known_a_station_is_not_spoken_for(gateway: Ground, point: ChargePoint) -> None:
    point.loaded = False
    tell(gateway, point, OcppStatus.CHARGING)
    assert gateway.said == []
    assert point.unsaid == {1}


@pytest.mark.parametrize("status", [OcppStatus.AVAILABLE, OcppStatus.RESERVED])
def test_a_free_connector_puts_its_transaction_in_doubt_from_the_first_word_on(
    gateway: Ground, point: ChargePoint, status: OcppStatus
) -> None:
    transaction = begin(point)
    tell(gateway, point, status)
    until_s = transaction.doubted_until_s
    assert until_s == NOW.timestamp() + 60.0
    gateway.advance(30)
    tell(gateway, point, status)
    assert transaction.doubted_until_s == until_s
    tell(gateway, point, OcppStatus.CHARGING)
    assert transaction.doubted_until_s is None


def test_what_was_said_before_a_transaction_began_puts_it_in_no_doubt(gateway: Ground, point: ChargePoint) -> None:
    tell(gateway, point, OcppStatus.AVAILABLE)
    transaction = begin(point)
    gateway.advance(10)
    transaction.started_at = gateway.moment
    gateway.statuses.doubt(point, 1)
    assert transaction.doubted_until_s is None


async def test_the_last_word_of_each_connector_is_kept(gateway: Ground, point: ChargePoint) -> None:
    tell(gateway, point, OcppStatus.AVAILABLE, 0)
    tell(gateway, point, OcppStatus.PREPARING)
    tell(gateway, point, OcppStatus.FAULTED, error_code="GroundFailure")
    assert gateway.statuses.due
    await gateway.writes.do(gateway.statuses.flush)
    assert not gateway.statuses.due
    kept = {row["connector_id"]: (row["status"], row["error_code"]) for row in await gateway.rows(tables.connectors)}
    assert kept == {0: ("Available", None), 1: ("Faulted", "GroundFailure")}


async def test_what_is_said_while_it_is_stored_is_due_again(gateway: Ground, point: ChargePoint) -> None:
    tell(gateway, point, OcppStatus.PREPARING)

    async def flush_meanwhile(work: Any) -> None:
        await gateway.statuses.flush(work)
        tell(gateway, point, OcppStatus.CHARGING)

    await gateway.writes.do(flush_meanwhile)
    assert gateway.statuses.due
    await gateway.writes.do(gateway.statuses.flush)
    assert [row["status"] for row in await gateway.rows(tables.connectors)] == ["Charging"]
