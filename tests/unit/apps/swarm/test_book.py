from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from evcharging.apps.swarm import book as book_module
from evcharging.apps.swarm.book import StatusBook
from evcharging.apps.swarm.handover import Past, before_it_began
from evcharging.bus.memory import MemoryBus, dropping_acks, unreachable
from evcharging.bus.replay import replay
from evcharging.messages.network import SwarmState, SwarmStatus
from evcharging.messages.topics import SWARM_STATUS
from evcharging.ocpp.station.interfaces import StandingOrders, StationSnapshot
from tests.support.bus import until

from .conftest import AT


class Rig:
    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.lease_held = True
        self.snapshots: dict[str, StationSnapshot] = {}
        self.queues: dict[str, list[dict[str, object]]] = {}
        self.book = StatusBook(
            self.bus,
            worker="w1",
            holder="w1/a",
            now=lambda: AT,
            may_speak=lambda: self.lease_held,
            sample_every_s=5.0,
        )

    def open(self, station_id: str = "S-1", *, term: int = 1) -> None:
        self.snapshots[station_id] = before_it_began(station_id, "default", Past((100.0,)))
        self.queues[station_id] = []
        self.book.open(station_id, term=term, read=lambda: self.snapshots[station_id], queue=self.queues[station_id])

    def change(self, **values: object) -> None:
        self.snapshots["S-1"] = replace(self.snapshots["S-1"], **values)

    async def said(self) -> list[SwarmStatus]:
        return [received.message async for received in replay(self.bus, [SWARM_STATUS])]

    async def until_said(self, count: int) -> list[SwarmStatus]:
        async with asyncio.timeout(10):
            while len(said := await self.said()) < count:
                await asyncio.sleep(0.01)
        return said

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.fixture
async def rig(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setattr(book_module, "BEAT_S", 3600.0)
    rig = Rig()
    task = asyncio.create_task(rig.book.run())
    try:
        yield rig
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_station_that_is_opened_is_claimed_at_once(rig):
    rig.open(term=4)
    (status,) = await rig.until_said(1)
    assert (status.state, status.worker, status.profile) == (SwarmState.OFFLINE, "w1", "default")
    assert (status.handover.term, status.handover.holder, status.handover.released) == (4, "w1/a", False)
    assert status.handover.registers_wh == (100.0,)


async def test_a_change_is_said_and_what_looks_the_same_is_not(rig):
    rig.open()
    await rig.until_said(1)
    rig.change(connected=True)
    rig.book.mark("S-1")
    rig.book.mark("S-1")
    await rig.until_said(2)
    rig.change(register_wh=150.0)
    rig.book.mark("S-1")
    await rig.settle()
    assert len(await rig.said()) == 2


async def test_a_message_that_waits_for_its_answer_is_said_unless_it_is_a_mere_meter_value(rig):
    rig.open()
    await rig.until_said(1)
    rig.queues["S-1"].append({"key": 1, "kind": "meter"})
    rig.book.mark("S-1")
    await rig.settle()
    assert len(await rig.said()) == 1
    rig.queues["S-1"].append({"key": 2, "kind": "end"})
    rig.book.mark("S-1")
    assert len((await rig.until_said(2))[-1].handover.queue) == 2


async def test_what_the_csms_has_set_is_known_to_be_unsaid_until_it_was_said(rig):
    rig.open()
    await rig.until_said(1)
    assert not rig.book.set_anew("S-1")
    rig.change(orders=StandingOrders({"ConnectionTimeOut": "11"}))
    assert rig.book.set_anew("S-1")
    await rig.book.written("S-1")
    assert not rig.book.set_anew("S-1")
    said = (await rig.said())[-1].handover.orders
    assert said.configuration == {"ConnectionTimeOut": "11"}
    rig.change(orders=None)
    assert rig.book.set_anew("S-1")
    assert not rig.book.set_anew("S-2")


async def test_what_the_csms_has_set_makes_another_station_of_it(rig):
    rig.open()
    await rig.until_said(1)
    rig.change(orders=StandingOrders(inoperative=frozenset({1})))
    rig.book.mark("S-1")
    assert (await rig.until_said(2))[-1].handover.orders.inoperative == (1,)


async def test_where_the_log_is_slow_the_newest_state_waits_and_no_line_of_old_ones(rig, monkeypatch):
    monkeypatch.setattr(book_module, "MOST_UNDER_WAY", 2)
    with unreachable(rig.bus):
        for station_id in ("S-2", "S-3", "S-1"):
            rig.open(station_id)
        await until(lambda: rig.bus.health().waiting == 2)
        for register_wh in (150.0, 200.0):
            rig.change(register_wh=register_wh)
            rig.book.mark("S-1", urgent=True)
            await rig.settle()
        assert rig.bus.health().waiting == 2
    said = await rig.until_said(3)
    await rig.settle()
    assert [(one.station_id, one.register_wh) for one in said] == [("S-2", 100.0), ("S-3", 100.0), ("S-1", 200.0)]
    assert len(await rig.said()) == 3


async def test_what_is_urgent_is_said_even_if_it_looks_the_same(rig):
    rig.open()
    await rig.until_said(1)
    rig.change(register_wh=150.0)
    rig.book.mark("S-1", urgent=True)
    assert (await rig.until_said(2))[-1].register_wh == 150.0


async def test_who_waits_is_told_when_the_log_has_what_was_so_then(rig):
    rig.open()
    rig.queues["S-1"].append({"key": 1, "kind": "begin"})
    await rig.book.written("S-1")
    assert (await rig.said())[-1].handover.queue == ({"key": 1, "kind": "begin"},)


async def test_who_waits_goes_before_those_that_only_look_another_way(rig):
    for number in range(2, 8):
        rig.open(f"S-{number}")
    rig.open("S-1")
    await rig.book.written("S-1")
    assert (await rig.said())[0].station_id == "S-1"


async def test_words_that_come_close_together_go_out_together(rig, monkeypatch):
    rig.open()
    await rig.until_said(1)
    monkeypatch.setattr(book_module, "GATHER_S", 3600.0)
    rig.change(connected=True)
    rig.book.mark("S-1")
    await rig.settle()
    assert len(await rig.said()) == 1


async def test_the_more_stations_there_are_the_less_often_each_meter_is_sampled(rig, monkeypatch):
    monkeypatch.setattr(book_module, "SAMPLES_PER_S", 0.001)
    monkeypatch.setattr(rig.book, "_sample_every_s", 0.0)
    rig.open()
    await rig.until_said(1)
    rig.change(register_wh=150.0)
    rig.book.mark("S-1")
    await rig.settle()
    assert len(await rig.said()) == 1


async def test_a_claim_is_waited_for_once_and_said_once(rig):
    rig.open()
    await rig.book.claimed("S-1")
    said = len(await rig.said())
    await rig.book.claimed("S-1")
    await rig.book.claimed("unknown")
    assert len(await rig.said()) == said


async def test_what_the_log_has_already_is_not_said_again(rig):
    rig.open()
    rig.queues["S-1"].append({"key": 1, "kind": "meter"})
    await rig.book.written("S-1")
    said = len(await rig.said())
    await rig.book.written("S-1")
    assert len(await rig.said()) == said
    rig.change(register_wh=101.0)
    await rig.book.written("S-1")
    assert len(await rig.said()) == said + 1


async def test_nobody_waits_for_ever_for_a_log_that_does_not_acknowledge(rig, monkeypatch):
    monkeypatch.setattr(book_module, "WRITTEN_WITHIN_S", 0.05)
    rig.open()
    await rig.until_said(1)
    with dropping_acks(rig.bus):
        await rig.book.written("S-1")


async def test_nobody_waits_at_all_for_a_broker_that_is_away(rig):
    rig.open()
    await rig.until_said(1)
    with unreachable(rig.bus):
        async with asyncio.timeout(1):
            await rig.book.written("S-1")


async def test_without_the_lease_nothing_is_said_until_it_is_held_again(rig):
    rig.lease_held = False
    rig.open()
    await rig.settle()
    assert await rig.said() == []
    rig.lease_held = True
    await rig.until_said(1)


async def test_the_last_word_lets_go_and_nothing_is_said_after_it(rig):
    rig.open(term=2)
    await rig.until_said(1)
    await rig.book.close("S-1")
    rig.book.mark("S-1", urgent=True)
    await rig.settle()
    last = (await rig.said())[-1]
    assert (last.state, last.kw, last.holds_s) == (SwarmState.STOPPED, 0.0, None)
    assert (last.handover.term, last.handover.released) == (2, True)
    assert len(await rig.said()) == 2
    assert await rig.book.close("S-1") is None


async def test_a_station_that_is_forgotten_has_no_last_word_and_releases_who_waits(rig):
    rig.open()
    await rig.until_said(1)
    rig.lease_held = False
    waiting = asyncio.create_task(rig.book.written("S-1"))
    await rig.settle()
    rig.book.forget("S-1")
    async with asyncio.timeout(1):
        await waiting
    rig.lease_held = True
    await rig.settle()
    assert len(await rig.said()) == 1


async def test_a_station_that_cannot_be_read_costs_no_other_its_word(rig):
    def broken() -> StationSnapshot:
        raise ZeroDivisionError

    rig.book.open("S-0", term=1, read=broken, queue=[])
    rig.open()
    (status,) = await rig.until_said(1)
    assert status.station_id == "S-1"


async def test_the_energy_of_the_last_transaction_stays_in_sight(rig, record):
    rig.open()
    with_one = before_it_began("S-1", "default", Past((1250.0,), (record,)))
    rig.snapshots["S-1"] = with_one
    await rig.book.written("S-1")
    rig.snapshots["S-1"] = before_it_began("S-1", "default", Past((1300.0,)))
    await rig.book.written("S-1")
    said = await rig.said()
    assert [(one.kwh, one.transaction_id) for one in said[-2:]] == [(0.25, 7), (0.25, None)]


async def test_once_a_transaction_has_ended_its_final_energy_is_told_not_the_last_sample(rig, record):
    rig.open()
    rig.snapshots["S-1"] = before_it_began("S-1", "default", Past((1250.0,), (record,)))
    await rig.book.written("S-1")
    rig.book.ended(replace(record, meter_wh=1297, ended_at_s=record.started_at_s + 90, reason="Local"))
    rig.snapshots["S-1"] = before_it_began("S-1", "default", Past((1297.0,)))
    await rig.book.written("S-1")
    assert (await rig.said())[-1].kwh == 0.297
    rig.snapshots["S-1"] = before_it_began("S-1", "default", Past((1297.0,), (replace(record, meter_wh=1000),)))
    await rig.book.written("S-1")
    assert (await rig.said())[-1].kwh == 0.0


async def test_each_connector_has_its_own_last_transaction_in_the_energy_that_is_told(rig, record):
    rig.open()
    rig.book.ended(replace(record, meter_wh=1100))
    rig.book.ended(replace(record, connector_id=2, meter_wh=1030))
    await rig.book.written("S-1")
    assert (await rig.said())[-1].kwh == 0.13


async def test_the_next_worker_tells_the_last_sessions_energy_until_there_is_another(rig, record):
    rig.snapshots["S-1"] = before_it_began("S-1", "default", Past((1297.0,)))
    rig.book.open("S-1", term=2, read=lambda: rig.snapshots["S-1"], queue=[], kwh=0.297)
    await rig.book.written("S-1")
    rig.snapshots["S-1"] = before_it_began("S-1", "default", Past((1297.0,), (record,)))
    await rig.book.written("S-1")
    assert [one.kwh for one in (await rig.said())[-2:]] == [0.297, 0.25]


async def test_figures_are_as_last_said(rig):
    rig.open()
    await rig.until_said(1)
    rig.change(connected=True, kw=7.2)
    await rig.book.written("S-1")
    states, power_kw = rig.book.figures()
    assert power_kw == 7.2
    assert sum(states.values()) == 1


async def test_each_second_one_station_is_told_of_again_so_that_the_worker_is_heard(monkeypatch):
    monkeypatch.setattr(book_module, "BEAT_S", 0.05)
    rig = Rig()
    task = asyncio.create_task(rig.book.run())
    try:
        rig.open("S-1")
        rig.open("S-2")
        await until(lambda: not rig.book._marks)
        said = await rig.until_said(6)
        assert {status.station_id for status in said[2:]} == {"S-1", "S-2"}
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
