"""When a session is to end by itself."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from evcharging.apps.ev_cp_e.session_clock import CHARGER_STEP_S, SessionClock
from evcharging.domain.end_reasons import EndReason


def a_clock(
    *, lasts_s: float = 0.0, target_wh: int | None = None, time_scale: float = 1.0, started_s: float = 100.0
) -> SessionClock:
    return SessionClock(
        started_s=started_s,
        lasts_s=lasts_s,
        target_wh=None if target_wh is None else Decimal(target_wh),
        energy_wh=Decimal(0),
        now_s=100.0,
        time_scale=time_scale,
    )


def test_without_a_bound_it_never_ends():
    clock = a_clock()
    clock.metered(Decimal(10**9), 22.0, 101.0)
    assert clock.due_s == math.inf
    assert clock.reason(10**9) is None
    assert not clock.has_target


def test_time_ends_it_to_the_moment():
    clock = a_clock(lasts_s=10.0)
    assert clock.due_s == 110.0
    assert clock.reason(109.999) is None
    assert clock.reason(110.0) is EndReason.TIME_ELAPSED


def test_time_had_before_counts():
    assert a_clock(lasts_s=10.0, started_s=93.0).due_s == 103.0


def test_a_register_at_the_target_ends_it_at_once():
    clock = a_clock(target_wh=1000)
    clock.metered(Decimal(1000), 22.0, 150.0)
    assert clock.due_s == 150.0
    assert clock.reason(150.0) is EndReason.TARGET_REACHED


def test_the_target_is_reckoned_from_power_and_a_step_of_the_charger():
    clock = a_clock(target_wh=1000)
    clock.metered(Decimal(0), 36.0, 100.0)
    assert clock.due_s == pytest.approx(200.0 + CHARGER_STEP_S)
    assert clock.reason(200.0) is None
    assert clock.reason(200.11) is EndReason.TARGET_REACHED


def test_simulated_time_that_runs_fast_comes_to_the_target_sooner():
    clock = a_clock(target_wh=1000, time_scale=100.0)
    clock.metered(Decimal(0), 36.0, 100.0)
    assert clock.due_s == pytest.approx(101.0 + CHARGER_STEP_S)


def test_readings_of_the_power_do_not_put_the_end_off():
    clock = a_clock(target_wh=1000)
    clock.metered(Decimal(0), 36.0, 100.0)
    for tenth in range(1, 1011):
        clock.flowing(36.0, 100.0 + tenth / 10)
    assert clock.due_s == pytest.approx(200.0 + CHARGER_STEP_S)
    assert clock.reason(201.0) is EndReason.TARGET_REACHED


def test_less_power_takes_longer():
    clock = a_clock(target_wh=1000)
    clock.metered(Decimal(0), 36.0, 100.0)
    clock.flowing(36.0, 150.0)
    clock.flowing(18.0, 150.0)
    assert clock.due_s == pytest.approx(250.0 + CHARGER_STEP_S)


def test_without_power_no_target_is_in_sight():
    clock = a_clock(target_wh=1000)
    clock.metered(Decimal(500), 0.0, 100.0)
    assert clock.due_s == math.inf


def test_a_reading_of_the_register_sets_the_reckoning_right():
    clock = a_clock(target_wh=1000)
    clock.metered(Decimal(0), 36.0, 100.0)
    clock.flowing(36.0, 150.0)
    clock.metered(Decimal(400), 36.0, 150.0)
    assert clock.due_s == pytest.approx(210.0 + CHARGER_STEP_S)


def test_whichever_comes_first_ends_it():
    clock = a_clock(lasts_s=10.0, target_wh=1000)
    clock.metered(Decimal(0), 36.0, 100.0)
    assert clock.due_s == 110.0
