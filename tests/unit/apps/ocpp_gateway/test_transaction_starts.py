"""How transactions begin: recognised, numbered, tied to their order or reservation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from evcharging.apps.ocpp_gateway.charge_points import ChargePoint
from evcharging.apps.ocpp_gateway.transaction_ends import TransactionEnds
from evcharging.apps.ocpp_gateway.transaction_reports import Start, Started
from evcharging.apps.ocpp_gateway.transaction_starts import TransactionStarts
from evcharging.apps.ocpp_gateway.writes import Work
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Status
from evcharging.messages.network import TokenStatus
from evcharging.store.gateway import records, remote_starts, tables
from evcharging.store.gateway.remote_starts import RemoteStartRow
from tests.support.gateway_parts import NOW, Ground, ground


class Bench:
    def __init__(self, gateway: Ground, numbers: Callable[[], int], *, refuse_concurrent: bool = False) -> None:
        self.gateway = gateway
        self.to_end: list[tuple[str, str]] = []
        self.starts = TransactionStarts(
            gateway.authorization,
            gateway.announcements,
            TransactionEnds(gateway.announcements),
            new_number=numbers,
            refuse_concurrent=refuse_concurrent,
            on_stop_wanted=lambda _, transaction, reason: self.to_end.append((transaction.session_id, reason)),
        )

    async def begin(self, point: ChargePoint, **fields: Any) -> Started:
        return await self.gateway.writes.do_together(self.starts.begin, (point, start(**fields)))

    async def rows(self) -> list[dict[str, Any]]:
        return await self.gateway.rows(tables.transactions)


def start(**fields: Any) -> Start:
    said = {"connector_id": 1, "id_tag": "TAG", "started_at": NOW, "register_wh": Decimal(1000)}
    return Start(**{**said, **fields})


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Ground]:
    async with ground(tmp_path) as made:
        made.token("TAG", driver_id="driver-alice")
        yield made


@pytest.fixture
def bench(gateway: Ground) -> Bench:
    return Bench(gateway, count(1).__next__)


async def order(gateway: Ground, number: int = 500, **fields: Any) -> None:
    row = {
        "remote_start_id": number,
        "command_id": f"command-{number}",
        "cp_id": "CP-1",
        "connector_id": None,
        "id_tag": "TAG",
        "session_id": f"s-{number}",
        "driver_id": "driver-bob",
        "target_wh": Decimal(5000),
        "created_at": NOW,
        "expires_at": NOW + timedelta(minutes=10),
    }

    async def effect(work: Work) -> None:
        assert await remote_starts.add_remote_start(work.transaction, RemoteStartRow(**{**row, **fields}))

    await gateway.writes.do(effect)


async def reserve(gateway: Ground, number: int, **fields: Any) -> None:
    row = {"connector_id": 1, "id_tag": "TAG", "parent_id_tag": None, "expires_at": NOW + timedelta(hours=1)}

    async def effect(work: Work) -> None:
        await records.reserve(
            work.transaction, **{"cp_id": "CP-1", "reservation_id": number, "now": work.now, **row, **fields}
        )

    await gateway.writes.do(effect)


async def test_a_transaction_gets_a_number_a_session_and_the_verdict_on_its_card(bench: Bench) -> None:
    point, _ = bench.gateway.station()
    told = await bench.begin(point)
    assert (told.number, told.transaction_id, told.repeated) == (1, "1", False)
    assert told.verdict.status is TokenStatus.ACCEPTED
    assert point.open["1"].session_id == told.session_id
    (status,) = bench.gateway.messages(Status)
    assert (status.state, status.session_id) == (ChargePointState.SUPPLYING, told.session_id)
    (row,) = await bench.rows()
    assert (row["driver_id"], row["meter_start_wh"], row["id_tag_status"]) == ("driver-alice", 1000, "Accepted")


async def test_the_same_message_gets_the_same_answer_for_ever_whatever_became_of_the_card(bench: Bench) -> None:
    point, _ = bench.gateway.station()
    first = await bench.begin(point)
    bench.gateway.token("TAG", TokenStatus.BLOCKED)
    point.open.clear()  # as after a restart
    again = await bench.begin(point, id_tag="tag")
    assert (again.number, again.session_id, again.repeated) == (first.number, first.session_id, True)
    assert again.verdict.status is TokenStatus.ACCEPTED
    assert "1" in point.open
    assert len(await bench.rows()) == len(bench.gateway.messages(Status)) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"connector_id": 2},
        {"id_tag": "OTHER"},
        {"register_wh": Decimal(1001)},
        {"started_at": NOW + timedelta(milliseconds=1)},
    ],
)
async def test_one_that_differs_in_anything_is_another(bench: Bench, other: dict[str, Any]) -> None:
    point, _ = bench.gateway.station()
    numbers = {(await bench.begin(point)).number, (await bench.begin(point, **other)).number}
    assert numbers == {1, 2}


async def test_a_station_that_names_its_transactions_is_known_by_that_name(bench: Bench) -> None:
    point, _ = bench.gateway.station()
    first = await bench.begin(point, transaction_id="tx-a")
    again = await bench.begin(point, transaction_id="tx-a", register_wh=Decimal(2))
    assert (first.transaction_id, first.number) == ("tx-a", 0)
    assert again.repeated


async def test_many_that_come_at_once_are_all_entered_each_under_its_own_number(bench: Bench) -> None:
    points = [bench.gateway.station(f"CP-{number}")[0] for number in range(20)]
    told = await asyncio.gather(*(bench.begin(point) for point in points))
    assert len({one.number for one in told}) == len({one.session_id for one in told}) == 20
    assert {row["cp_id"] for row in await bench.rows()} == {point.cp_id for point in points}


async def test_the_same_message_twice_at_once_is_one_transaction(bench: Bench) -> None:
    point, _ = bench.gateway.station()
    one, two = await asyncio.gather(bench.begin(point), bench.begin(point))
    assert one.number == two.number
    assert len(await bench.rows()) == 1


async def test_a_number_that_is_taken_is_followed_by_another_and_numbers_that_never_vary_are_an_error(
    gateway: Ground,
) -> None:
    point, _ = gateway.station()
    numbers = iter([7, 7, 7, 8])
    bench = Bench(gateway, lambda: next(numbers))
    assert (await bench.begin(point)).number == 7
    assert (await bench.begin(point, connector_id=2)).number == 8
    with pytest.raises(RuntimeError, match="no free transaction number"):
        await Bench(gateway, lambda: 7).begin(point, connector_id=3)


@pytest.mark.parametrize(("status", "told"), [(TokenStatus.BLOCKED, TokenStatus.BLOCKED), (None, TokenStatus.INVALID)])
async def test_a_bad_card_is_told_and_its_transaction_entered_all_the_same(
    bench: Bench, status: TokenStatus | None, told: TokenStatus
) -> None:
    point, _ = bench.gateway.station()
    if status is not None:
        bench.gateway.token("BAD", status)
    assert (await bench.begin(point, id_tag="BAD")).verdict.status is told
    assert (await bench.rows())[0]["id_tag_status"] == told.value


@pytest.mark.parametrize(("refuse", "told"), [(True, TokenStatus.CONCURRENT_TX), (False, TokenStatus.ACCEPTED)])
async def test_a_card_that_charges_elsewhere_is_refused_where_that_is_set(
    gateway: Ground, refuse: bool, told: TokenStatus
) -> None:
    bench = Bench(gateway, count(1).__next__, refuse_concurrent=refuse)
    await bench.begin(gateway.station("CP-1")[0])
    assert (await bench.begin(gateway.station("CP-2")[0], id_tag="tag")).verdict.status is told


async def test_a_transaction_that_was_ordered_is_the_session_of_its_order(bench: Bench) -> None:
    await order(bench.gateway, id_tag="unknown")
    point, _ = bench.gateway.station()
    told = await bench.begin(point, id_tag="UNKNOWN")
    assert (told.session_id, told.verdict.status) == ("s-500", TokenStatus.ACCEPTED)
    assert (point.open["1"].driver_id, point.open["1"].target_wh) == ("driver-bob", 5000)
    assert (await bench.gateway.rows(tables.remote_starts))[0]["consumed_at"] == NOW
    assert (await bench.begin(point, connector_id=2)).session_id != "s-500"


@pytest.mark.parametrize(
    "fields",
    [{"cp_id": "CP-2"}, {"connector_id": 2}, {"id_tag": "OTHER"}, {"expires_at": NOW - timedelta(seconds=1)}],
)
async def test_an_order_for_something_else_or_of_the_past_is_left_alone(bench: Bench, fields: dict[str, Any]) -> None:
    await order(bench.gateway, **fields)
    assert (await bench.begin(bench.gateway.station()[0])).session_id != "s-500"
    assert (await bench.gateway.rows(tables.remote_starts))[0]["consumed_at"] is None


async def test_a_station_that_tells_the_number_of_its_order_is_believed(bench: Bench) -> None:
    await order(bench.gateway, 500)
    await order(bench.gateway, 501)
    told = await bench.begin(bench.gateway.station()[0], transaction_id="tx", remote_start_id=501)
    assert told.session_id == "s-501"


async def test_one_that_was_to_be_ended_before_it_began_is_ended_once_it_is_stored(bench: Bench) -> None:
    await order(bench.gateway, stop_requested="driver_cancel")
    await bench.begin(bench.gateway.station()[0])
    assert bench.to_end == [("s-500", "driver_cancel")]


async def test_a_start_that_was_asked_for_again_goes_before_one_that_was_taken_back(bench: Bench) -> None:
    await order(bench.gateway, 500, stop_requested="start_timeout")
    await order(bench.gateway, 501)
    assert (await bench.begin(bench.gateway.station()[0])).session_id == "s-501"
    assert bench.to_end == []


async def test_a_reservation_is_used_up_by_its_holder_the_connectors_own_first(bench: Bench) -> None:
    await reserve(bench.gateway, 1, connector_id=0)
    await reserve(bench.gateway, 2)
    await reserve(bench.gateway, 3, id_tag="OTHER")
    told = await bench.begin(bench.gateway.station()[0])
    used = {row["reservation_id"]: row["session_id"] for row in await bench.gateway.rows(tables.reservations)}
    assert used == {1: None, 2: told.session_id, 3: None}


async def test_a_card_of_the_reserving_group_holds_the_reservation_too(bench: Bench) -> None:
    bench.gateway.token("FRIEND", parent_id_tag="GROUP")
    await reserve(bench.gateway, 4, parent_id_tag="group")
    await bench.begin(bench.gateway.station()[0], id_tag="FRIEND")
    assert (await bench.rows())[0]["reservation_id"] == 4


async def test_what_is_open_where_something_newer_begins_was_forgotten_and_is_closed(bench: Bench) -> None:
    point, _ = bench.gateway.station()
    await bench.begin(point)
    await bench.begin(point, connector_id=2)
    await bench.begin(point, started_at=NOW + timedelta(minutes=5), register_wh=Decimal(1200))
    closed = {row["number"]: row["closed_by_gateway"] for row in await bench.rows()}
    assert closed == {1: True, 2: False, 3: False}
    assert point.open.keys() == {"2", "3"}


async def test_one_that_is_dated_in_the_far_future_is_closed_by_what_begins_after_it_came(bench: Bench) -> None:
    point, _ = bench.gateway.station()
    await bench.begin(point, started_at=datetime(9999, 12, 31, tzinfo=UTC))
    await bench.begin(point, started_at=NOW + timedelta(minutes=5), register_wh=Decimal(1200))
    assert {row["number"]: row["closed_by_gateway"] for row in await bench.rows()} == {1: True, 2: False}
    assert point.open.keys() == {"2"}


async def test_one_of_the_past_closes_nothing_that_began_later(bench: Bench) -> None:
    point, _ = bench.gateway.station()
    await bench.begin(point)
    await bench.begin(point, started_at=NOW - timedelta(hours=1))
    assert [row["closed_by_gateway"] for row in await bench.rows()] == [False, False]
