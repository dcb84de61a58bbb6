import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evcharging.domain.charger import L2, L3, ChargerModel, ChargerSpec, ChargerState, Taper, VehicleSpec, dc
from evcharging.domain.charger_state import FaultCode
from evcharging.domain.charger_stretches import StretchChargerModel

SPECS = (L2, L3, dc(100.0))


def pair(spec: ChargerSpec, vehicle: VehicleSpec, ambient_c: float = 25.0) -> tuple[ChargerModel, ChargerModel]:
    made = []
    for model in (ChargerModel, StretchChargerModel):
        charger = model(spec=spec, now_s=0.0, ambient_c=ambient_c)
        charger.set_limit(spec.rated_amps)
        charger.plug(vehicle)
        charger.start()
        made.append(charger)
    return made[0], made[1]


def same(one: ChargerModel, other: ChargerModel) -> None:
    assert other.state is one.state
    assert other.fault_code is one.fault_code
    assert other.register_wh == pytest.approx(one.register_wh, rel=1e-9, abs=1e-6)
    assert other.soc == pytest.approx(one.soc, rel=1e-9)
    assert other.temperature_c == pytest.approx(one.temperature_c, abs=0.3)


@settings(max_examples=40, deadline=None)
@given(
    spec=st.sampled_from(SPECS),
    arrival_soc=st.floats(0.0, 0.97),
    onboard_kw=st.floats(3.6, 22.0),
    taper=st.sampled_from(Taper),
    moves=st.lists(st.tuples(st.floats(0.0, 400.0), st.none() | st.floats(0.0, 70.0)), max_size=6),
)
def test_stretches_give_the_figures_of_steps(
    spec: ChargerSpec,
    arrival_soc: float,
    onboard_kw: float,
    taper: Taper,
    moves: list[tuple[float, float | None]],
):
    vehicle = VehicleSpec(32.0, onboard_kw, arrival_soc, taper)
    steps, stretches = pair(spec, vehicle)
    now_s = 0.0
    for delay_s, limit_amps in moves:
        now_s += delay_s
        for charger in (steps, stretches):
            charger.advance(now_s)
            if limit_amps is not None:
                charger.set_limit(limit_amps)
        same(steps, stretches)


def test_a_session_ends_at_the_grid_point_where_steps_end_it():
    steps, stretches = pair(L2, VehicleSpec(32.0, 7.36, 0.9895))
    for charger in (steps, stretches):
        charger.advance(3600.0)
    assert stretches.state is ChargerState.FINISHED
    same(steps, stretches)


def test_heat_derates_and_trips_as_it_does_in_steps():
    steps, stretches = pair(L2, VehicleSpec(77.0, 22.0, 0.1), ambient_c=62.0)
    for minutes in range(1, 60):
        for charger in (steps, stretches):
            charger.advance(minutes * 60.0)
        assert stretches.temperature_c == pytest.approx(steps.temperature_c, abs=0.05)
        assert stretches.current_a == pytest.approx(steps.current_a, rel=1e-3)


def test_a_lost_set_point_ramps_down_in_steps():
    steps, stretches = pair(L2, VehicleSpec(60.0, 7.36, 0.3))
    for charger in (steps, stretches):
        charger.advance(100.0)
        charger.set_point_lost()
        charger.advance(200.0)
    same(steps, stretches)
    assert stretches.state is ChargerState.SUSPENDED


def test_a_reading_is_that_of_the_properties():
    _, charger = pair(L2, VehicleSpec(60.0, 7.36, 0.3))
    for change in (
        lambda: None,
        lambda: charger.set_limit(0.0),
        lambda: charger.set_limit(10.0),
        lambda: charger.inject_fault(FaultCode.GROUND_FAULT),
        charger.clear_fault,
        charger.unplug,
    ):
        change()
        charger.advance(charger._now_s + 5.0)
        assert charger.reading() == (
            charger.register_wh,
            charger.current_a,
            charger.voltage_v,
            charger.power_kw * 1000.0,
            charger.soc,
            charger.temperature_c,
            charger.state,
            charger.fault_code,
            charger.limit_amps,
        )


def test_a_long_stretch_is_taken_at_once(monkeypatch: pytest.MonkeyPatch):
    _, charger = pair(L2, VehicleSpec(60.0, 7.36, 0.3))

    def not_one_by_one(self: ChargerModel, width_s: float) -> None:
        raise AssertionError(f"a step of {width_s} s")

    monkeypatch.setattr(ChargerModel, "_integrate_step", not_one_by_one)
    charger.advance(3600.0)
    assert charger.register_wh == pytest.approx(7360.0)
