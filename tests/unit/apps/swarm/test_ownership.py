from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from evcharging.apps.swarm.ownership import Ownership
from evcharging.bus.consumer import Tombstone
from evcharging.messages.envelope import Received
from evcharging.messages.network import SwarmDesired
from tests.support.bus import until

from .conftest import AT


class FleetOnPaper:
    """Notes what it is asked to do."""

    def __init__(self) -> None:
        self.running: dict[str, SwarmDesired] = {}
        self.terms: dict[str, int] = {}
        self.done: list[tuple[str, str]] = []
        self.unsettled: set[str] = set()
        self.untold_stops = 0
        self.refuses: set[str] = set()
        self.may_stop = asyncio.Event()
        self.may_stop.set()

    def __contains__(self, station_id: str) -> bool:
        return station_id in self.running

    def __len__(self) -> int:
        return len(self.running)

    def as_begun(self, station_id: str) -> SwarmDesired | None:
        return self.running.get(station_id)

    def term(self, station_id: str) -> int:
        return self.terms.get(station_id, 1)

    def left_something(self, station_id: str) -> bool:
        return station_id in self.unsettled

    def begin(self, desired: SwarmDesired) -> str | None:
        self.done.append(("begin", desired.station_id))
        if desired.station_id in self.refuses:
            return "no such profile"
        self.running[desired.station_id] = desired
        return None

    async def stop(self, station_id: str) -> None:
        await self.may_stop.wait()
        self.done.append(("stop", station_id))
        self.running.pop(station_id, None)
        if self.untold_stops > 0:
            self.untold_stops -= 1
            self.unsettled.add(station_id)
        else:
            self.unsettled.discard(station_id)

    async def hand_over(self, station_ids: list[str]) -> None:
        for station_id in station_ids:
            self.done.append(("hand over", station_id))
            self.running.pop(station_id)

    def say_again(self, station_id: str) -> None:
        self.done.append(("say again", station_id))

    def disown(self, station_id: str) -> None:
        self.done.append(("disown", station_id))
        self.running.pop(station_id)

    async def cut(self, station_id: str) -> None:
        self.done.append(("cut", station_id))


class MemoryOnPaper:
    def __init__(self) -> None:
        self.holders: dict[str, str] = {}
        self.silent: dict[str, float] = {}

    def held_by(self, station_id: str) -> str | None:
        return self.holders.get(station_id)

    def silent_s(self, holder: str, now_s: float) -> float:
        return self.silent.get(holder, 0.0)


class Rig:
    def __init__(self) -> None:
        self.fleet = FleetOnPaper()
        self.memory = MemoryOnPaper()
        self.now_s = 1000.0
        self.may_begin = True
        self.may_act = True
        self.ownership = Ownership(
            self.fleet,  # type: ignore[arg-type]
            self.memory,  # type: ignore[arg-type]
            may_begin=lambda: self.may_begin,
            now_s=lambda: self.now_s,
            most=3,
        )

    async def assign(self, *numbers: int) -> None:
        await self.ownership.assigned(frozenset(("swarm.desired", number) for number in numbers))

    async def desire(self, station_id: str, *, running: bool = True, profile: str = "default", at: int = 0) -> None:
        message = SwarmDesired(ts=AT, station_id=station_id, running=running, profile=profile)
        await self.ownership.take([Received(message, "id", "swarm.desired", at, 0, None, 0)])

    async def settle(self) -> None:
        """Two looks and what they lead to."""
        await asyncio.sleep(0.45)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig()
    task = asyncio.create_task(rig.ownership.run(may_act=lambda: rig.may_act))
    try:
        await rig.assign(0, 1)
        yield rig
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_nothing_begins_before_everything_that_is_desired_has_been_read(rig):
    rig.may_act = False
    await rig.desire("S-1")
    await rig.settle()
    assert rig.fleet.done == []
    await rig.desire("S-1", running=False)
    rig.may_act = True
    await rig.settle()
    assert rig.fleet.done == []


