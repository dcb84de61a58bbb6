"""Reading an engine's past from the log: what is read, and what is left."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from evcharging.apps.ev_cp_e.past import LOOK_BACK, read_past
from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import MemoryLog
from evcharging.domain.states import ChargePointState
from evcharging.messages.commands import CommandAction
from evcharging.messages.envelope import Event
from evcharging.messages.network import OcppConfig
from evcharging.messages.topics import OCPP_CONFIG
from tests.support.charge_point import NOON, Bench


class Log:
    """A log with records of any age."""

    def __init__(self) -> None:
        self.seconds = NOON.timestamp()
        self.bus = MemoryBus(MemoryLog(), wall_clock=lambda: self.seconds)

    async def take(self, bench: Bench, *, age: timedelta = timedelta()) -> None:
        self.seconds = (NOON - age).timestamp()
        for event in bench.events:
            await self.bus.publish(event)
        bench.forget()


@pytest.fixture
async def log() -> AsyncIterator[Log]:
    log = Log()
    yield log
    await log.bus.stop()


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.boot()
    return bench


async def test_an_empty_log_is_no_past(log: Log):
    past = (await read_past(log.bus, ["CP-001"], source="engine/next", now=NOON)).past_of("CP-001")
    assert (past.state, past.open_session, past.answered) == (None, None, {})


async def test_statuses_count_from_the_beginning_and_answers_as_long_as_commands_live(log: Log, bench: Bench):
    bench.command(CommandAction.STOP_CP)
    await log.take(bench, age=timedelta(days=3))
    bench.command(CommandAction.SET_LIMIT, limit_amps=10)
    recent = bench.reply.command_id
    await log.take(bench, age=timedelta(seconds=30))
    past = (await read_past(log.bus, ["CP-001"], source="engine/next", now=NOON)).past_of("CP-001")
    assert past.state is ChargePointState.STOPPED
    assert list(past.answered) == [recent]


async def test_registrations_count_from_the_beginning(log: Log):
    log.seconds = (NOON - timedelta(days=30)).timestamp()
    for cp_id in ("CP-001", "CP-002"):
        await log.bus.publish(Event(OCPP_CONFIG, OcppConfig(ts=NOON, cp_id=cp_id), f"{cp_id}-registered", "central"))
    memory = await read_past(log.bus, ["CP-001", "CP-003"], source="engine/next", now=NOON)
    assert [memory.past_of(cp_id).station_registered for cp_id in ("CP-001", "CP-003")] == [True, False]


async def test_an_open_session_is_found_with_its_telemetry(log: Log, bench: Bench):
    bench.start()
    bench.flows(6.1)
    bench.flows(6.1)
    await log.take(bench, age=timedelta(seconds=20))
    past = (await read_past(log.bus, ["CP-001"], source="engine/next", now=NOON)).past_of("CP-001")
    assert past.open_session is not None
    assert past.open_session.last_seq == 2


async def test_for_an_older_open_session_it_looks_as_far_back_as_that_began(log: Log):
    age = LOOK_BACK + timedelta(minutes=5)
    bench = Bench(wall=NOON - age)
    bench.boot()
    bench.start()
    bench.flows(6.1)
    await log.take(bench, age=age)
    past = (await read_past(log.bus, ["CP-001"], source="engine/next", now=NOON)).past_of("CP-001")
    assert past.open_session is not None
    assert past.open_session.last_seq == 1


async def test_other_charge_points_are_not_even_decoded(log: Log, bench: Bench):
    await log.take(bench)
    await log.bus.publish_raw("cp.status", b"CP-002", b"no JSON at all", [])
    memory = await read_past(log.bus, ["CP-001"], source="engine/next", now=NOON)
    assert memory.past_of("CP-001").state is ChargePointState.ACTIVATED
    with pytest.raises(KeyError):
        memory.past_of("CP-002")


async def test_a_record_that_cannot_be_read_costs_only_itself(log: Log, bench: Bench):
    await log.bus.publish_raw("cp.status", b"CP-001", b"no JSON at all", [])
    await log.take(bench)
    past = (await read_past(log.bus, ["CP-001"], source="engine/next", now=NOON)).past_of("CP-001")
    assert past.state is ChargePointState.ACTIVATED
