"""Intervals: contiguous, exact on the register, whatever the readings."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.apps.ev_cp_e.session import MeteredSession, SessionTerms, measured_kw
from evcharging.can.link import ChargerReadings
from evcharging.domain.charger import L2, L2_THREE_PHASE, dc
from evcharging.domain.sessions import Interval
from tests.support.charge_point import NOON


def a_session(register_start_wh: str = "1000.0") -> MeteredSession:
    return MeteredSession(
        session_id="session-1",
        driver_id="driver-alice",
        cp_id="CP-001",
        terms=SessionTerms(spec=L2_THREE_PHASE),
        register_start_wh=Decimal(register_start_wh),
        started_at=NOON,
    )


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(-5, 5), st.floats(0, 1)), min_size=1, max_size=30),
    st.integers(0, 2**32 - 10**8),
)
def test_the_intervals_add_up_to_the_register_exactly(steps: list[tuple[int, int, float]], start_tenths: int):
    session = a_session(str(Decimal(start_tenths) / 10))
    readings = ChargerReadings(register_wh=start_tenths / 10)
    at = NOON
    intervals = []
    tenths = start_tenths
    for risen_tenths, seconds, fraction in steps:
        tenths += risen_tenths
        at += timedelta(seconds=seconds)
        readings.register_wh = tenths / 10
        told = session.close_interval(at, readings, solar_fraction=fraction)
        intervals.append(
            Interval.of(
                seq=told.seq,
                start=told.interval_start,
                end=told.interval_end,
                register_wh=told.register_wh,
                energy_wh=told.energy_wh,
                solar_wh=told.solar_wh,
                grid_wh=told.grid_wh,
            )
        )
    assert sum(interval.energy_wh for interval in intervals) == Decimal(tenths - start_tenths) / 10
    assert all(interval.solar_wh + interval.grid_wh == interval.energy_wh for interval in intervals)
    assert session.energy_wh == Decimal(tenths - start_tenths) / 10


def test_an_interval_carries_what_the_charger_says():
    readings = ChargerReadings(current_a=31.75, voltage_v=230.9, register_wh=1006.1, soc=0.3001, temperature_c=25.4)
    told = a_session().close_interval(NOON + timedelta(seconds=1), readings)
    assert (told.amps, told.volts, told.soc, told.temperature_c) == (31.75, 230.9, 0.3001, 25.4)
    assert told.ts == told.interval_end
    assert (told.kwh, told.euros) == (0.0061, 0.0018)


def test_a_register_that_fell_is_no_negative_energy():
    session = a_session()
    told = session.close_interval(NOON + timedelta(seconds=1), ChargerReadings(register_wh=3.0))
    assert (told.energy_wh, told.register_wh) == (0.0, 1000.0)


def test_a_register_that_was_never_heard_is_no_energy():
    assert a_session().close_interval(NOON, ChargerReadings()).energy_wh == 0.0


@pytest.mark.parametrize(
    ("spec", "volts", "kw"), [(L2, 230.0, 7.36), (L2_THREE_PHASE, 230.9, 22.166), (dc(50), 400.0, 12.8)]
)
def test_power_is_current_in_every_phase(spec, volts, kw):
    assert measured_kw(ChargerReadings(current_a=32.0, voltage_v=volts), spec) == pytest.approx(kw, abs=1e-3)


def test_the_rated_voltage_stands_in_for_one_not_heard_yet_and_no_current_is_no_power():
    assert measured_kw(ChargerReadings(current_a=32.0), L2) == pytest.approx(7.36)
    assert measured_kw(ChargerReadings(voltage_v=230.0), L2) == 0.0


def test_a_charge_point_delivers_no_more_than_its_charger():
    assert SessionTerms(spec=L2, kw_rate=22.0).rating_kw == pytest.approx(7.36)
    assert SessionTerms(spec=L2_THREE_PHASE, kw_rate=22.0).rating_kw == 22.0
