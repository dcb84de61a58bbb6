import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.domain.charger_state import InvalidInput
from evcharging.domain.set_point import RAMP_DOWN_S, SetPoint


def set_to(amps):
    set_point = SetPoint(32.0)
    set_point.set(amps)
    return set_point


def test_nothing_is_on_offer_before_the_first_set_point():
    assert SetPoint(32.0).offered_amps(1.0) == 0.0


@pytest.mark.parametrize(
    ("amps", "limit"), [(0.0, 0.0), (5.99, 0.0), (6.0, 6.0), (16.5, 16.5), (32.0, 32.0), (100.0, 32.0)]
)
def test_a_limit_under_6_amps_is_nothing_and_one_over_the_rating_is_clamped(amps, limit):
    set_point = set_to(amps)
    assert set_point.limit_amps == limit
    assert set_point.requested_amps == amps
    assert set_point.clamped is (amps > 32.0)


def test_6_amps_that_went_through_a_conversion_are_still_6_amps():
    assert set_to(5.999_999_9).limit_amps == 6.0


@pytest.mark.parametrize("amps", [-0.1, math.nan, math.inf])
def test_a_figure_that_cannot_be_is_refused_and_changes_nothing(amps):
    set_point = set_to(16.0)
    with pytest.raises(InvalidInput, match="a limit must be 0 A or more"):
        set_point.set(amps)
    assert set_point.limit_amps == 16.0


def test_a_lost_set_point_ramps_to_nothing_within_the_ramp_time():
    set_point = set_to(32.0)
    set_point.lose(32.0)
    offers = []
    for _ in range(10):
        set_point.ramp(RAMP_DOWN_S / 10)
        offers.append(set_point.offered_amps(1.0))
    assert offers == sorted(offers, reverse=True)
    assert offers[0] == pytest.approx(28.8)
    assert offers[-1] == 0.0
    assert set_point.silent
    assert not set_point.ramping


def test_the_ramp_begins_at_the_current_that_flows():
    set_point = set_to(32.0)
    set_point.lose(10.0)
    assert set_point.offered_amps(1.0) == 10.0


def test_losing_it_again_does_not_restart_the_ramp():
    set_point = set_to(32.0)
    set_point.lose(32.0)
    set_point.ramp(RAMP_DOWN_S / 2)
    set_point.lose(32.0)
    assert set_point.offered_amps(1.0) == pytest.approx(16.0)


def test_a_new_set_point_heals_the_loss():
    set_point = set_to(32.0)
    set_point.lose(32.0)
    set_point.ramp(RAMP_DOWN_S)
    set_point.set(20.0)
    assert not set_point.silent
    assert set_point.offered_amps(1.0) == 20.0


def test_derating_takes_from_the_rating_not_from_the_limit():
    assert set_to(16.0).offered_amps(0.5) == 16.0
    assert set_to(32.0).offered_amps(0.5) == 16.0


@given(amps=st.floats(0.0, 500.0), derate=st.floats(0.1, 1.0), ramped_s=st.floats(0.0, 2.0))
def test_what_is_on_offer_is_nothing_or_within_6_amps_and_the_rating(amps, derate, ramped_s):
    set_point = set_to(amps)
    set_point.lose(set_point.offered_amps(derate))
    set_point.ramp(ramped_s)
    offered = set_point.offered_amps(derate)
    assert offered == 0.0 or 6.0 <= offered <= 32.0 * derate
