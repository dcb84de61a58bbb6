import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.domain.charger import (
    DEMO_VEHICLE,
    L2,
    L2_THREE_PHASE,
    L3,
    ChargerFaulted,
    ChargerModel,
    ChargerState,
    FaultCode,
    InvalidInput,
    NoVehicleReady,
    VehiclePresent,
    dc,
)

FAULTS = [code for code in FaultCode if code is not FaultCode.NONE]


def charger(spec=L2_THREE_PHASE, **options):
    return ChargerModel(spec=spec, now_s=0.0, **options)


def charging(spec=L2_THREE_PHASE, vehicle=DEMO_VEHICLE, amps=1000.0, **options):
    model = charger(spec, **options)
    model.plug(vehicle)
    model.start()
    model.set_limit(amps)
    return model


def arriving_at(soc):
    return replace(DEMO_VEHICLE, arrival_soc=soc)


def test_the_demo_charges_at_22_kw():
    model = charging(amps=32.0)
    model.advance(10.0)
    assert model.state is ChargerState.CHARGING
    assert model.power_kw == pytest.approx(22.0, abs=0.1)
    assert model.register_wh == pytest.approx(22_000 * 10 / 3600, abs=1e-6)


def test_a_charging_session_walks_through_its_states():
    model = charger()
    states = [model.state]
    model.plug(DEMO_VEHICLE)
    states.append(model.state)
    model.start()
    states.append(model.state)
    model.set_limit(16.0)
    states.append(model.state)
    model.set_limit(5.0)
    states.append(model.state)
    model.set_limit(6.0)
    states.append(model.state)
    model.stop()
    states.append(model.state)
    model.unplug()
    states.append(model.state)
    assert states == [
        ChargerState.AVAILABLE,
        ChargerState.PLUGGED,
        ChargerState.SUSPENDED,
        ChargerState.CHARGING,
        ChargerState.SUSPENDED,
        ChargerState.CHARGING,
        ChargerState.FINISHED,
        ChargerState.AVAILABLE,
    ]


def test_no_current_flows_before_the_first_set_point():
    model = charger()
    model.plug(DEMO_VEHICLE)
    model.start()
    model.advance(60.0)
    assert (model.limit_amps, model.current_a, model.register_wh) == (0.0, 0.0, 0.0)


def test_current_flows_only_while_charging():
    model = charging()
    assert model.current_a > 0.0
    model.stop()
    assert model.current_a == 0.0
    model.advance(60.0)
    assert model.register_wh == 0.0


@pytest.mark.parametrize(
    ("spec", "vehicle", "amps", "kw"),
    [
        (L2, DEMO_VEHICLE, 32.0, 7.36),
        (L2_THREE_PHASE, DEMO_VEHICLE, 32.0, 22.0),
        (L3, DEMO_VEHICLE, 63.0, 22.0),
        (L3, DEMO_VEHICLE, 16.0, 11.085),
        (L2_THREE_PHASE, replace(DEMO_VEHICLE, onboard_kw=3.6), 32.0, 3.6),
        (replace(L2_THREE_PHASE, cable_amps=20.0), DEMO_VEHICLE, 32.0, 13.856),
        (L2_THREE_PHASE, arriving_at(0.9), 32.0, 11.0),
        (dc(50.0), DEMO_VEHICLE, 100.0, 40.0),
        (dc(350.0), replace(DEMO_VEHICLE, dc_peak_kw=120.0), 1000.0, 120.0),
    ],
    ids=["charger", "demo", "on-board", "pilot", "small on-board", "cable", "battery", "dc pilot", "dc vehicle"],
)
def test_the_narrowest_part_sets_the_power(spec, vehicle, amps, kw):
    model = charging(spec, vehicle, amps)
    assert model.power_kw == pytest.approx(kw, abs=0.001)
    assert model.current_a * model.voltage_v * spec.phases / 1000 == pytest.approx(kw, abs=0.001)


def test_a_limit_over_the_rating_is_clamped_and_reported_until_the_next_one():
    model = charging(amps=100.0)
    assert (model.limit_amps, model.requested_amps, model.limit_clamped) == (32.0, 100.0, True)
    assert model.set_limit(32.0) == 32.0
    assert not model.limit_clamped


