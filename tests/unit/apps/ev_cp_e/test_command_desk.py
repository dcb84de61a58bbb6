"""Central's commands: each at most once, in time or not at all, always answered, refused with the states' names."""

from __future__ import annotations

import pytest

from evcharging.apps.ev_cp_e.command_desk import MOST_WAITING, Refused, parse_injection
from evcharging.apps.ev_cp_e.effects import InjectOrder, LimitOrder, StartOrder, StopOrder
from evcharging.can.frames import InjectKind
from evcharging.domain.charger import ChargerState, FaultCode
from evcharging.domain.states import ChargePointState
from evcharging.messages.commands import CommandAction, CommandOutcome
from tests.support.charge_point import Bench

START, STOP = CommandAction.START_SUPPLY, CommandAction.STOP_SUPPLY
STOP_CP, RESUME_CP = CommandAction.STOP_CP, CommandAction.RESUME_CP
ACCEPTED, REJECTED, EXPIRED = CommandOutcome.ACCEPTED, CommandOutcome.REJECTED, CommandOutcome.EXPIRED


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.boot()
    bench.forget()
    return bench


def test_a_command_past_its_time_is_answered_and_not_done(bench: Bench):
    bench.command(START, session_id="session-1", valid_s=0.0)
    assert bench.reply.outcome is EXPIRED
    assert bench.orders == []


def test_a_command_without_a_limit_in_time_never_expires(bench: Bench):
    bench.command(START, session_id="session-1", valid_s=None)
    assert StartOrder() in bench.orders


def test_a_repeated_command_gets_the_same_answer_and_no_second_effect(bench: Bench):
    command = bench.start()
    bench.later(10.0)
    bench.charger_stops(61.1)
    [answer] = [event for event in bench.events if event.topic.name == "central.replies"]
    bench.forget()
    bench.later(60.0)
    bench.again(command)
    assert bench.orders == []
    assert bench.events == [answer]


def test_a_command_repeated_before_its_answer_is_answered_once(bench: Bench):
    command = bench.order_start()
    bench.again(command)
    bench.says(ChargerState.CHARGING)
    assert len(bench.replies) == 1
    assert bench.orders.count(StartOrder()) == 1


def test_a_replayed_command_that_was_answered_is_left_alone(bench: Bench):
    command = bench.start()
    bench.forget()
    bench.again(command, replayed=True)
    assert bench.effects == []


def test_a_start_for_the_session_under_way_tells_its_beginning_again(bench: Bench):
    bench.start()
    [begun] = [event for event in bench.events if event.topic.name == "cp.status"]
    bench.forget()
    bench.order_start()
    assert bench.reply.outcome is ACCEPTED
    assert [event for event in bench.events if event.topic.name == "cp.status"] == [begun]
    assert bench.orders == []


def test_a_start_for_a_session_that_ended_tells_its_end_again(bench: Bench):
    bench.start()
    bench.later(10.0)
    bench.charger_stops(61.1)
    end = bench.events[-1]
    bench.forget()
    bench.order_start()
    assert bench.reply.outcome is ACCEPTED
    assert [event for event in bench.events if event.topic.name == "cp.status"] == [end]
    assert bench.orders == []


def test_the_state_as_it_is_stays_the_last_word_after_an_old_end_was_told_again(bench: Bench):
    bench.start()
    bench.later(10.0)
    bench.charger_stops(61.1)
    bench.start("session-2")
    begun = bench.events[-1]
    bench.order_start("session-1")
    assert [status.session_id for status in bench.statuses[-2:]] == ["session-1", "session-2"]
    assert begun in bench.events[-2:]


def test_a_start_that_resumes_is_refused_where_its_session_is_unknown(bench: Bench):
    bench.order_start(resume=True)
    assert (bench.reply.outcome, bench.reply.error_code) == (REJECTED, "unknown_session")
    assert bench.orders == []


def test_a_start_that_resumes_finds_the_session_under_way(bench: Bench):
    bench.start()
    bench.order_start(resume=True)
    assert bench.reply.outcome is ACCEPTED


def test_a_busy_charge_point_refuses_another_session_and_names_both_states(bench: Bench):
    bench.start()
    bench.order_start("session-2")
    assert (bench.reply.outcome, bench.reply.error_code) == (REJECTED, "busy")
    assert "SUPPLYING to SUPPLYING" in str(bench.reply.error_description)
    assert "session-1" in str(bench.reply.error_description)


def test_a_stopped_charge_point_refuses_a_start(bench: Bench):
    bench.command(STOP_CP)
    bench.order_start()
    assert bench.reply.error_code == "stopped"
    assert "STOPPED to SUPPLYING" in str(bench.reply.error_description)


def test_a_faulted_charge_point_refuses_a_start(bench: Bench):
    bench.says(ChargerState.FAULTED, FaultCode.GROUND_FAULT)
    bench.order_start()
    assert bench.reply.error_code == "faulted"
    assert "FAULT to SUPPLYING" in str(bench.reply.error_description)
    assert "ground_fault" in str(bench.reply.error_description)


