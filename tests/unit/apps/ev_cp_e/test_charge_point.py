"""The core as its shell sees it."""

from __future__ import annotations

import math

import pytest

from evcharging.apps.ev_cp_e.command_desk import Refused
from evcharging.apps.ev_cp_e.effects import InjectOrder, StopOrder
from evcharging.apps.ev_cp_e.phases import BOOT_WAIT_S, Phase
from evcharging.can.frames import InjectKind
from evcharging.domain.charger import FaultCode
from evcharging.domain.states import ChargePointState
from tests.support.charge_point import Bench


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.boot()
    return bench


def test_effects_are_handed_out_once(bench: Bench):
    assert bench.of(bench.tick) == []


def test_it_asks_to_be_woken_for_what_it_waits_for():
    bench = Bench()
    assert bench.point.due_s == bench.now.s + BOOT_WAIT_S
    bench.boot()
    assert bench.point.due_s == math.inf
    bench.order_start()
    assert bench.point.due_s < bench.now.s + 1.0
    bench = Bench(session_seconds=7.0)
    bench.boot()
    bench.start()
    assert bench.point.due_s == bench.now.s + 7.0


def test_it_watches_the_current_only_for_a_target(bench: Bench):
    bench.start()
    assert not bench.point.watches_current
    other = Bench()
    other.boot()
    other.start(kwh=1)
    assert other.point.watches_current


def test_its_power_is_that_of_its_session(bench: Bench):
    bench.charger.current_a = 31.75
    assert bench.point.power_kw == 0.0, "nobody's"
    bench.start()
    assert bench.point.power_kw == pytest.approx(22.0, abs=0.1)


def test_hands_on_the_spot_need_a_charger_that_is_heard(bench: Bench):
    bench.effects += bench.point.inject(InjectKind.UNPLUG, FaultCode.NONE, bench.now)
    assert bench.orders == [InjectOrder(InjectKind.UNPLUG, FaultCode.NONE)]
    bench.falls_silent()
    with pytest.raises(Refused, match="not heard"):
        bench.point.inject(InjectKind.UNPLUG, FaultCode.NONE, bench.now)


def test_a_session_ended_on_the_spot_has_its_reason(bench: Bench):
    with pytest.raises(Refused, match="CP-001 is ACTIVATED"):
        bench.point.end_session("operator_stop", bench.now)
    bench.start()
    bench.effects += bench.point.end_session("operator_stop", bench.now)
    assert bench.orders[-1] == StopOrder()
    bench.charger_stops()
    assert bench.status.reason == "operator_stop"


def test_what_it_is_can_be_looked_at(bench: Bench):
    assert (bench.point.state, bench.point.phase, bench.point.fault_reason) == (
        ChargePointState.ACTIVATED,
        Phase.IDLE,
        None,
    )
    bench.falls_silent()
    assert bench.point.charger_silent
    assert bench.point.fault_reason == "charger_silent"
    assert bench.point.demand.kw == pytest.approx(22.0)