def test_a_limit_that_cannot_be_is_refused():
    model = charger()
    with pytest.raises(InvalidInput, match="got -1"):
        model.set_limit(-1.0)


@given(cuts=st.lists(st.floats(0.0, 600.0), max_size=40))
def test_figures_do_not_depend_on_how_often_it_is_advanced(cuts):
    def run(times):
        model = charging(vehicle=arriving_at(0.85), ambient_c=45.0, step_s=0.7)
        for at_s in sorted(times):
            model.advance(at_s)
        model.advance(600.0)
        model.set_limit(13.0)
        model.advance(1200.0)
        return model.register_wh, model.soc, model.temperature_c

    assert run(cuts) == run([])


def test_idle_hours_are_the_same_in_one_go_or_in_many():
    def run(steps):
        model = charging(ambient_c=20.0)
        model.advance(600.0)
        model.unplug()
        for k in range(1, steps + 1):
            model.advance(600.0 + k * 86_400.0 / steps)
        return model.temperature_c, model.register_wh

    assert run(1) == run(777)
    assert run(1)[0] == 20.0


def test_energy_between_grid_points_is_counted_at_the_next_one():
    model = charging(step_s=1.0)
    model.advance(0.99)
    assert model.register_wh == 0.0
    model.advance(1.0)
    assert model.register_wh == pytest.approx(22_000 / 3600)


def test_every_tenth_of_a_second_is_one_step_whatever_floats_say():
    model = charging(step_s=0.1)
    per_step_wh = 22_000 * 0.1 / 3600
    for k in range(1, 1000):
        model.advance(k * 0.1)
        assert model.register_wh == pytest.approx(k * per_step_wh, abs=per_step_wh / 1000)


def test_a_coarse_grid_delivers_what_a_fine_one_does():
    def run(step_s):
        model = charging(vehicle=arriving_at(0.7), step_s=step_s, ambient_c=20.0)
        model.advance(1800.0)
        return model.register_wh

    assert run(60.0) == pytest.approx(run(0.1), rel=1e-9)


@pytest.mark.parametrize("to_s", [9.0, math.nan, math.inf])
def test_time_only_runs_forward(to_s):
    model = charger()
    model.advance(10.0)
    with pytest.raises(InvalidInput, match="time runs forward"):
        model.advance(to_s)


def test_the_register_begins_where_it_was_left_and_survives_vehicles():
    model = charging(register_wh=1234.5)
    model.advance(3600.0)
    after_first = model.register_wh
    model.stop()
    model.plug(DEMO_VEHICLE)
    model.start()
    model.advance(7200.0)
    assert after_first == pytest.approx(1234.5 + 22_000, abs=0.01)
    assert model.register_wh == pytest.approx(1234.5 + 44_000, abs=0.01)
    assert model.soc == pytest.approx(0.3 + 22 / 60)


@pytest.mark.parametrize("spec", [L2_THREE_PHASE, dc(150.0)], ids=["ac", "dc"])
def test_a_session_is_finished_when_the_vehicle_is_full(spec):
    model = charging(spec)
    model.advance(6 * 3600.0)
    assert model.state is ChargerState.FINISHED
    assert model.soc == pytest.approx(0.99, abs=0.001)
    assert model.register_wh == pytest.approx((0.99 - 0.30) * 60_000, rel=1e-3)
    assert model.plugged


def test_a_session_is_finished_when_the_battery_takes_under_5_percent_of_rated_power():
    curve = replace(DEMO_VEHICLE.dc_curve, points=((0.0, 1.0), (0.5, 1.0), (0.6, 0.01), (1.0, 0.01)))
    model = charging(dc(50.0), replace(DEMO_VEHICLE, dc_peak_kw=50.0, dc_curve=curve))
    model.advance(10 * 3600.0)
    assert model.state is ChargerState.FINISHED
    assert model.soc == pytest.approx(0.596, abs=0.001)


def test_a_low_limit_does_not_finish_a_session():
    model = charging(dc(350.0), amps=6.0)
    model.advance(3600.0)
    assert model.power_kw < 0.05 * 150.0
    assert model.state is ChargerState.CHARGING


def test_a_full_vehicle_is_finished_as_soon_as_it_is_started():
    assert charging(vehicle=arriving_at(0.995)).state is ChargerState.FINISHED


