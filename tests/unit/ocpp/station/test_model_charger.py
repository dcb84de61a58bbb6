import pytest

from evcharging.domain.charger_state import ChargerState, FaultCode, VehiclePresent
from evcharging.domain.levels import L2
from evcharging.domain.vehicle import VehicleSpec
from evcharging.ocpp.station.model_charger import ModelCharger

VEHICLE = VehicleSpec(capacity_kwh=60.0, onboard_kw=7.36, arrival_soc=0.5)


def charging(**values: float) -> ModelCharger:
    charger = ModelCharger(L2, now_s=1000.0, **values)
    charger.plug(VEHICLE)
    charger.start()
    return charger


def test_it_offers_its_rating_from_the_beginning():
    reading = charging().advance(1000.0)
    assert (reading.state, reading.limit_amps, reading.amps) == (ChargerState.CHARGING, 32.0, 32.0)
    assert reading.power_w == pytest.approx(7360)


def test_the_register_rises_by_what_the_vehicle_took():
    reading = charging(register_wh=500.0).advance(1000.0 + 1800)
    assert reading.register_wh == pytest.approx(500 + 3680)
    assert reading.soc == pytest.approx(0.5 + 3.68 / 60)


@pytest.mark.parametrize("step_s", [0.5, 1.0, 10.0])
def test_the_grid_does_not_change_the_energy(step_s: float):
    assert charging(step_s=step_s).advance(1600.0).register_wh == pytest.approx(7360 / 6)


def test_a_clock_that_is_set_back_makes_no_energy_and_takes_none():
    charger = charging()
    before = charger.advance(1100.0).register_wh
    assert charger.advance(1050.0).register_wh == before
    assert charger.advance(1101.0).register_wh > before


def test_a_second_vehicle_is_refused():
    with pytest.raises(VehiclePresent):
        charging().plug(VEHICLE)


def test_a_fault_stops_the_power_until_it_is_cleared():
    charger = charging()
    charger.inject_fault(FaultCode.GROUND_FAULT)
    reading = charger.advance(1010.0)
    assert (reading.fault, reading.power_w, reading.register_wh) == (FaultCode.GROUND_FAULT, 0.0, 0.0)
    assert charger.clear_fault()
    assert charger.advance(1011.0).state is ChargerState.FINISHED