async def test_a_station_is_begun_once_and_stopped_once(rig):
    await rig.desire("S-1")
    await until(lambda: "S-1" in rig.fleet)
    await rig.desire("S-1")
    await rig.settle()
    await rig.desire("S-1", running=False)
    await until(lambda: "S-1" not in rig.fleet)
    await rig.settle()
    assert rig.fleet.done == [("begin", "S-1"), ("stop", "S-1")]


async def test_what_is_desired_while_a_station_stops_is_done_after_that(rig):
    await rig.desire("S-1")
    await until(lambda: "S-1" in rig.fleet)
    rig.fleet.may_stop.clear()
    await rig.desire("S-1", running=False)
    await rig.settle()
    await rig.desire("S-1", profile="busy")
    await rig.settle()
    rig.fleet.may_stop.set()
    await until(lambda: len(rig.fleet.done) == 3)
    assert rig.fleet.done == [("begin", "S-1"), ("stop", "S-1"), ("begin", "S-1")]
    assert rig.fleet.running["S-1"].profile == "busy"


async def test_a_station_that_another_holds_is_left_to_it_until_it_lets_go(rig):
    rig.memory.holders["S-1"] = "w2/b"
    await rig.desire("S-1")
    await rig.settle()
    assert rig.fleet.done == []
    assert rig.ownership.left_waiting == 1
    del rig.memory.holders["S-1"]
    await until(lambda: "S-1" in rig.fleet)
    assert rig.ownership.left_waiting == 0


async def test_a_holder_that_is_silent_is_not_waited_for(rig):
    rig.memory.holders["S-1"] = "w2/b"
    rig.memory.silent["w2/b"] = 3.0
    await rig.desire("S-1")
    await until(lambda: "S-1" in rig.fleet)


async def test_a_holder_that_never_lets_go_is_not_waited_for_long(rig):
    rig.memory.holders["S-1"] = "w2/b"
    await rig.desire("S-1")
    rig.now_s += 4.9
    await rig.settle()
    assert rig.fleet.done == []
    rig.now_s += 0.2
    await until(lambda: "S-1" in rig.fleet)


async def test_stations_of_a_partition_that_goes_are_handed_over_and_the_others_stay(rig):
    await rig.desire("S-1", at=0)
    await rig.desire("S-2", at=1)
    await until(lambda: len(rig.fleet) == 2)
    await rig.assign(1)
    assert ("hand over", "S-1") in rig.fleet.done
    assert list(rig.fleet.running) == ["S-2"]
    await rig.settle()
    assert list(rig.fleet.running) == ["S-2"]


async def test_a_station_that_stops_while_its_partition_goes_is_handed_over_all_the_same(rig):
    await rig.desire("S-1", at=0)
    await until(lambda: "S-1" in rig.fleet)
    rig.fleet.may_stop.clear()
    await rig.desire("S-1", running=False, at=0)
    await rig.settle()
    await rig.assign(1)
    assert rig.fleet.done == [("begin", "S-1"), ("hand over", "S-1")]


async def test_a_higher_term_of_another_cuts_a_station_once_however_often_it_is_said(rig):
    await rig.desire("S-1")
    await until(lambda: "S-1" in rig.fleet)
    rig.memory.holders["S-1"] = "w2/b"
    for _ in range(3):
        rig.ownership.claimed("S-1", 2)
    await rig.settle()
    assert rig.fleet.done == [("begin", "S-1"), ("disown", "S-1"), ("cut", "S-1")]


async def test_a_late_word_of_one_who_had_the_station_is_followed_by_our_own(rig):
    rig.fleet.terms["S-1"] = 3
    rig.ownership.claimed("S-1", 2)
    await rig.desire("S-1")
    await until(lambda: "S-1" in rig.fleet)
    rig.ownership.claimed("S-1", 2)
    await rig.settle()
    assert rig.fleet.done == [("begin", "S-1"), ("say again", "S-1")]


async def test_the_same_term_changes_nothing(rig):
    await rig.desire("S-1")
    await until(lambda: "S-1" in rig.fleet)
    rig.ownership.claimed("S-1", 1)
    await rig.settle()
    assert rig.fleet.done == [("begin", "S-1")]


