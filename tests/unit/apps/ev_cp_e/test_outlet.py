"""How a session begins, flows and ends at an outlet, and what its charger's faults make of it."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from evcharging.apps.ev_cp_e.effects import LimitOrder, StartOrder, StopOrder
from evcharging.apps.ev_cp_e.phases import Phase
from evcharging.domain.charger import ChargerState, FaultCode
from evcharging.domain.states import ChargePointState
from evcharging.messages.commands import CommandAction, CommandOutcome
from tests.support.charge_point import NOON, Bench

ACTIVATED, SUPPLYING, FAULT = ChargePointState.ACTIVATED, ChargePointState.SUPPLYING, ChargePointState.FAULT


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.boot()
    bench.forget()
    return bench


def assert_adds_up(bench: Bench, register_start_wh: float, register_end_wh: float) -> None:
    """The intervals leave nothing out, in time and on the register, and the end status agrees with them."""
    intervals = bench.telemetry
    assert [interval.seq for interval in intervals] == list(range(1, len(intervals) + 1))
    for before, after in itertools.pairwise(intervals):
        assert after.interval_start == before.interval_end
    assert round(sum(interval.energy_wh for interval in intervals), 1) == round(register_end_wh - register_start_wh, 1)
    assert intervals[-1].register_wh == register_end_wh
    [end] = [s for s in bench.statuses if s.detail is not None and s.detail.last_seq is not None]
    assert end.detail is not None
    assert end.detail.last_seq == intervals[-1].seq
    assert end.detail.register_start_wh == register_start_wh
    assert end.detail.register_end_wh == register_end_wh


def test_it_is_announced_when_its_charger_has_said_its_register():
    bench = Bench()
    bench.says(ChargerState.AVAILABLE)
    assert bench.statuses == []
    bench.meters(1000.0)
    assert (bench.status.state, bench.status.previous_state, bench.status.reason) == (
        ACTIVATED,
        ChargePointState.DISCONNECTED,
        "boot",
    )
    assert bench.status.connector_id == 1


def test_without_a_charger_it_boots_into_a_fault_and_heals_when_one_is_heard():
    bench = Bench()
    bench.later(5.1)
    assert (bench.status.state, bench.status.reason) == (FAULT, "charger_silent")
    bench.says(ChargerState.AVAILABLE)
    assert bench.status.state is FAULT, "no session may begin on a register that is not known"
    bench.meters(0.0)
    assert (bench.status.state, bench.status.previous_state) == (ACTIVATED, FAULT)


def test_a_start_orders_the_limit_and_the_charge_and_waits_for_the_charger(bench: Bench):
    bench.order_start()
    assert isinstance(bench.orders[0], LimitOrder)
    assert bench.orders[0].limit_amps == pytest.approx(31.754, abs=1e-3)
    assert bench.orders[1:] == [StartOrder()]
    assert bench.events == []


def test_it_supplies_the_moment_the_charger_confirms(bench: Bench):
    bench.order_start()
    bench.says(ChargerState.CHARGING)
    assert bench.reply.outcome is CommandOutcome.ACCEPTED
    status = bench.status
    assert (status.state, status.previous_state, status.session_id) == (SUPPLYING, ACTIVATED, "session-1")
    assert status.detail is not None
    assert status.detail.register_start_wh == 1000.0
    assert bench.notes == ["Charging session started for driver-alice"]


def test_a_charger_that_has_nothing_on_offer_has_started_all_the_same(bench: Bench):
    bench.order_start()
    bench.says(ChargerState.SUSPENDED)
    assert bench.status.state is SUPPLYING


def test_a_start_that_was_lost_on_the_way_is_ordered_again(bench: Bench):
    bench.order_start()
    bench.later(1.1)
    assert bench.orders.count(StartOrder()) == 3


def test_a_charger_that_does_not_confirm_is_a_refusal_and_a_fault(bench: Bench):
    bench.order_start()
    bench.later(2.3)
    assert (bench.reply.outcome, bench.reply.error_code) == (CommandOutcome.REJECTED, "charger_silent")
    assert (bench.status.state, bench.status.reason, bench.status.session_id) == (FAULT, "charger_silent", None)
    assert bench.orders[-1] == StopOrder()
    bench.meters(1000.0)
    assert bench.status.state is ACTIVATED


def test_a_fault_instead_of_a_confirmation_refuses_the_start(bench: Bench):
    bench.order_start()
    bench.says(ChargerState.FAULTED, FaultCode.GROUND_FAULT)
    assert bench.reply.error_code == "faulted"
    assert (bench.status.state, bench.status.reason) == (FAULT, "ground_fault")


def test_a_silence_instead_of_a_confirmation_refuses_the_start(bench: Bench):
    bench.order_start()
    bench.falls_silent()
    assert bench.reply.error_code == "charger_silent"
    assert bench.status.reason == "charger_silent"


def test_intervals_follow_the_register_second_by_second(bench: Bench):
    bench.start()
    for _ in range(3):
        bench.flows(6.1)
    assert [i.energy_wh for i in bench.telemetry] == [6.1, 6.1, 6.1]
    assert [i.register_wh for i in bench.telemetry] == [1006.1, 1012.2, 1018.3]
    assert [i.kwh for i in bench.telemetry] == [0.0061, 0.0122, 0.0183]
    first = bench.telemetry[0]
    assert first.interval_start == NOON
    assert (first.kw, first.amps, first.soc) == (pytest.approx(22.0, abs=0.1), 31.75, 0.3)
    assert bench.telemetry[-1].euros == pytest.approx(0.0055)


def test_the_first_interval_begins_when_the_charger_confirms(bench: Bench):
    bench.order_start()
    bench.later(0.3)
    bench.says(ChargerState.CHARGING)
    bench.flows(6.1)
    assert bench.telemetry[0].interval_start == NOON + timedelta(seconds=0.3)


def test_a_register_said_again_within_half_a_second_makes_no_interval_of_its_own(bench: Bench):
    bench.start()
    bench.flows(1.0, seconds=0.2)
    assert bench.telemetry == []
    bench.flows(5.1, seconds=0.8)
    assert [i.energy_wh for i in bench.telemetry] == [6.1]


def test_while_the_bus_takes_nothing_the_interval_stays_open_and_loses_nothing(bench: Bench):
    bench.start()
    bench.flows(6.1, hold=True)
    bench.flows(6.1, hold=True)
    assert bench.telemetry == []
    bench.flows(6.1)
    [interval] = bench.telemetry
    assert interval.energy_wh == 18.3
    assert (interval.interval_end - interval.interval_start).total_seconds() == 3.0


def test_the_sun_and_the_grid_add_up_to_the_meter(bench: Bench):
    bench.start()
    bench.flows(6.1, solar_fraction=0.5)
    bench.flows(6.1, solar_fraction=1.0)
    assert [(i.solar_wh, i.grid_wh) for i in bench.telemetry] == [(3.0, 3.1), (6.1, 0.0)]


def test_a_session_ends_when_its_time_is_over_with_the_last_reading_after_the_stop(bench: Bench):
    bench.start()
    for _ in range(9):
        bench.flows(6.1)
    bench.later(1.0)
    assert bench.orders[-1] == StopOrder()
    assert bench.status.state is SUPPLYING
    bench.charger_stops(6.2)
    status = bench.status
    assert (status.state, status.previous_state, status.reason) == (ACTIVATED, SUPPLYING, "time_elapsed")
    assert_adds_up(bench, 1000.0, 1061.1)
    assert bench.notes[-1] == "Session completed. Total: 0.06 kWh, €0.02"


def test_all_intervals_are_published_before_the_end(bench: Bench):
    bench.start()
    bench.later(10.0)
    bench.charger_stops(61.1)
    assert [event.topic.name for event in bench.events][-2:] == ["cp.telemetry", "cp.status"]


def test_a_reading_from_before_the_contactor_opened_is_not_the_final_one(bench: Bench):
    bench.start()
    bench.later(10.0)
    bench.meters(1060.0)
    assert bench.status.state is SUPPLYING
    bench.charger_stops(1.1)
    assert_adds_up(bench, 1000.0, 1061.1)


def test_a_charger_that_does_not_stop_is_cut_off_as_silent(bench: Bench):
    bench.start()
    bench.flows(6.1)
    bench.later(9.0 + 3.3)
    assert (bench.status.state, bench.status.reason) == (FAULT, "charger_silent")
    assert_adds_up(bench, 1000.0, 1006.1)


def test_a_session_ends_at_its_target(bench: Bench):
    bench.start(kwh=0.0122)
    bench.flows(6.1)
    bench.flows(6.1)
    assert bench.orders[-1] == StopOrder()
    bench.charger_stops(0.1)
    assert bench.status.reason == "target_reached"


def test_between_readings_the_target_is_reckoned_from_the_power():
    bench = Bench(session_seconds=0, time_scale=600)
    bench.boot()
    bench.start(kwh=1.0)
    bench.measures(31.75)
    bench.later(0.26)
    assert StopOrder() not in bench.orders
    bench.later(0.2)
    assert StopOrder() in bench.orders
    bench.charger_stops(1100.0)
    assert bench.status.reason == "target_reached"


def test_without_time_or_target_only_the_charger_ends_it():
    bench = Bench(session_seconds=0)
    bench.boot()
    bench.start()
    bench.later(3600)
    assert bench.status.state is SUPPLYING
    bench.charger_stops(22_000.0)
    assert bench.status.reason == "battery_full"


@pytest.mark.parametrize(
    ("state", "reason"), [(ChargerState.FINISHED, "battery_full"), (ChargerState.AVAILABLE, "unplugged")]
)
def test_the_charger_ends_a_session_by_itself(bench: Bench, state: ChargerState, reason: str):
    bench.start()
    bench.flows(6.1)
    bench.charger_stops(1.2, state)
    assert (bench.status.state, bench.status.reason) == (ACTIVATED, reason)
    assert_adds_up(bench, 1000.0, 1007.3)


def test_a_cable_pulled_without_another_word_ends_it_with_the_last_register(bench: Bench):
    bench.start()
    bench.flows(6.1)
    bench.says(ChargerState.AVAILABLE)
    bench.falls_silent()
    [end] = [s for s in bench.statuses if s.reason == "unplugged"]
    assert end.state is ACTIVATED
    assert (bench.status.state, bench.status.reason) == (FAULT, "charger_silent")
    assert_adds_up(bench, 1000.0, 1006.1)


def test_a_fault_fails_the_session_with_its_final_reading_and_heals(bench: Bench):
    bench.start()
    bench.flows(6.1)
    bench.says(ChargerState.FAULTED, FaultCode.OVER_TEMPERATURE)
    assert bench.status.state is SUPPLYING, "the final reading is still to come"
    bench.meters(1006.4)
    status = bench.status
    assert (status.state, status.reason, status.session_id) == (FAULT, "over_temperature", "session-1")
    assert_adds_up(bench, 1000.0, 1006.4)
    bench.says(ChargerState.FINISHED)
    bench.meters(1006.4)
    assert (bench.status.state, bench.status.previous_state, bench.status.session_id) == (ACTIVATED, FAULT, None)


def test_a_fault_raises_an_alert_that_ends_with_it(bench: Bench):
    bench.says(ChargerState.FAULTED, FaultCode.GROUND_FAULT)
    bench.later(5.0)
    bench.says(ChargerState.AVAILABLE)
    bench.meters(1000.0)
    begun, ended = bench.alerts
    assert (begun.kind, begun.severity, begun.ended_at) == ("ground_fault", "critical", None)
    assert ended.alert_id == begun.alert_id
    assert ended.ended_at is not None
    assert (ended.ended_at - begun.started_at).total_seconds() == 5.0
    assert len({event.id for event in bench.events}) == len(bench.events)


def test_a_silent_charger_fails_the_session_with_the_last_register(bench: Bench):
    bench.start()
    bench.flows(6.1)
    bench.later(1.0)
    bench.falls_silent()
    assert (bench.status.state, bench.status.reason, bench.status.session_id) == (FAULT, "charger_silent", "session-1")
    assert_adds_up(bench, 1000.0, 1006.1)
    assert bench.telemetry[-1].kw == 0.0


def test_a_charger_that_comes_back_charging_is_stopped_and_what_it_drew_is_nobodys(bench: Bench):
    bench.start()
    bench.flows(6.1)
    bench.falls_silent()
    bench.forget()
    bench.is_heard_again()
    bench.meters(1010.0)
    assert bench.orders == [StopOrder()], "the link repeats it"
    bench.charger_stops(16.1)
    assert bench.status.state is ACTIVATED
    bench.start("session-2")
    assert bench.status.detail is not None
    assert bench.status.detail.register_start_wh == 1026.1


def test_a_second_reason_for_a_fault_is_told(bench: Bench):
    bench.falls_silent()
    bench.is_heard_again()
    bench.says(ChargerState.FAULTED, FaultCode.CONTACTOR_WELDED)
    assert [(s.state, s.previous_state, s.reason) for s in bench.statuses] == [
        (FAULT, ACTIVATED, "charger_silent"),
        (FAULT, FAULT, "contactor_welded"),
    ]


def test_a_meter_that_was_replaced_fails_the_session_at_its_last_reading(bench: Bench):
    bench.start()
    bench.flows(6.1)
    bench.meter_falls(3.0)
    assert (bench.status.state, bench.status.reason) == (FAULT, "charger_fault")
    assert StopOrder() in bench.orders
    assert_adds_up(bench, 1000.0, 1006.1)


def test_a_frozen_engine_goes_on_where_it_was(bench: Bench):
    bench = Bench(session_seconds=0)
    bench.boot()
    bench.start()
    bench.flows(6.1)
    bench.asleep(8.0)
    for register_wh in (1012.2, 1018.3, 1030.0):
        bench.meters(register_wh)
        bench.asleep(0.001)
    bench.says(ChargerState.SUSPENDED)
    bench.meters(1030.0)
    bench.says(ChargerState.CHARGING)
    bench.flows(6.1)
    bench.flows(6.1)
    assert [i.energy_wh for i in bench.telemetry] == [6.1, 30.0, 6.1], "readings of the past make no intervals of now"
    assert bench.status.state is SUPPLYING


def test_who_wakes_long_after_a_deadline_waits_a_moment_for_what_is_unread(bench: Bench):
    bench.order_start()
    bench.asleep(30.0)
    bench.tick()
    assert bench.replies == []
    bench.says(ChargerState.CHARGING)
    assert bench.reply.outcome is CommandOutcome.ACCEPTED


def test_a_wall_clock_set_back_makes_no_interval_run_backwards(bench: Bench):
    bench.start()
    bench.flows(6.1)
    bench.now = bench.now._replace(wall=bench.now.wall.replace(hour=11))
    bench.flows(6.1)
    last = bench.telemetry[-1]
    assert last.interval_end == last.interval_start == bench.telemetry[0].interval_end


def test_a_shutdown_ends_the_session_and_then_disconnects(bench: Bench):
    bench.start()
    bench.flows(6.1)
    bench.effects += bench.point.leave(bench.now)
    assert bench.point.phase is Phase.ENDING
    bench.charger_stops(0.5)
    ended, left = bench.statuses[-2:]
    assert (ended.state, ended.reason, ended.session_id) == (ACTIVATED, "shutdown", "session-1")
    assert (left.state, left.previous_state, left.reason) == (ChargePointState.DISCONNECTED, ACTIVATED, "shutdown")
    assert_adds_up(bench, 1000.0, 1006.6)
    assert bench.point.phase is Phase.GONE


def test_a_shutdown_takes_a_start_back_that_was_not_confirmed(bench: Bench):
    bench.order_start()
    bench.effects += bench.point.leave(bench.now)
    assert (bench.reply.outcome, bench.reply.error_code) == (CommandOutcome.REJECTED, "shutdown")
    assert bench.orders[-1] == StopOrder()
    assert bench.status.state is ChargePointState.DISCONNECTED


def test_a_shutdown_before_the_charger_was_heard_says_nothing():
    bench = Bench()
    bench.effects += bench.point.leave(bench.now)
    assert bench.events == []
    assert bench.point.phase is Phase.GONE


def test_the_next_session_begins_where_the_register_is_by_then(bench: Bench):
    bench.start()
    bench.later(10.0)
    bench.charger_stops(61.1)
    bench.start("session-2")
    assert bench.status.detail is not None
    assert bench.status.detail.register_start_wh == 1061.1
    bench.flows(6.1)
    assert (bench.telemetry[-1].seq, bench.telemetry[-1].kwh) == (1, 0.0061)


def test_a_limit_on_the_site_is_offered_at_once(bench: Bench):
    bench.start()
    bench.effects += bench.point.share(11.0, bench.now)
    assert isinstance(bench.orders[-1], LimitOrder)
    assert bench.orders[-1].limit_amps == pytest.approx(15.88, abs=0.01)
    bench.effects += bench.point.share(None, bench.now)
    assert bench.orders[-1] == LimitOrder(bench.point.limit_amps)
    assert bench.point.limit_amps == pytest.approx(31.754, abs=1e-3)


def test_an_order_between_sessions_reaches_no_charger(bench: Bench):
    bench.effects += bench.point.share(11.0, bench.now)
    bench.command(CommandAction.SET_LIMIT, limit_amps=10)
    assert bench.orders == []
    bench.order_start()
    assert bench.orders[0] == LimitOrder(10.0)
