import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.domain.solar import solar_power_kw


@pytest.mark.parametrize(
    ("hour", "kw"),
    [(0.0, 0.0), (5.99, 0.0), (6.0, 0.0), (9.0, 7.0711), (12.0, 10.0), (15.0, 7.0711), (18.0, 0.0), (23.9, 0.0)],
)
def test_the_sun_shines_in_a_half_sine_from_6_to_18(hour, kw):
    assert solar_power_kw(10.0, hour) == pytest.approx(kw, abs=1e-4)


def test_clouds_leave_their_share():
    assert solar_power_kw(10.0, 12.0, cloud_factor=0.1) == pytest.approx(1.0)


@given(peak_kw=st.floats(0.0, 1e6), hour=st.floats(0.0, 24.0, exclude_max=True), cloud_factor=st.floats(0.0, 1.0))
def test_the_sun_gives_between_nothing_and_its_peak(peak_kw, hour, cloud_factor):
    assert 0.0 <= solar_power_kw(peak_kw, hour, cloud_factor=cloud_factor) <= peak_kw


@pytest.mark.parametrize(
    ("peak_kw", "hour", "cloud_factor", "name"),
    [
        (-1.0, 12.0, 1.0, "peak_kw"),
        (math.nan, 12.0, 1.0, "peak_kw"),
        (1.0, 24.0, 1.0, "hour"),
        (1.0, -0.1, 1.0, "hour"),
        (1.0, 12.0, 1.1, "cloud_factor"),
    ],
)
def test_figures_out_of_range_are_refused(peak_kw, hour, cloud_factor, name):
    with pytest.raises(ValueError, match=name):
        solar_power_kw(peak_kw, hour, cloud_factor=cloud_factor)
