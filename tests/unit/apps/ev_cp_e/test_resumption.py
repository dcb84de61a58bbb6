"""What becomes of a session that an earlier life of the engine left open."""

from __future__ import annotations

from datetime import timedelta

import pytest

from evcharging.apps.ev_cp_e.effects import LimitOrder, StartOrder, StopOrder
from evcharging.domain.charger import ChargerState, FaultCode
from evcharging.domain.states import ChargePointState
from evcharging.messages.commands import CommandAction, CommandOutcome
from tests.support.charge_point import NOON, Bench, past_of

ACTIVATED, SUPPLYING, FAULT = ChargePointState.ACTIVATED, ChargePointState.SUPPLYING, ChargePointState.FAULT


@pytest.fixture
def killed() -> Bench:
    """An engine that was killed two seconds into a session, at 1012.2 Wh."""
    bench = Bench()
    bench.boot()
    bench.start(kwh=5)
    bench.flows(6.1)
    bench.flows(6.1)
    return bench


def successor(killed: Bench, *, after_s: float = 20.0, session_seconds: float = 10.0) -> Bench:
    wall = NOON + timedelta(seconds=2 + after_s)
    return Bench(past=past_of(killed.events), wall=wall, session_seconds=session_seconds)


def test_it_goes_on_and_meters_what_flowed_while_nobody_listened(killed: Bench):
    bench = successor(killed)
    bench.says(ChargerState.SUSPENDED)
    bench.meters(1030.0)
    booted, resumed = bench.statuses
    assert (booted.state, booted.previous_state, booted.reason, booted.session_id) == (
        ACTIVATED,
        SUPPLYING,
        "boot",
        None,
    )
    assert (resumed.state, resumed.previous_state, resumed.reason, resumed.session_id) == (
        SUPPLYING,
        ACTIVATED,
        "resumed",
        "session-1",
    )
    assert resumed.detail is not None
    assert resumed.detail.register_start_wh == 1000.0
    assert bench.orders == [LimitOrder(bench.point.limit_amps), StartOrder()]
    assert bench.notes == ["Charging session resumed for driver-alice"]
    bench.flows(6.1)
    [interval] = bench.telemetry
    assert (interval.seq, interval.register_wh, interval.energy_wh) == (3, 1036.1, 23.9)
    assert interval.interval_start == killed.telemetry[-1].interval_end
    assert interval.kwh == 0.0361


def test_the_time_away_does_not_count_for_its_length(killed: Bench):
    bench = successor(killed)
    bench.says(ChargerState.SUSPENDED)
    bench.meters(1020.0)
    bench.later(7.9)
    assert StopOrder() not in bench.orders
    bench.later(0.2)
    assert bench.orders[-1] == StopOrder()
    bench.charger_stops(50.0)
    assert bench.status.reason == "time_elapsed"
    assert bench.status.detail is not None
    assert bench.status.detail.register_start_wh == 1000.0


def test_its_target_counts_from_its_beginning(killed: Bench):
    bench = successor(killed, session_seconds=0)
    bench.says(ChargerState.SUSPENDED)
    bench.meters(1020.0)
    bench.later(1.0)
    bench.meters(6000.0)
    assert bench.orders[-1] == StopOrder()


def test_a_vehicle_that_waits_on_the_cable_is_started_again(killed: Bench):
    bench = successor(killed)
    bench.says(ChargerState.PLUGGED)
    bench.meters(1012.2)
    assert [status.state for status in bench.statuses] == [ACTIVATED]
    assert StartOrder() in bench.orders
    bench.says(ChargerState.CHARGING)
    assert (bench.status.state, bench.status.reason) == (SUPPLYING, "resumed")


def test_a_restart_that_does_not_come_off_ends_it(killed: Bench):
    bench = successor(killed)
    bench.says(ChargerState.PLUGGED)
    bench.meters(1012.2)
    bench.later(2.3)
    ended, failed = bench.statuses[-2:]
    assert (ended.state, ended.reason, ended.session_id) == (ACTIVATED, "engine_lost", "session-1")
    assert (failed.state, failed.reason) == (FAULT, "charger_silent")


@pytest.mark.parametrize("state", [ChargerState.AVAILABLE, ChargerState.FINISHED])
def test_without_its_vehicle_it_is_lost_with_the_energy_that_the_register_shows(killed: Bench, state: ChargerState):
    bench = successor(killed)
    bench.says(state)
    bench.meters(1030.0)
    [settling] = bench.telemetry
    assert (settling.seq, settling.energy_wh, settling.register_wh) == (3, 17.8, 1030.0)
    assert settling.interval_start == killed.telemetry[-1].interval_end
    ended, booted = bench.statuses
    assert (ended.state, ended.previous_state, ended.reason) == (ACTIVATED, SUPPLYING, "engine_lost")
    assert ended.detail is not None
    assert (ended.detail.last_seq, ended.detail.register_start_wh, ended.detail.register_end_wh) == (3, 1000.0, 1030.0)
    assert (booted.state, booted.reason) == (ACTIVATED, "boot")