def test_start_needs_a_vehicle_whose_session_is_not_over():
    model = charger()
    assert not model.vehicle_ready
    with pytest.raises(NoVehicleReady, match="AVAILABLE; plug a vehicle first"):
        model.start()
    model.plug(DEMO_VEHICLE)
    assert model.vehicle_ready
    model.start()
    model.stop()
    assert model.plugged
    assert not model.vehicle_ready
    with pytest.raises(NoVehicleReady, match="FINISHED; plug a vehicle first"):
        model.start()
    model.plug(DEMO_VEHICLE)
    model.start()
    assert model.state is ChargerState.SUSPENDED


def test_a_vehicle_does_not_push_another_one_off_the_cable():
    model = charger()
    model.plug(DEMO_VEHICLE)
    with pytest.raises(VehiclePresent, match="PLUGGED"):
        model.plug(DEMO_VEHICLE)
    model.start()
    with pytest.raises(VehiclePresent, match="SUSPENDED"):
        model.plug(DEMO_VEHICLE)


def test_starting_again_goes_on_with_the_same_vehicle():
    model = charging()
    model.advance(60.0)
    soc = model.soc
    model.start()
    assert model.soc == soc
    assert model.state is ChargerState.CHARGING


def test_stop_and_unplug_without_a_session_do_nothing():
    model = charger()
    model.stop()
    model.unplug()
    assert model.state is ChargerState.AVAILABLE
    model.plug(DEMO_VEHICLE)
    model.stop()
    assert model.state is ChargerState.PLUGGED


def test_without_a_vehicle_there_is_no_soc():
    model = charging()
    assert model.soc == 0.30
    model.unplug()
    assert model.soc is None
    assert not model.plugged


def test_a_lost_set_point_ramps_to_0_amps_and_suspends():
    model = charging()
    model.advance(10.0)
    model.set_point_lost()
    currents = []
    for k in range(1, 12):
        model.advance(10.0 + k * 0.1)
        currents.append(model.current_a)
    assert currents == sorted(currents, reverse=True)
    assert 0.0 < currents[3] < 32.0
    assert currents[-1] == 0.0
    assert model.state is ChargerState.SUSPENDED
    assert model.set_point_silent
    stood_at = model.register_wh
    model.advance(600.0)
    assert model.register_wh == stood_at


def test_a_ramp_runs_out_also_while_nothing_charges():
    model = charging()
    model.set_point_lost()
    model.unplug()
    model.advance(5.0)
    model.plug(DEMO_VEHICLE)
    model.start()
    assert (model.state, model.current_a) == (ChargerState.SUSPENDED, 0.0)


@pytest.mark.parametrize("started_again", [False, True])
def test_after_a_silence_the_session_goes_on_with_the_same_vehicle(started_again):
    model = charging()
    model.advance(10.0)
    model.set_point_lost()
    model.advance(60.0)
    soc, register_wh = model.soc, model.register_wh
    if started_again:
        model.start()
    model.set_limit(32.0)
    assert model.state is ChargerState.CHARGING
    model.advance(70.0)
    assert model.soc > soc
    assert model.register_wh - register_wh == pytest.approx(22_000 * 10 / 3600, abs=0.01)


@pytest.mark.parametrize("code", FAULTS)
def test_a_fault_opens_the_contactor_and_ends_the_session(code):
    model = charging()
    model.advance(10.0)
    model.inject_fault(code)
    assert (model.state, model.fault_code, model.current_a) == (ChargerState.FAULTED, code, 0.0)
    stood_at = model.register_wh
    model.advance(20.0)
    assert model.register_wh == stood_at
    with pytest.raises(ChargerFaulted, match=code.value):
        model.start()
    assert model.clear_fault()
    assert (model.state, model.fault_code) == (ChargerState.FINISHED, FaultCode.NONE)


def test_a_fault_leaves_a_waiting_vehicle_waiting():
    model = charger()
    model.inject_fault(FaultCode.GROUND_FAULT)
    model.plug(DEMO_VEHICLE)
    assert model.state is ChargerState.FAULTED
    model.clear_fault()
    assert model.state is ChargerState.PLUGGED


