import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.domain.energy import InvalidEnergy, exact_wh


@given(tenths=st.integers(0, 2**32 - 1))
def test_every_reading_of_the_can_register_is_carried_exactly(tenths):
    assert exact_wh(tenths / 10) == Decimal(tenths) / 10


@given(thousandths=st.integers(0, 10**13))
def test_the_kind_of_number_makes_no_difference(thousandths):
    exact = Decimal(thousandths) / 1000
    assert exact_wh(exact) == exact_wh(str(exact)) == exact_wh(float(exact)) == exact


@pytest.mark.parametrize("value", ["0.0004", Decimal("0.0004"), 0.0004])
def test_anything_finer_than_a_milliwatt_hour_is_rounded(value):
    assert exact_wh(value) == 0


@pytest.mark.parametrize(
    "value", [-0.001, "-1", math.nan, math.inf, "NaN", "Infinity", "", "ten", 1.1e10, 10**11, Decimal("sNaN")]
)
def test_what_no_meter_can_show_is_refused(value):
    with pytest.raises(InvalidEnergy, match="an energy must be a number of Wh"):
        exact_wh(value)
