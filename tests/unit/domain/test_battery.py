import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.domain.battery import (
    DC_CURVE,
    LINEAR_TAPER,
    TWO_STAGE_TRANSITION_SOC,
    PowerCurve,
    two_stage_fraction,
    two_stage_soc,
)

CAPACITY_KWH = 60.0
MAX_KW = 22.0
TWO_STAGE_CURVE = PowerCurve(((0.0, 1.0), (TWO_STAGE_TRANSITION_SOC, 1.0), (1.0, 0.0)))

socs = st.floats(0.0, 1.0)
powers_kw = st.floats(0.1, 50.0)
steps_h = st.floats(1e-5, 5.0)


def two_stage(soc, offered_kw, step_h):
    return two_stage_soc(soc, offered_kw=offered_kw, max_kw=MAX_KW, capacity_kwh=CAPACITY_KWH, step_h=step_h)


def along(curve, soc, offered_kw, step_h, peak_kw=MAX_KW):
    return curve.soc_after(soc, offered_kw=offered_kw, peak_kw=peak_kw, capacity_kwh=CAPACITY_KWH, step_h=step_h)


def integrated(fraction, soc, offered_kw, step_h, peak_kw=MAX_KW, steps=20_000):
    """The slow way: midpoint integration of power over many small steps."""
    small_h = step_h / steps

    def rate(at):
        return min(offered_kw, peak_kw * fraction(min(at, 1.0))) / CAPACITY_KWH

    for _ in range(steps):
        soc = min(1.0, soc + rate(soc + rate(soc) * small_h / 2) * small_h)
    return soc


@pytest.mark.parametrize("offered_kw", [4.0, 11.0, 22.0, 43.0])
@pytest.mark.parametrize("soc", [0.0, 0.3, 0.75, 0.8, 0.85, 0.95])
def test_the_two_stage_taper_agrees_with_a_fine_integration(soc, offered_kw):
    exact = two_stage(soc, offered_kw, 1.5)
    assert exact == pytest.approx(integrated(two_stage_fraction, soc, offered_kw, 1.5), abs=1e-7)


@pytest.mark.parametrize("curve", [LINEAR_TAPER, DC_CURVE], ids=["linear", "dc"])
@pytest.mark.parametrize("offered_kw", [4.0, 15.0, 43.0])
@pytest.mark.parametrize("soc", [0.0, 0.05, 0.3, 0.79, 0.9])
def test_a_power_curve_agrees_with_a_fine_integration(curve, soc, offered_kw):
    exact = along(curve, soc, offered_kw, 0.7)
    assert exact == pytest.approx(integrated(curve.fraction, soc, offered_kw, 0.7), abs=1e-6)


@given(soc=socs, offered_kw=powers_kw, step_h=steps_h)
def test_the_two_stage_closed_form_is_the_curve_solution_for_the_same_shape(soc, offered_kw, step_h):
    assert two_stage(soc, offered_kw, step_h) == pytest.approx(
        along(TWO_STAGE_CURVE, soc, offered_kw, step_h), abs=1e-9
    )


@given(soc=socs, offered_kw=powers_kw, step_h=steps_h, parts=st.integers(2, 40))
def test_one_long_two_stage_step_ends_where_many_short_ones_do(soc, offered_kw, step_h, parts):
    piecewise = soc
    for _ in range(parts):
        piecewise = two_stage(piecewise, offered_kw, step_h / parts)
    assert two_stage(soc, offered_kw, step_h) == pytest.approx(piecewise, abs=1e-9)


@pytest.mark.parametrize("curve", [LINEAR_TAPER, DC_CURVE, TWO_STAGE_CURVE], ids=["linear", "dc", "two-stage"])
@given(soc=socs, offered_kw=powers_kw, step_h=steps_h, parts=st.integers(2, 40))
def test_one_long_step_along_a_curve_ends_where_many_short_ones_do(curve, soc, offered_kw, step_h, parts):
    piecewise = soc
    for _ in range(parts):
        piecewise = along(curve, piecewise, offered_kw, step_h / parts)
    assert along(curve, soc, offered_kw, step_h) == pytest.approx(piecewise, abs=1e-9)


