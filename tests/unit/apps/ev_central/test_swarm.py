from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.apps.ev_central.errors import TooManyStations, UnknownStation
from evcharging.apps.ev_central.swarm import STATIONS_A_TRANSACTION, Swarm, next_steps, station_id_of
from evcharging.apps.ev_central.swarm_view import SwarmView
from evcharging.domain.behaviour import UnknownProfile
from evcharging.messages.network import SwarmDesired
from evcharging.messages.topics import SWARM_DESIRED
from evcharging.store.database import DatabaseUnavailable
from evcharging.store.simulator.swarm import every_station
from tests.support.central import Heard, a_moment
from tests.support.web import MOST_STATIONS, WebRig, running_web


class Desired:
    """What a worker would know from the topic."""

    def __init__(self, web: WebRig) -> None:
        self._heard = Heard(web.core.bus, SWARM_DESIRED.name)
        self.task = asyncio.create_task(self._heard.listen())

    @property
    def said(self) -> list[SwarmDesired]:
        return self._heard.of(SwarmDesired)

    @property
    def running(self) -> dict[str, str]:
        last = {message.station_id: message for message in self.said}
        return {station_id: message.profile for station_id, message in last.items() if message.running}

    async def until(self, *station_ids: str) -> None:
        async with asyncio.timeout(30):
            while self.running.keys() != set(station_ids):
                await a_moment()


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[WebRig]:
    async with running_web(tmp_path) as rig:
        yield rig


@pytest.fixture
async def desired(web: WebRig) -> AsyncIterator[Desired]:
    desired = Desired(web)
    yield desired
    desired.task.cancel()
    await asyncio.wait([desired.task])


def ids(*numbers: int) -> list[str]:
    return [station_id_of(number) for number in numbers]


async def test_a_scale_starts_the_lowest_numbers_and_stops_the_highest(web, desired):
    scaled = await web.swarm.scale(4, "idle")
    assert (scaled.running, scaled.started, scaled.stopped) == (4, 4, 0)
    await desired.until(*ids(1, 2, 3, 4))
    scaled = await web.swarm.scale(2)
    assert (scaled.started, scaled.stopped) == (0, 2)
    await desired.until(*ids(1, 2))
    await web.swarm.scale(3, "busy")
    await desired.until(*ids(1, 2, 3))
    assert desired.running == {"PY-SIM-0001": "idle", "PY-SIM-0002": "idle", "PY-SIM-0003": "busy"}


async def test_a_scale_that_is_reached_says_nothing(web, desired):
    await web.swarm.scale(2)
    await desired.until(*ids(1, 2))
    scaled = await web.swarm.scale(2, "flaky")
    assert (scaled.started, scaled.stopped) == (0, 0)
    assert len(desired.said) == 2


async def test_a_large_scale_is_reached_in_steps_and_all_of_it_is_told(web, desired):
    number = STATIONS_A_TRANSACTION * 2 + 1
    scaled = await web.swarm.scale(number)
    assert scaled.started == number
    await desired.until(*ids(*range(1, number + 1)))
    scaled = await web.swarm.scale(0)
    assert scaled.stopped == number
    await desired.until()


async def test_a_scale_leaves_stations_alone_that_have_no_number(web, desired):
    await web.swarm.start("garage")
    await web.swarm.scale(1)
    await web.swarm.scale(0)
    await desired.until("garage")


async def test_two_scales_at_once_end_at_one_of_them(web, desired):
    await asyncio.gather(web.swarm.scale(5), web.swarm.scale(2), web.swarm.scale(4))
    async with web.database.begin() as transaction:
        running = {row.station_id for row in await every_station(transaction) if row.running}
    assert len(running) in (2, 4, 5)
    await desired.until(*running)


async def test_a_station_keeps_its_profile_when_it_is_started_again(web, desired):
    await web.swarm.start("PY-SIM-0099", "idle")
    await web.swarm.stop("PY-SIM-0099")
    await web.swarm.start("PY-SIM-0099")
    await desired.until("PY-SIM-0099")
    assert desired.running == {"PY-SIM-0099": "idle"}


async def test_a_station_that_runs_takes_on_another_profile(web, desired):
    await web.swarm.start("PY-SIM-0001")
    await web.swarm.start("PY-SIM-0001", "busy")
    await web.swarm.start("PY-SIM-0001", "busy")
    async with asyncio.timeout(30):
        while desired.running != {"PY-SIM-0001": "busy"}:
            await a_moment()
    assert len(desired.said) == 2


async def test_a_station_speaks_the_version_it_was_started_with_and_keeps_it(web, desired):
    await web.swarm.start("A", "idle", "2.0.1")
    await web.swarm.stop("A")
    await web.swarm.start("A")
    await web.swarm.scale(1, "default", "2.0.1")
    await web.swarm.scale(2)
    await desired.until("PY-SIM-0001", "PY-SIM-0002", "A")
    last = {message.station_id: message.ocpp_version for message in desired.said}
    assert last == {"PY-SIM-0001": "2.0.1", "PY-SIM-0002": None, "A": "2.0.1"}