def test_a_charger_that_still_charges_for_nobody_takes_no_session(bench: Bench):
    bench.says(ChargerState.CHARGING)
    bench.order_start()
    assert bench.reply.error_code == "busy"


@pytest.mark.parametrize("kwh", ["much", True, 0, -1, 1001])
def test_a_target_that_cannot_be_is_refused(bench: Bench, kwh: object):
    bench.order_start(kwh=kwh)
    assert (bench.reply.outcome, bench.reply.error_code) == (REJECTED, "invalid_payload")
    assert bench.orders == []


@pytest.mark.parametrize("action", [START, STOP])
def test_a_session_must_be_named(bench: Bench, action: CommandAction):
    bench.command(action)
    assert bench.reply.error_code == "invalid_payload"


def test_there_is_one_connector(bench: Bench):
    bench.command(START, session_id="session-1", connector_id=2)
    assert bench.reply.error_code == "unknown_connector"


def test_a_stop_ends_the_session_for_the_reason_given(bench: Bench):
    bench.start()
    bench.flows(6.1)
    bench.command(STOP, session_id="session-1", payload={"reason": "driver_cancel"})
    assert bench.reply.outcome is ACCEPTED
    assert bench.orders[-1] == StopOrder()
    bench.charger_stops(0.3)
    assert (bench.status.state, bench.status.reason) == (ChargePointState.ACTIVATED, "driver_cancel")


def test_a_stop_without_a_reason_is_the_operators(bench: Bench):
    bench.start()
    bench.command(STOP, session_id="session-1")
    bench.charger_stops()
    assert bench.status.reason == "operator_stop"


def test_a_stop_of_a_session_that_ended_tells_its_end_again(bench: Bench):
    bench.start()
    bench.later(10.0)
    bench.charger_stops(61.1)
    end = bench.events[-1]
    bench.forget()
    bench.command(STOP, session_id="session-1")
    assert bench.reply.outcome is ACCEPTED
    assert end in bench.events


def test_a_stop_of_a_session_nobody_knows_is_refused(bench: Bench):
    bench.command(STOP, session_id="session-9")
    assert (bench.reply.outcome, bench.reply.error_code) == (REJECTED, "unknown_session")


def test_an_administrative_stop_ends_the_session_first(bench: Bench):
    bench.start()
    bench.flows(6.1)
    bench.command(STOP_CP)
    assert len(bench.replies) == 1, "answered when it is done"
    bench.charger_stops(0.3)
    ended, stopped = bench.statuses[-2:]
    assert (ended.state, ended.reason, ended.session_id) == (ChargePointState.ACTIVATED, "operator_stop", "session-1")
    assert (stopped.state, stopped.previous_state) == (ChargePointState.STOPPED, ChargePointState.ACTIVATED)
    assert stopped.detail is not None
    assert stopped.detail.administrative_stop is True
    assert bench.reply.outcome is ACCEPTED


def test_resuming_brings_it_back_into_service(bench: Bench):
    bench.command(STOP_CP)
    bench.command(RESUME_CP)
    assert (bench.status.state, bench.status.previous_state) == (ChargePointState.ACTIVATED, ChargePointState.STOPPED)
    assert bench.status.detail is not None
    assert bench.status.detail.administrative_stop is False
    assert bench.reply.outcome is ACCEPTED


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [(None, RESUME_CP, "ACTIVATED to ACTIVATED"), (STOP_CP, STOP_CP, "STOPPED to STOPPED")],
)
def test_a_move_that_no_rule_allows_is_refused_with_both_states(
    bench: Bench, first: CommandAction | None, second: CommandAction, named: str
):
    if first is not None:
        bench.command(first)
    bench.command(second)
    assert (bench.reply.outcome, bench.reply.error_code) == (REJECTED, "illegal_transition")
    assert named in str(bench.reply.error_description)


def test_resuming_while_it_supplies_is_refused(bench: Bench):
    bench.start()
    bench.command(RESUME_CP)
    assert "SUPPLYING to ACTIVATED" in str(bench.reply.error_description)


def test_a_stop_given_in_a_fault_stands_after_it(bench: Bench):
    bench.says(ChargerState.FAULTED, FaultCode.GROUND_FAULT)
    bench.command(STOP_CP)
    assert bench.reply.outcome is ACCEPTED
    assert (bench.status.state, bench.status.reason) == (ChargePointState.FAULT, "ground_fault")
    assert bench.status.detail is not None
    assert bench.status.detail.administrative_stop is True
    bench.says(ChargerState.AVAILABLE)
    bench.meters(1000.0)
    assert (bench.status.state, bench.status.previous_state) == (ChargePointState.STOPPED, ChargePointState.FAULT)


def test_a_stop_outlasts_a_fault_unless_it_is_taken_back_in_it(bench: Bench):
    bench.command(STOP_CP)
    bench.says(ChargerState.FAULTED, FaultCode.GROUND_FAULT)
    bench.command(RESUME_CP)
    bench.says(ChargerState.AVAILABLE)
    bench.meters(1000.0)
    assert bench.status.state is ChargePointState.ACTIVATED