def test_after_a_minute_it_is_lost(killed: Bench):
    bench = successor(killed, after_s=61.0)
    bench.says(ChargerState.SUSPENDED)
    bench.meters(1030.0)
    assert bench.statuses[0].reason == "engine_lost"
    assert StopOrder() in bench.orders


def test_just_within_a_minute_it_goes_on(killed: Bench):
    bench = successor(killed, after_s=59.0)
    bench.says(ChargerState.SUSPENDED)
    bench.meters(1030.0)
    assert bench.status.reason == "resumed"


def test_a_register_that_shows_no_more_needs_no_settling(killed: Bench):
    bench = successor(killed)
    bench.says(ChargerState.AVAILABLE)
    bench.meters(1012.2)
    assert bench.telemetry == []
    assert bench.statuses[0].detail is not None
    assert bench.statuses[0].detail.last_seq == 2


def test_a_register_that_went_back_is_not_believed(killed: Bench):
    bench = successor(killed)
    bench.says(ChargerState.CHARGING)
    bench.meters(3.0)
    assert bench.telemetry == []
    ended = bench.statuses[0]
    assert ended.reason == "engine_lost"
    assert ended.detail is not None
    assert ended.detail.register_end_wh == 1012.2
    assert StopOrder() in bench.orders


def test_a_charger_that_is_not_heard_ends_it_and_is_a_fault(killed: Bench):
    bench = successor(killed)
    bench.later(5.1)
    ended, failed = bench.statuses
    assert (ended.reason, ended.session_id) == ("engine_lost", "session-1")
    assert ended.detail is not None
    assert ended.detail.register_end_wh == 1012.2
    assert (failed.state, failed.reason) == (FAULT, "charger_silent")


def test_a_charger_with_a_fault_ends_it_and_is_a_fault(killed: Bench):
    bench = successor(killed)
    bench.says(ChargerState.FAULTED, FaultCode.GROUND_FAULT)
    bench.meters(1015.0)
    assert [status.reason for status in bench.statuses] == ["engine_lost", "boot", "ground_fault"]
    assert bench.status.state is FAULT


def test_a_restart_that_repeats_itself_repeats_its_ids(killed: Bench):
    ids = []
    for _ in range(2):
        bench = successor(killed)
        bench.says(ChargerState.AVAILABLE)
        bench.meters(1030.0)
        ids.append([event.id for event in bench.events if event.message.session_id == "session-1"])
    assert ids[0] == ids[1]


def test_a_start_repeated_after_the_kill_finds_its_session(killed: Bench):
    bench = successor(killed)
    bench.says(ChargerState.SUSPENDED)
    bench.meters(1012.2)
    bench.order_start(resume=True)
    assert bench.reply.outcome is CommandOutcome.ACCEPTED
    assert bench.status.session_id == "session-1"


def test_a_command_that_was_answered_before_the_kill_is_not_carried_out_again(killed: Bench):
    answered = killed.command(CommandAction.SET_LIMIT, limit_amps=6)
    bench = successor(killed)
    bench.says(ChargerState.SUSPENDED)
    bench.meters(1012.2)
    bench.forget()
    bench.again(answered, replayed=True)
    assert bench.effects == []


def test_a_command_that_was_not_answered_before_the_kill_is_carried_out():
    killed = Bench()
    killed.boot()
    command = killed.order_start()
    bench = Bench(past=past_of(killed.events), wall=NOON + timedelta(seconds=5))
    bench.again(command, replayed=True)
    bench.boot()
    assert StartOrder() in bench.orders


def test_a_charge_that_nobody_knows_of_is_stopped():
    bench = Bench()
    bench.boot(state=ChargerState.SUSPENDED)
    assert bench.orders == [StopOrder()]
    assert bench.status.state is ACTIVATED


def test_an_administrative_stop_stands_after_a_restart():
    killed = Bench()
    killed.boot()
    killed.command(CommandAction.STOP_CP)
    bench = Bench(past=past_of(killed.events))
    bench.boot()
    assert (bench.status.state, bench.status.previous_state, bench.status.reason) == (
        ChargePointState.STOPPED,
        ChargePointState.STOPPED,
        "boot",
    )
    bench.command(CommandAction.RESUME_CP, command_id="resume")
    assert bench.status.state is ACTIVATED


def test_a_restart_after_a_clean_end_comes_from_disconnected():
    before = Bench()
    before.boot()
    before.effects += before.point.leave(before.now)
    bench = Bench(past=past_of(before.events))
    bench.boot()
    assert (bench.status.state, bench.status.previous_state) == (ACTIVATED, ChargePointState.DISCONNECTED)