async def test_a_version_that_the_topic_has_otherwise_is_told_again_after_a_restart(web, desired):
    await web.swarm.start("A", "idle", "2.0.1")
    await desired.until("A")
    swarm, view = restarted(web)
    view.apply(SwarmDesired(ts=web.clock(), station_id="A", running=True, profile="idle"), web.clock())
    await swarm.load()
    assert await swarm.announce() == 1
    async with asyncio.timeout(30):
        while len(desired.said) < 2:
            await a_moment()
    assert desired.said[-1].ocpp_version == "2.0.1"


async def test_what_was_decided_shows_at_once(web):
    await web.swarm.start("PY-SIM-0001", "idle")
    assert web.swarm_view.record("PY-SIM-0001")["profile"] == "idle"


async def test_more_stations_than_the_bound_are_refused_by_the_name_of_the_setting(web):
    with pytest.raises(TooManyStations, match=rf"{MOST_STATIONS + 1} .* {MOST_STATIONS} .*--swarm-most-stations"):
        await web.swarm.scale(MOST_STATIONS + 1)
    small = Swarm(web.core.transactions, web.swarm_view, {"default": object()}, most_stations=1)
    await small.start("A")
    with pytest.raises(TooManyStations):
        await small.start("B")
    await small.start("A")


async def test_a_profile_nobody_has_is_refused_by_those_there_are(web):
    with pytest.raises(UnknownProfile, match="busy, default"):
        await web.swarm.scale(1, "lazy")
    with pytest.raises(UnknownProfile):
        await web.swarm.start("PY-SIM-0001", "lazy")
    assert len(web.swarm_view) == 0


async def test_a_station_that_never_was_cannot_be_stopped(web):
    with pytest.raises(UnknownStation, match="GET /stations"):
        await web.swarm.stop("PY-SIM-0001")


async def test_while_the_database_is_away_nothing_is_decided(web):
    async with web.database.outage():
        with pytest.raises(DatabaseUnavailable):
            await web.swarm.scale(1)
    assert len(web.swarm_view) == 0


def restarted(web) -> tuple[Swarm, SwarmView]:
    view = SwarmView({})
    return Swarm(web.core.transactions, view, {}, most_stations=10), view


async def test_a_restart_forgets_nothing_and_repeats_nothing(web, desired):
    await web.swarm.scale(2, "idle")
    await web.swarm.stop("PY-SIM-0002")
    await desired.until("PY-SIM-0001")
    swarm, view = restarted(web)
    await swarm.load()
    assert [view.record(name)["profile"] for name in ids(1, 2)] == ["idle", "idle"]
    for message in desired.said:
        view.apply(message, message.ts)
    assert await swarm.announce() == 0


async def test_a_broker_that_has_lost_its_topics_is_told_again_what_runs(web, desired):
    await web.swarm.scale(3)
    await web.swarm.scale(2)
    before = len(desired.said)
    swarm, _ = restarted(web)
    await swarm.load()
    assert await swarm.announce() == 2
    async with asyncio.timeout(30):
        while len(desired.said) < before + 2:
            await a_moment()
    assert {message.station_id for message in desired.said[before:]} <= set(ids(1, 2, 3))
    await desired.until(*ids(1, 2))


async def test_what_the_topic_has_and_the_rows_deny_is_put_right(web, desired):
    await web.swarm.start("A")
    await web.swarm.stop("A")
    swarm, view = restarted(web)
    view.apply(SwarmDesired(ts=web.clock(), station_id="A", running=True), web.clock())
    await swarm.load()
    assert await swarm.announce() == 1
    await desired.until()


async def test_a_station_whose_row_was_lost_gets_it_again(web):
    swarm, view = restarted(web)
    view.apply(SwarmDesired(ts=web.clock(), station_id="A", running=True, profile="busy"), web.clock())
    assert await swarm.announce() == 0
    await web.swarm.stop("A")
    assert (web.swarm_view.record("A") or {})["profile"] == "busy"


RUNNING = st.sets(st.integers(1, 40)).map(lambda numbers: {station_id_of(number) for number in numbers})


@given(RUNNING, st.integers(0, 60))
def test_steps_lead_to_the_number_and_never_past_it(running: set[str], number: int) -> None:
    to_start, to_stop = next_steps(running | {"garage", "PY-SIM-1", "PY-SIM-00001"}, number)
    assert not (to_start and to_stop)
    assert not running.intersection(to_start)
    assert running.issuperset(to_stop)
    after = running.union(to_start).difference(to_stop)
    assert len(after) == number
    if to_stop:
        assert min(to_stop) > max(after, default="")
    if to_start:
        assert all(station_id in after for station_id in ids(*range(1, int(max(to_start)[-4:]))))
