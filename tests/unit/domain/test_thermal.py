import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.domain.thermal import TIME_CONSTANT_S, derate_factor, temperature_after


def warm(temperature_c, current_a, step_s):
    return temperature_after(temperature_c, ambient_c=25.0, current_a=current_a, rated_amps=32.0, step_s=step_s)


def test_at_rated_current_it_settles_30_degrees_over_ambient():
    assert warm(25.0, 32.0, 24 * 3600.0) == pytest.approx(55.0)


def test_half_the_current_heats_a_quarter_as_much():
    assert warm(25.0, 16.0, 24 * 3600.0) == pytest.approx(32.5)


def test_after_one_time_constant_63_percent_of_the_way_is_done():
    assert warm(25.0, 32.0, TIME_CONSTANT_S) == pytest.approx(25.0 + 30.0 * 0.6321205588)


def test_without_current_it_cools_to_ambient():
    assert warm(80.0, 0.0, 24 * 3600.0) == pytest.approx(25.0)


@given(start_c=st.floats(-20.0, 90.0), current_a=st.floats(0.0, 40.0), parts=st.integers(2, 50))
def test_one_long_step_ends_where_many_short_ones_do(start_c, current_a, parts):
    piecewise = start_c
    for _ in range(parts):
        piecewise = warm(piecewise, current_a, 3600.0 / parts)
    assert warm(start_c, current_a, 3600.0) == pytest.approx(piecewise, abs=1e-9)


@pytest.mark.parametrize(
    ("temperature_c", "factor"),
    [(-10.0, 1.0), (65.0, 1.0), (68.0, 0.9), (72.5, 0.75), (80.0, 0.5), (89.9, 0.5)],
)
def test_current_is_derated_in_a_line_from_65_to_80_degrees(temperature_c, factor):
    assert derate_factor(temperature_c) == pytest.approx(factor)