async def test_a_contested_station_is_left_to_the_other_for_a_while(rig):
    await rig.desire("S-1")
    await until(lambda: "S-1" in rig.fleet)
    rig.memory.holders["S-1"] = "w2/b"
    rig.ownership.claimed("S-1", 2)
    rig.now_s += 10
    await rig.settle()
    assert "S-1" not in rig.fleet
    rig.now_s += 6
    await until(lambda: "S-1" in rig.fleet)


async def test_no_more_run_here_than_there_is_room_for(rig):
    for number in range(5):
        await rig.desire(f"S-{number}")
    await until(lambda: len(rig.fleet) == 3)
    await rig.settle()
    assert len(rig.fleet) == 3
    assert rig.ownership.left_waiting == 2
    await rig.desire("S-0", running=False)
    await until(lambda: "S-3" in rig.fleet)


async def test_a_station_that_cannot_begin_is_not_tried_again_until_it_is_desired_otherwise(rig):
    rig.fleet.refuses.add("S-1")
    await rig.desire("S-1", profile="x")
    await rig.settle()
    assert rig.fleet.done == [("begin", "S-1")]
    rig.fleet.refuses.clear()
    await rig.desire("S-1", profile="y")
    await until(lambda: "S-1" in rig.fleet)


async def test_a_station_that_is_not_to_run_begins_to_tell_what_it_left_open_and_stops(rig):
    rig.fleet.unsettled.add("S-1")
    await rig.desire("S-1", running=False)
    await until(lambda: "S-1" in rig.fleet)
    rig.ownership.registered("S-1", "Pending")
    await rig.settle()
    assert "S-1" in rig.fleet
    rig.ownership.registered("S-1", "Accepted")
    await until(lambda: rig.fleet.done == [("begin", "S-1"), ("stop", "S-1")])


async def test_a_station_whose_csms_did_not_hear_of_its_end_in_time_is_begun_again_until_it_has(rig):
    await rig.assign(0)
    await rig.desire("S-1")
    await rig.settle()
    rig.fleet.untold_stops = 2
    await rig.desire("S-1", running=False)
    await until(lambda: rig.fleet.done == [("begin", "S-1"), ("stop", "S-1"), ("begin", "S-1")])
    rig.ownership.registered("S-1", "Accepted")
    await until(lambda: rig.fleet.done[3:] == [("stop", "S-1")])
    await rig.settle()
    assert len(rig.fleet.done) == 4
    rig.now_s += 10.0
    await until(lambda: rig.fleet.done[4:] == [("begin", "S-1")])
    rig.ownership.registered("S-1", "Accepted")
    await until(lambda: not rig.fleet.unsettled)
    rig.now_s += 10.0
    await rig.settle()
    assert len(rig.fleet.done) == 6


async def test_so_many_end_at_once_that_each_has_its_own_time_for_it(rig, monkeypatch):
    monkeypatch.setattr(rig.ownership, "_most", 100)
    await rig.assign(0)
    for number in range(80):
        await rig.desire(f"S-{number}")
    await rig.settle()
    ending: set[str] = set()
    stop = rig.fleet.stop

    async def stopping(station_id: str) -> None:
        ending.add(station_id)
        await stop(station_id)

    monkeypatch.setattr(rig.fleet, "stop", stopping)
    rig.fleet.may_stop.clear()
    for number in range(80):
        await rig.desire(f"S-{number}", running=False)
    await until(lambda: len(ending) == 64)
    await rig.settle()
    assert len(ending) == 64
    rig.fleet.may_stop.set()
    await until(lambda: len(ending) == 80)


async def test_a_station_that_is_taken_out_of_the_topic_is_stopped(rig):
    await rig.desire("S-1")
    await until(lambda: "S-1" in rig.fleet)
    await rig.ownership.forget(Tombstone("swarm.desired", b"S-1", 0, 1, 0))
    await until(lambda: "S-1" not in rig.fleet)
    assert rig.ownership.left_waiting == 0