def test_a_limit_is_offered_and_answered_with_what_it_came_to(bench: Bench):
    bench.start()
    bench.command(CommandAction.SET_LIMIT, limit_amps=16)
    assert bench.orders[-1] == LimitOrder(16.0)
    assert bench.reply.payload == {"limit_amps": 16.0}
    bench.command(CommandAction.SET_LIMIT, limit_amps=32)
    assert bench.reply.payload == {"limit_amps": 31.75}, "no more than the engine offers at all"


def test_a_limit_above_the_rating_is_clamped_and_reported(bench: Bench):
    bench.start()
    bench.command(CommandAction.SET_LIMIT, limit_amps=100)
    assert bench.reply.outcome is ACCEPTED
    assert bench.point.limit_amps <= 32.0
    [alert] = bench.alerts
    assert (alert.kind, alert.severity) == ("limit_above_rating", "warning")
    assert "100 A" in str(alert.detail)
    assert "32 A" in str(alert.detail)


def test_a_limit_needs_a_figure(bench: Bench):
    bench.command(CommandAction.SET_LIMIT)
    assert bench.reply.error_code == "invalid_payload"


def test_what_is_injected_goes_to_the_charger_and_changes_nothing_here(bench: Bench):
    bench.command(CommandAction.INJECT, payload={"kind": "fault", "code": "over_temperature"})
    assert bench.orders == [InjectOrder(InjectKind.FAULT, FaultCode.OVER_TEMPERATURE)]
    assert bench.reply.outcome is ACCEPTED
    assert bench.statuses == []


def test_nothing_is_injected_into_a_charger_that_is_not_heard(bench: Bench):
    bench.falls_silent()
    bench.command(CommandAction.INJECT, payload={"kind": "unplug"})
    assert bench.reply.error_code == "charger_silent"
    assert bench.orders == []


@pytest.mark.parametrize(
    ("payload", "order"),
    [
        ({"kind": "unplug"}, (InjectKind.UNPLUG, FaultCode.NONE)),
        ({"kind": "PLUG", "code": "GROUND_FAULT"}, (InjectKind.PLUG, FaultCode.NONE)),
        ({"kind": "clear"}, (InjectKind.CLEAR, FaultCode.NONE)),
        ({"kind": "fault"}, (InjectKind.FAULT, FaultCode.GROUND_FAULT)),
        ({"kind": "fault", "code": "Contactor_Welded"}, (InjectKind.FAULT, FaultCode.CONTACTOR_WELDED)),
    ],
)
def test_an_injection_is_read(payload: dict[str, object], order: tuple[InjectKind, FaultCode]):
    assert parse_injection(payload) == order


@pytest.mark.parametrize(
    ("payload", "expected"),
    [({}, "unplug"), ({"kind": "explode"}, "unplug"), ({"kind": "fault", "code": "none"}, "ground_fault")],
)
def test_an_injection_that_is_none_is_refused_with_those_there_are(payload: dict[str, object], expected: str):
    with pytest.raises(Refused, match=expected):
        parse_injection(payload)


def test_no_ocpp_is_spoken_here(bench: Bench):
    bench.command(CommandAction.OCPP_CALL, payload={"action": "Reset", "payload": {}})
    assert (bench.reply.outcome, bench.reply.error_code) == (REJECTED, "not_supported")


def test_commands_wait_while_a_session_is_started_and_ended(bench: Bench):
    bench.order_start()
    bench.command(STOP, session_id="session-1")
    assert bench.replies == []
    bench.says(ChargerState.CHARGING)
    assert [reply.outcome for reply in bench.replies] == [ACCEPTED, ACCEPTED]
    bench.order_start("session-2")
    assert len(bench.replies) == 2
    bench.charger_stops(0.2)
    assert bench.orders[-1] == StartOrder()


def test_a_command_that_waited_too_long_has_expired(bench: Bench):
    bench.order_start()
    bench.command(STOP_CP, valid_s=0.5)
    bench.later(1.0)
    bench.says(ChargerState.CHARGING)
    assert [reply.outcome for reply in bench.replies] == [ACCEPTED, EXPIRED]


def test_so_many_commands_wait_and_no_more(bench: Bench):
    bench.order_start()
    for _ in range(MOST_WAITING + 1):
        bench.command(STOP_CP)
    assert [reply.error_code for reply in bench.replies] == ["overloaded"]


def test_commands_wait_for_the_charger_to_be_heard_at_the_start():
    bench = Bench()
    bench.order_start()
    assert bench.replies == []
    bench.boot()
    assert StartOrder() in bench.orders


def test_what_waits_at_a_shutdown_is_refused(bench: Bench):
    bench.order_start()
    bench.command(STOP_CP)
    bench.effects += bench.point.leave(bench.now)
    assert {reply.error_code for reply in bench.replies} == {"shutdown"}
    assert len(bench.replies) == 2


def test_the_trace_of_a_command_runs_through_all_that_follows(bench: Bench):
    bench.start()
    bench.flows(6.1)
    assert {event.traceparent for event in bench.events} == {"00-trace"}
