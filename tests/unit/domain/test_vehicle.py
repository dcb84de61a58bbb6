import math

import pytest

from evcharging.domain.vehicle import DEMO_VEHICLE, Taper, VehicleSpec


def test_the_demo_vehicle_is_the_stated_one():
    assert (DEMO_VEHICLE.capacity_kwh, DEMO_VEHICLE.onboard_kw, DEMO_VEHICLE.arrival_soc) == (60.0, 22.0, 0.30)


@pytest.mark.parametrize(
    ("taper", "soc", "kw"),
    [
        (Taper.TWO_STAGE, 0.5, 22.0),
        (Taper.TWO_STAGE, 0.9, 11.0),
        (Taper.TWO_STAGE, 1.0, 0.0),
        (Taper.LINEAR, 0.5, 22.0),
        (Taper.LINEAR, 0.9, 13.2),
        (Taper.LINEAR, 1.0, 4.4),
    ],
)
def test_ac_power_follows_the_taper(taper, soc, kw):
    vehicle = VehicleSpec(60.0, 22.0, 0.3, taper=taper)
    assert vehicle.accepted_kw(soc, direct_current=False) == pytest.approx(kw)


def test_dc_power_follows_the_curve_whatever_the_on_board_charger():
    vehicle = VehicleSpec(60.0, 3.6, 0.3, dc_peak_kw=120.0)
    assert vehicle.accepted_kw(0.3, direct_current=True) == pytest.approx(120.0)
    assert vehicle.accepted_kw(0.8, direct_current=True) == pytest.approx(66.0)


@pytest.mark.parametrize("taper", list(Taper))
@pytest.mark.parametrize("direct_current", [False, True])
def test_the_soc_moves_by_the_energy_of_the_accepted_power(taper, direct_current):
    vehicle = VehicleSpec(60.0, 22.0, 0.3, taper=taper)
    step_h = 1e-5
    for soc in (0.2, 0.7, 0.85, 0.95):
        moved = vehicle.soc_after(soc, offered_kw=500.0, step_h=step_h, direct_current=direct_current) - soc
        accepted_kw = vehicle.accepted_kw(soc, direct_current=direct_current)
        assert moved * vehicle.capacity_kwh == pytest.approx(accepted_kw * step_h, rel=1e-3)


@pytest.mark.parametrize(
    "change",
    [
        {"capacity_kwh": 0.0},
        {"onboard_kw": -1.0},
        {"dc_peak_kw": math.inf},
        {"arrival_soc": 1.01},
        {"arrival_soc": math.nan},
    ],
)
def test_a_vehicle_that_makes_no_sense_is_refused(change):
    (name,) = change
    figures = {"capacity_kwh": 60.0, "onboard_kw": 22.0, "arrival_soc": 0.3} | change
    with pytest.raises(ValueError, match=name):
        VehicleSpec(**figures)
