"""Engines that die in the middle of something, and chargers that outlive them on a hub."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from evcharging.can.frames import Inject, InjectKind
from evcharging.domain.states import ChargePointState
from evcharging.messages.commands import CommandAction, CommandOutcome
from tests.support.engine import Chargers, EngineRig, a_rig, assert_adds_up, new_cp_id

ACTIVATED, SUPPLYING, FAULT = ChargePointState.ACTIVATED, ChargePointState.SUPPLYING, ChargePointState.FAULT


@pytest.fixture
async def rig() -> AsyncIterator[EngineRig]:
    async with a_rig() as rig:
        yield rig


@pytest.fixture
async def chargers() -> AsyncIterator[Chargers]:
    async with Chargers() as chargers:
        yield chargers


@pytest.fixture
def cp_id() -> str:
    return new_cp_id()


async def test_a_session_survives_the_kill_of_its_engine_to_the_watt_hour(
    rig: EngineRig, chargers: Chargers, cp_id: str
):
    node = chargers.add(cp_id)
    first = await rig.engine(cp_id=cp_id, can=chargers.address, session_seconds=3)
    await rig.start(cp_id, "session-1")
    await rig.until(lambda: rig.intervals("session-1"), "an interval")
    await first.kill()
    last = rig.intervals("session-1")[-1]
    await rig.engine(cp_id=cp_id, can=chargers.address, session_seconds=3)
    resumed = await rig.status(cp_id, SUPPLYING, reason="resumed")
    assert resumed.session_id == "session-1"
    end = await rig.status(cp_id, ACTIVATED, session_id="session-1")
    assert end.reason == "time_elapsed"
    intervals = rig.intervals("session-1")
    assert intervals[last.seq].interval_start == last.interval_end
    assert_adds_up(intervals, end)
    assert end.detail is not None
    assert end.detail.register_end_wh == pytest.approx(node.model.register_wh, abs=0.11)


async def test_a_session_survives_one_kill_after_another(rig: EngineRig, chargers: Chargers, cp_id: str):
    node = chargers.add(cp_id)
    for life in range(4):
        engine = await rig.engine(cp_id=cp_id, can=chargers.address, session_seconds=0)
        if life == 0:
            await rig.start(cp_id, "session-1", kwh=0.02)
        seen = len(rig.intervals("session-1"))
        await rig.until(
            lambda seen=seen: (
                len(rig.intervals("session-1")) > seen or any(s.reason == "target_reached" for s in rig.statuses(cp_id))
            ),
            "another interval",
        )
        await engine.kill()
    await rig.engine(cp_id=cp_id, can=chargers.address, session_seconds=0)
    end = await rig.status(cp_id, ACTIVATED, session_id="session-1")
    assert end.reason == "target_reached"
    assert_adds_up(rig.intervals("session-1"), end)
    assert end.detail is not None
    assert end.detail.register_end_wh == pytest.approx(node.model.register_wh, abs=0.11)


async def test_a_vehicle_that_left_meanwhile_is_a_lost_session_with_all_its_energy(
    rig: EngineRig, chargers: Chargers, cp_id: str
):
    node = chargers.add(cp_id)
    engine = await rig.engine(cp_id=cp_id, can=chargers.address, session_seconds=0)
    await rig.start(cp_id, "session-1")
    await rig.until(lambda: rig.intervals("session-1"), "an interval")
    await engine.kill()
    node.obey(Inject(InjectKind.UNPLUG))
    await rig.engine(cp_id=cp_id, can=chargers.address)
    end = await rig.status(cp_id, ACTIVATED, session_id="session-1")
    assert end.reason == "engine_lost"
    assert_adds_up(rig.intervals("session-1"), end)
    assert end.detail is not None
    assert end.detail.register_end_wh == pytest.approx(node.model.register_wh, abs=0.11)


async def test_a_charger_in_the_engines_own_process_remembers_its_register_by_the_log(rig: EngineRig, cp_id: str):
    first = await rig.engine(cp_id=cp_id, session_seconds=3)
    await rig.start(cp_id, "session-1")
    await rig.until(lambda: rig.intervals("session-1"), "an interval")
    await first.kill()
    await rig.engine(cp_id=cp_id, session_seconds=3)
    await rig.status(cp_id, SUPPLYING, reason="resumed")
    end = await rig.status(cp_id, ACTIVATED, session_id="session-1")
    assert_adds_up(rig.intervals("session-1"), end)


async def test_a_command_that_was_left_unanswered_is_carried_out_and_an_answered_one_is_not(rig: EngineRig, cp_id: str):
    first = await rig.engine(cp_id=cp_id, session_seconds=0.7)
    done = await rig.start(cp_id, "session-1")
    await rig.status(cp_id, ACTIVATED, session_id="session-1")
    await first.kill()
    waiting = await rig.start(cp_id, "session-2")
    late = await rig.command(CommandAction.START_SUPPLY, cp_id, session_id="session-3", valid_s=-1.0)
    await rig.engine(cp_id=cp_id, session_seconds=0.7)
    await rig.status(cp_id, ACTIVATED, session_id="session-2")
    assert (await rig.reply(waiting)).outcome is CommandOutcome.ACCEPTED
    assert (await rig.reply(late)).outcome is CommandOutcome.EXPIRED
    answers = [r.message.command_id for r in rig.received if r.topic == "central.replies"]
    assert answers.count(done.command_id) == 1
    assert sum(s.state is SUPPLYING and s.session_id == "session-1" for s in rig.statuses(cp_id)) == 1


async def test_an_end_that_was_said_is_said_again_under_the_same_id_after_a_kill(rig: EngineRig, cp_id: str):
    first = await rig.engine(cp_id=cp_id, session_seconds=0.7)
    await rig.start(cp_id, "session-1")
    await rig.status(cp_id, ACTIVATED, session_id="session-1")
    await first.kill()
    await rig.engine(cp_id=cp_id, session_seconds=0.7)
    again = await rig.start(cp_id, "session-1", resume=True)
    assert (await rig.reply(again)).outcome is CommandOutcome.ACCEPTED
    ends = await rig.until(
        lambda: (
            found
            if len(
                found := [
                    r.id
                    for r in rig.received
                    if r.topic == "cp.status"
                    and r.message.session_id == "session-1"
                    and r.message.state is ACTIVATED
                    and r.message.cp_id == cp_id
                ]
            )
            == 2
            else None
        ),
        "the end said again",
    )
    assert ends[0] == ends[1]


async def test_an_administrative_stop_outlives_a_kill(rig: EngineRig, cp_id: str):
    first = await rig.engine(cp_id=cp_id)
    await rig.command(CommandAction.STOP_CP, cp_id)
    await rig.status(cp_id, ChargePointState.STOPPED)
    await first.kill()
    await rig.engine(cp_id=cp_id)
    booted = await rig.status(cp_id, ChargePointState.STOPPED, reason="boot")
    assert booted.previous_state is ChargePointState.STOPPED
    assert booted.detail is not None
    assert booted.detail.administrative_stop is True


async def test_a_charger_that_falls_silent_is_a_fault_that_heals_when_it_is_heard_again(
    rig: EngineRig, chargers: Chargers, cp_id: str
):
    chargers.add(cp_id)
    engine = await rig.engine(cp_id=cp_id, can=chargers.address, session_seconds=0)
    await rig.start(cp_id, "session-1")
    await rig.until(lambda: rig.intervals("session-1"), "an interval")
    await chargers.freeze()
    failed = await rig.status(cp_id, FAULT)
    assert (failed.reason, failed.session_id) == ("charger_silent", "session-1")
    assert_adds_up(rig.intervals("session-1"), failed)
    health = engine.host.health_of(cp_id)
    assert (health["healthy"], health["detail"]) == (False, "charger_silent")
    chargers.turn()
    healed = await rig.status(cp_id, ACTIVATED, reason="healed")
    assert healed.previous_state is FAULT
    assert engine.host.health_of(cp_id)["healthy"]
    await rig.start(cp_id, "session-2")
    await rig.status(cp_id, SUPPLYING, session_id="session-2")


async def test_a_charger_that_comes_late_is_a_fault_until_it_comes(rig: EngineRig, chargers: Chargers, cp_id: str):
    await rig.engine(cp_id=cp_id, can=chargers.address)
    failed = await rig.status(cp_id, FAULT)
    assert failed.reason == "charger_silent"
    chargers.add(cp_id)
    await rig.status(cp_id, ACTIVATED, reason="healed")