def test_no_fault_cannot_be_injected():
    with pytest.raises(InvalidInput, match="use clear_fault"):
        charger().inject_fault(FaultCode.NONE)


def test_a_hot_charger_delivers_less():
    model = charging(L2, amps=32.0, ambient_c=55.0)
    model.advance(45 * 60.0)
    assert 65.0 < model.temperature_c < 80.0
    assert 0.5 < model.power_kw / L2.rated_kw < 1.0


def test_it_trips_at_90_degrees_and_resumes_at_65():
    model = charging(L2, amps=32.0, ambient_c=86.0)
    times_s = iter(range(10, 72_000, 10))
    while model.fault_code is FaultCode.NONE:
        model.advance(next(times_s))
    assert model.temperature_c == pytest.approx(90.0, abs=0.1)
    assert model.fault_code is FaultCode.OVER_TEMPERATURE
    assert not model.clear_fault()
    assert model.state is ChargerState.FAULTED
    model.ambient_c = 20.0
    while model.state is ChargerState.FAULTED:
        model.advance(next(times_s))
    assert model.temperature_c == pytest.approx(65.0, abs=0.5)
    assert model.state is ChargerState.FINISHED


def test_an_injected_over_temperature_stays_until_it_is_cleared():
    model = charger()
    model.inject_fault(FaultCode.OVER_TEMPERATURE)
    model.advance(3600.0)
    assert model.fault_code is FaultCode.OVER_TEMPERATURE
    assert model.clear_fault()


@pytest.mark.parametrize(
    "options", [{"step_s": 0.0}, {"step_s": math.nan}, {"register_wh": -1.0}, {"register_wh": math.inf}]
)
def test_a_charger_that_makes_no_sense_is_refused(options):
    (name,) = options
    with pytest.raises(InvalidInput, match=name):
        charger(**options)


COMMANDS = st.one_of(
    st.tuples(st.just("advance"), st.floats(0.0, 900.0)),
    st.tuples(st.just("set_limit"), st.floats(0.0, 120.0)),
    st.tuples(st.just("plug"), st.sampled_from([DEMO_VEHICLE, arriving_at(0.0), arriving_at(0.97), arriving_at(1.0)])),
    st.tuples(st.sampled_from(["unplug", "start", "stop", "set_point_lost", "clear_fault"])),
    st.tuples(st.just("inject_fault"), st.sampled_from(FAULTS)),
)


@pytest.mark.parametrize("spec", [L2, L2_THREE_PHASE, L3, dc(150.0)], ids=["L2", "L2x3", "L3", "DC"])
@given(commands=st.lists(COMMANDS, max_size=30), ambient_c=st.sampled_from([-10.0, 25.0, 60.0, 85.0]))
def test_whatever_is_commanded_the_meter_and_the_physics_hold(spec, commands, ambient_c):
    model = ChargerModel(spec=spec, now_s=0.0, ambient_c=ambient_c, step_s=5.0)
    # A vehicle at hand makes deep runs likely; the commands may still take it away at once.
    model.plug(DEMO_VEHICLE)
    model.start()
    model.set_limit(32.0)
    at_s, register_wh, counted_s = 0.0, 0.0, 0.0
    for name, *arguments in commands:
        try:
            if name == "advance":
                at_s += arguments[0]
                model.advance(at_s)
            else:
                getattr(model, name)(*arguments)
        except (ChargerFaulted, NoVehicleReady, VehiclePresent):
            continue
        grid_s = math.floor((at_s + 1e-6) / 5.0) * 5.0
        assert register_wh <= model.register_wh
        assert model.register_wh - register_wh <= spec.rated_kw * 1000 * (grid_s - counted_s) / 3600 + 1e-6
        register_wh, counted_s = model.register_wh, grid_s
        assert model.soc is None or 0.0 <= model.soc <= 1.0
        assert model.limit_amps == 0.0 or 6.0 <= model.limit_amps <= spec.rated_amps
        assert (model.power_kw > 0.0) is (model.state is ChargerState.CHARGING)
        assert model.power_kw <= spec.rated_kw + 1e-9
        assert (model.state is ChargerState.FAULTED) is (model.fault_code is not FaultCode.NONE)
        assert model.temperature_c < 90.5
