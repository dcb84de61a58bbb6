import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.domain.levels import L1, L2, L2_THREE_PHASE, L3, ChargerLevel, ChargerSpec, dc


@pytest.mark.parametrize(
    ("spec", "rated_kw"),
    [(L1, 3.68), (L2, 7.36), (L2_THREE_PHASE, 22.17), (L3, math.sqrt(3) * 400 * 63 / 1000), (dc(150.0), 150.0)],
    ids=["L1", "L2", "L2 three-phase", "L3", "DC"],
)
def test_each_kind_of_charger_delivers_what_its_plate_says(spec, rated_kw):
    assert spec.rated_kw == pytest.approx(rated_kw, abs=0.005)


def test_a_50_kw_dc_charger_passes_125_amps():
    assert dc(50.0).rated_amps == pytest.approx(125.0)


def test_a_thin_cable_limits_power():
    spec = ChargerSpec(ChargerLevel.L2, rated_amps=32.0, voltage_v=230.0, cable_amps=20.0)
    assert spec.rated_kw == pytest.approx(4.6)
    assert spec.power_kw(10.0) == pytest.approx(2.3)


def test_a_charger_sold_by_power_is_limited_by_it():
    spec = ChargerSpec(ChargerLevel.DC, rated_amps=200.0, voltage_v=400.0, max_power_kw=50.0)
    assert spec.rated_kw == pytest.approx(50.0)


@given(amps=st.floats(0.0, 32.0))
def test_current_and_power_convert_both_ways(amps):
    assert L2_THREE_PHASE.amps(L2_THREE_PHASE.power_kw(amps)) == pytest.approx(amps)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"phases": 2}, "phases must be 1 or 3"),
        ({"level": ChargerLevel.DC, "phases": 3}, "phases must be 1 or 3"),
        ({"voltage_v": 0.0}, "voltage_v must be above 0"),
        ({"max_power_kw": -1.0}, "max_power_kw must be above 0"),
        ({"rated_amps": 5.0}, "rated_amps must be at least 6 A"),
        ({"rated_amps": math.nan}, "rated_amps must be at least 6 A"),
        ({"cable_amps": 1.0}, "cable_amps must be at least 6 A"),
    ],
)
def test_a_plate_that_makes_no_sense_is_refused(change, message):
    plate = {"level": ChargerLevel.L2, "rated_amps": 32.0, "voltage_v": 230.0} | change
    with pytest.raises(ValueError, match=message):
        ChargerSpec(**plate)