@given(soc=socs, offered_kw=st.floats(0.0, 400.0), step_h=st.floats(0.0, 100.0))
def test_charging_never_empties_nor_overfills_nor_takes_more_than_offered(soc, offered_kw, step_h):
    for after in (
        two_stage(soc, offered_kw, step_h),
        along(LINEAR_TAPER, soc, offered_kw, step_h),
        along(DC_CURVE, soc, offered_kw, step_h),
    ):
        assert soc <= after <= 1.0
        assert (after - soc) * CAPACITY_KWH <= min(offered_kw, MAX_KW) * step_h + 1e-9


@given(soc=socs, low_kw=powers_kw, more_kw=st.floats(0.0, 20.0), step_h=steps_h)
def test_more_power_on_offer_never_charges_less(soc, low_kw, more_kw, step_h):
    assert two_stage(soc, low_kw + more_kw, step_h) >= two_stage(soc, low_kw, step_h) - 1e-12


def test_nothing_on_offer_changes_nothing():
    assert two_stage(0.5, 0.0, 1.0) == 0.5
    assert along(DC_CURVE, 0.5, 0.0, 1.0) == 0.5
    assert two_stage(0.5, 22.0, 0.0) == 0.5


def test_a_lower_power_tapers_later():
    half_power_transition = 0.9
    assert two_stage(0.85, 11.0, 0.01) == pytest.approx(0.85 + 11.0 * 0.01 / CAPACITY_KWH, abs=1e-15)
    assert two_stage(half_power_transition, 11.0, 0.01) < half_power_transition + 11.0 * 0.01 / CAPACITY_KWH


def test_a_two_stage_battery_never_reaches_full_but_a_linear_one_does():
    assert two_stage(0.9, 22.0, 2.0) < 1.0
    assert along(LINEAR_TAPER, 0.9, 22.0, 2.0) == 1.0


@pytest.mark.parametrize(
    ("curve", "soc", "fraction"),
    [
        (LINEAR_TAPER, 0.5, 1.0),
        (LINEAR_TAPER, 0.9, 0.6),
        (LINEAR_TAPER, 1.0, 0.2),
        (DC_CURVE, 0.0, 0.6),
        (DC_CURVE, 0.05, 0.8),
        (DC_CURVE, 0.3, 1.0),
        (DC_CURVE, 0.8, 0.55),
        (DC_CURVE, 0.9, 0.325),
        (DC_CURVE, 1.0, 0.1),
    ],
)
def test_curves_pass_through_the_stated_points(curve, soc, fraction):
    assert curve.fraction(soc) == pytest.approx(fraction)


@pytest.mark.parametrize(("soc", "fraction"), [(0.0, 1.0), (0.8, 1.0), (0.9, 0.5), (0.99, 0.05), (1.0, 0.0)])
def test_the_two_stage_power_falls_in_a_line_to_nothing(soc, fraction):
    assert two_stage_fraction(soc) == pytest.approx(fraction)


@pytest.mark.parametrize(
    "points",
    [
        ((0.0, 1.0),),
        ((0.1, 1.0), (1.0, 0.5)),
        ((0.0, 1.0), (0.9, 0.5)),
        ((0.0, 1.0), (0.5, 0.5), (0.5, 0.4), (1.0, 0.1)),
        ((0.0, 0.0), (1.0, 1.0)),
        ((0.0, 1.2), (1.0, 1.0)),
        ((0.0, 1.0), (1.0, -0.1)),
        ((0.0, math.nan), (1.0, 1.0)),
    ],
)
def test_a_curve_that_makes_no_sense_is_refused(points):
    with pytest.raises(ValueError, match="a power curve needs"):
        PowerCurve(points)
