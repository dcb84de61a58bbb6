"""How long is waited, and for whom a wait is made longer."""

from __future__ import annotations

from decimal import Decimal

from evcharging.apps.ev_cp_e.effects import Moment
from evcharging.apps.ev_cp_e.phases import END_WAIT_S, LOOK_AGAIN_S, START_WAIT_S, Ending, Starting
from evcharging.apps.ev_cp_e.session import MeteredSession, SessionTerms
from evcharging.domain.charger import L2_THREE_PHASE
from tests.support.charge_point import NOON


def at(s: float) -> Moment:
    return Moment(NOON, s)


def a_start() -> Starting:
    session = MeteredSession(
        session_id="session-1",
        driver_id=None,
        cp_id="CP-001",
        terms=SessionTerms(spec=L2_THREE_PHASE),
        register_start_wh=Decimal(0),
        started_at=NOON,
    )
    return Starting(at(0.0), session, lambda _now, _refusal: None, resumed=False)


def test_a_wait_runs_out_when_it_is_found_over_twice():
    ending = Ending(at(0.0), "time_elapsed")
    assert not ending.ran_out(at(END_WAIT_S - 0.01))
    assert not ending.ran_out(at(END_WAIT_S))
    assert ending.deadline_s == END_WAIT_S + LOOK_AGAIN_S
    assert not ending.ran_out(at(END_WAIT_S + 0.1))
    assert ending.ran_out(at(END_WAIT_S + LOOK_AGAIN_S))


def test_who_is_held_up_again_looks_again():
    starting = a_start()
    assert not starting.ran_out(at(60.0))
    assert not starting.ran_out(at(120.0))
    assert not starting.ran_out(at(120.1))
    assert starting.ran_out(at(120.3))


def test_a_start_is_repeated_each_half_second_and_not_in_a_burst_after_a_sleep():
    starting = a_start()
    assert not starting.to_be_repeated(at(0.4))
    assert starting.to_be_repeated(at(0.5))
    assert starting.due_s == 1.0
    assert starting.to_be_repeated(at(1.7))
    assert not starting.to_be_repeated(at(1.8))
    assert starting.due_s == min(START_WAIT_S, 2.2)
