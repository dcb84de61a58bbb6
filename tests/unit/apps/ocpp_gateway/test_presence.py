"""Sockets that come and go: what is read back, what is told as lost, and whose word a command is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from evcharging.apps.ocpp_gateway.boots import BootReport, Boots, BootTerms
from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, ConnectorReport
from evcharging.apps.ocpp_gateway.presence import STATIONS_AT_ONCE, is_ours_to_take
from evcharging.apps.ocpp_gateway.writes import Work
from evcharging.domain.states import ChargePointState, OcppStatus
from evcharging.messages.charge_points import Status, Telemetry
from evcharging.messages.topics import STATUS
from evcharging.store.gateway import tables
from evcharging.store.gateway.transactions import TransactionRow, insert_all
from tests.support.central_system import Business, business, until
from tests.support.gateway_parts import NOW, Ground, Socket, ground


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Ground]:
    async with ground(tmp_path) as made:
        yield made


@pytest.fixture
async def other(tmp_path: Path, gateway: Ground) -> AsyncIterator[Ground]:
    """Another gateway on the same database."""
    async with ground(tmp_path, name="gateway-2") as made:
        yield made


async def connect(gateway: Ground, cp_id: str = "CP-1") -> tuple[ChargePoint, Socket]:
    socket = Socket(cp_id)
    point = gateway.presence.connected(socket)
    await gateway.stored()
    return point, socket


async def charging(gateway: Ground, *, metered: bool = True) -> None:
    """A transaction that is open in the database, and a connector that charges."""
    row = TransactionRow(
        session_id="s-1",
        cp_id="CP-1",
        transaction_id="7",
        number=7,
        content_key="k-1",
        connector_id=1,
        created_at=NOW,
        started_at=NOW,
        meter_start_wh=Decimal(1000),
    )
    if metered:
        row.last_seq, row.register_wh, row.interval_wh = 3, Decimal(1300), Decimal(100)
        row.interval_start, row.interval_end = NOW, NOW + timedelta(minutes=1)

    async def effect(work: Work) -> None:
        await insert_all(work.transaction, [row])

    await gateway.writes.do(effect)
    gateway.statuses.report(ChargePoint("CP-1"), 1, ConnectorReport(OcppStatus.CHARGING, NOW))
    await gateway.writes.do(gateway.statuses.flush)
    gateway.said.clear()


def whole(gateway: Ground) -> list[tuple[str, str | None]]:
    return [(s.state.value, s.reason) for s in gateway.messages(Status) if s.connector_id == 0]


async def test_what_is_known_of_a_station_is_there_again_in_a_moment(gateway: Ground) -> None:
    await charging(gateway)
    point, _ = await connect(gateway)
    assert point.loaded
    assert point.connectors[1].status is OcppStatus.CHARGING
    transaction = point.open["7"]
    assert (transaction.session_id, transaction.register_wh, transaction.last_seq) == ("s-1", 1300, 3)
    assert point.state_of(1) is ChargePointState.SUPPLYING


async def test_the_last_interval_is_said_again_when_its_station_comes(gateway: Ground) -> None:
    await charging(gateway)
    await connect(gateway)
    (interval,) = gateway.messages(Telemetry)
    assert (interval.session_id, interval.seq, interval.register_wh) == ("s-1", 3, 1300.0)


async def test_a_station_that_returns_without_a_boot_is_told_as_resumed_if_its_last_boot_was_accepted(
    gateway: Ground,
) -> None:
    point, socket = await connect(gateway)
    assert whole(gateway) == []
    boots = Boots(gateway.statuses, terms=lambda _: BootTerms("Accepted", 300), now=gateway.now)
    boots.boot(point, BootReport(vendor=None, model=None))
    await gateway.writes.do(boots.flush)
    gateway.presence.disconnected(socket, "reset by peer")
    await gateway.stored()
    gateway.advance(5)
    await connect(gateway)
    assert whole(gateway) == [("ACTIVATED", "boot"), ("DISCONNECTED", "connection_lost"), ("ACTIVATED", "resumed")]


async def test_what_came_before_it_was_read_is_told_afterwards_with_its_session(gateway: Ground) -> None:
    await charging(gateway)
    point = gateway.presence.connected(Socket())
    gateway.statuses.report(point, 1, ConnectorReport(OcppStatus.SUSPENDED_EV, NOW + timedelta(seconds=1)))
    assert gateway.messages(Status) == []
    await gateway.stored()
    (status,) = gateway.messages(Status)
    assert (status.connector_id, status.reason, status.session_id) == (1, "SuspendedEV", "s-1")


async def test_a_lost_socket_is_told_once_with_its_reason_and_the_session_stays_open(gateway: Ground) -> None:
    await charging(gateway)
    _, socket = await connect(gateway)
    gateway.said.clear()
    gateway.presence.disconnected(socket, "x" * 1_000)
    gateway.presence.disconnected(socket, "again")
    await gateway.stored()
    assert whole(gateway) == [("DISCONNECTED", "connection_lost")]
    assert gateway.messages(Status)[0].detail.text == "x" * 200
    assert gateway.points.get("CP-1") is None
    assert (await gateway.rows(tables.transactions))[0]["stopped_at"] is None
    assert (await gateway.rows(tables.sockets))[0]["gone_at"] == NOW


async def test_a_socket_that_was_replaced_is_nobodys_loss(gateway: Ground) -> None:
    _, old = await connect(gateway)
    point, new = await connect(gateway)
    gateway.presence.disconnected(old, "replaced")
    await gateway.stored()
    assert whole(gateway) == []
    assert point.link is new


async def test_a_station_that_is_back_before_its_loss_is_stored_is_not_told_as_lost(gateway: Ground) -> None:
    _, old = await connect(gateway)
    gateway.presence.disconnected(old, "reset by peer")
    point = gateway.presence.connected(Socket())
    await gateway.stored()
    assert whole(gateway) == []
    assert point.loaded
    assert (await gateway.rows(tables.sockets))[0]["socket_id"] == point.socket_id


async def test_the_gateway_that_hears_late_of_a_station_that_went_elsewhere_says_nothing(
    gateway: Ground, other: Ground
) -> None:
    _, old = await connect(gateway)
    await connect(other)
    gateway.presence.disconnected(old, "timed out")
    await gateway.stored()
    assert whole(gateway) == []
    assert (await gateway.rows(tables.sockets))[0]["gone_at"] is None


async def test_stations_of_a_gateway_that_is_silent_for_a_minute_are_told_as_lost_once(
    gateway: Ground, other: Ground
) -> None:
    await other.presence.look()
    await connect(other)
    gateway.advance(59)
    assert await gateway.presence.look() == 0
    gateway.advance(2)
    assert await gateway.presence.look() == 1
    assert await gateway.presence.look() == 0
    assert whole(gateway) == [("DISCONNECTED", "connection_lost")]


async def test_stations_of_a_gateway_that_lives_are_left_to_it(gateway: Ground, other: Ground) -> None:
    await connect(other)
    for _ in range(5):
        gateway.advance(30)
        other.advance(30)
        await other.presence.look()
        assert await gateway.presence.look() == 0


async def test_a_gateway_that_has_not_shown_itself_yet_has_a_minute_for_it(gateway: Ground, other: Ground) -> None:
    await connect(other)
    gateway.advance(60)
    assert await gateway.presence.look() == 0
    gateway.advance(1)
    assert await gateway.presence.look() == 1


async def test_at_the_start_every_open_transaction_is_said_as_it_stands(gateway: Ground) -> None:
    await charging(gateway)
    assert await gateway.presence.publish_open_again() == 1
    assert [t.seq for t in gateway.messages(Telemetry)] == [3]


async def test_a_transaction_without_an_interval_has_none_to_say_again(gateway: Ground) -> None:
    await charging(gateway, metered=False)
    assert await gateway.presence.publish_open_again() == 1
    assert gateway.messages(Telemetry) == []


async def may_take(gateway: Ground, cp_id: str = "CP-1") -> bool:
    async def effect(work: Work) -> bool:
        return await is_ours_to_take(work, cp_id, gateway.points.get(cp_id))

    return await gateway.writes.do(effect)


async def test_a_command_is_for_whoever_has_the_newest_socket_and_an_older_one_is_ended(
    gateway: Ground, other: Ground
) -> None:
    assert not await may_take(gateway)
    _, old = await connect(gateway)
    assert await may_take(gateway)
    other.advance(1)
    await connect(other)
    assert await may_take(other)
    assert not await may_take(gateway)
    assert old.closed == (1000, "the station has a newer connection")


async def test_a_station_that_was_there_once_may_be_answered_for_by_anybody(gateway: Ground, other: Ground) -> None:
    _, socket = await connect(gateway)
    gateway.presence.disconnected(socket, "reset by peer")
    await gateway.stored()
    assert await may_take(gateway)
    assert await may_take(other)


async def test_a_state_that_nobody_knows_costs_only_its_connector(gateway: Ground) -> None:
    await charging(gateway)

    async def spoil(work: Work) -> None:
        values = {"cp_id": "CP-1", "connector_id": 2, "status": "Dancing", "reported_at": NOW}
        await work.transaction.execute(tables.connectors.insert().values(**values))

    await gateway.writes.do(spoil)
    point, _ = await connect(gateway)
    assert point.loaded
    assert point.connectors.keys() == {1}


MANY = 2 * STATIONS_AT_ONCE + 50


def steps(gateway: Business) -> list[int]:
    """How many statuses each transaction of the database led to, from now on."""
    seen: list[int] = []
    commit = gateway.central.writes._commit

    async def counted(batch: list[object]) -> None:
        before = gateway.central.sender.waiting
        await commit(batch)
        seen.append(gateway.central.sender.waiting - before)

    gateway.central.writes._commit = counted  # type: ignore[method-assign,assignment]
    return seen


async def test_every_station_of_a_storm_is_read_and_none_waits_for_all(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        told = steps(gateway)
        stations = [gateway.station(f"CP-{number}") for number in range(MANY)]
        for station in stations:
            await station.tell("BootNotification", {"chargePointVendor": "Maker", "chargePointModel": "Model"})
        await until(lambda: all(point.loaded for point in gateway.central.points))
        await gateway.quiet()
        await gateway.central.sender.drain(30)
        assert {status.cp_id for status in gateway.said(STATUS)} == {station.cp_id for station in stations}
        assert max(told) <= STATIONS_AT_ONCE


async def test_every_station_that_is_lost_is_told_of_and_forgotten(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        stations = [gateway.station(f"CP-{number}") for number in range(MANY)]
        await until(lambda: all(point.loaded for point in gateway.central.points))
        await gateway.quiet()
        told = steps(gateway)
        for station in stations:
            station.disconnect()
        await until(lambda: not len(gateway.central.points))
        await gateway.central.sender.drain(30)
        lost = [status.cp_id for status in gateway.said(STATUS) if status.reason == "connection_lost"]
        assert sorted(lost) == sorted(station.cp_id for station in stations)
        assert max(told) <= STATIONS_AT_ONCE
