import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.domain.policy import (
    Action,
    PolicyInputError,
    PolicyLimits,
    Signals,
    decide,
    decide_while_metering,
    evaluate_charging_policy,
    evaluate_meter_value_decision,
)

PROFILE = {"charge_if_price_below": 20.0, "max_energy_kwh": 30.0, "allow_peak_hours": False, "peak_hours": [18, 19, 20]}

prices = st.floats(-100.0, 100.0)
hours = st.integers(0, 23)
energies_kwh = st.floats(0.0, 100.0)
limits = st.builds(
    PolicyLimits,
    charge_if_price_below=st.none() | prices,
    max_energy_kwh=st.none() | st.floats(0.1, 100.0),
    allow_peak_hours=st.booleans(),
    peak_hours=st.frozensets(hours),
    max_carbon_g_per_kwh=st.none() | st.floats(0.0, 1000.0),
)
signals = st.builds(
    Signals,
    grid_load=st.none() | st.floats(0.0, 2.0),
    carbon_g_per_kwh=st.none() | st.floats(0.0, 1000.0),
    demand_response=st.booleans(),
    demand_response_until_hour=st.none() | hours,
)


def evaluate(*, energy=0.0, price=15.0, hour=12, active=False, profile=None, **signals):
    return evaluate_charging_policy(
        {"energy_dispensed": energy, "charging": active, "session_active": active},
        {**PROFILE, **(profile or {})},
        {"current_price": price, "hour": hour, **signals},
    )


def meter(*, wh=1000.0, max_wh=30_000.0, price=15.0, hour=12, profile=None, **signals):
    return evaluate_meter_value_decision(
        {"energy_dispensed": wh / 1000, "charging": True, "session_active": True},
        {**PROFILE, **(profile or {})},
        {"current_price": price, "hour": hour, **signals},
        current_energy_wh=wh,
        max_energy_wh=max_wh,
    )


@pytest.mark.parametrize(
    ("energy", "cap", "action", "reason"),
    [
        (20.0, 20.0, "pause", "Energy cap reached (20.0/20.0 kWh)"),
        (25.5, 20.0, "pause", "Energy cap reached (25.5/20.0 kWh)"),
        (19.99, 20.0, "charge", "Conditions OK"),
        (0.0, 20.0, "charge", "Conditions OK"),
        (500.0, 1000.0, "charge", "Conditions OK"),
    ],
    ids=["at the cap", "above the cap", "under the cap", "no energy yet", "a high cap"],
)
def test_the_energy_cap_pauses_from_the_cap_on(energy, cap, action, reason):
    answer = evaluate(energy=energy, profile={"max_energy_kwh": cap})
    assert answer == {"action": action, "reason": reason}


@pytest.mark.parametrize(
    ("price", "action", "reason"),
    [
        (24.5, "wait", "Price too high (24.50 > 20.00)"),
        (18.5, "charge", "Conditions OK"),
        (20.0, "charge", "Conditions OK"),
        (20.01, "wait", "Price too high (20.01 > 20.00)"),
        (-3.0, "charge", "Conditions OK"),
    ],
    ids=["above", "below", "at the threshold", "a cent above", "below zero"],
)
def test_a_price_above_the_threshold_waits_and_at_it_charges(price, action, reason):
    assert evaluate(price=price) == {"action": action, "reason": reason}


@pytest.mark.parametrize(
    ("hour", "allowed", "action", "reason"),
    [
        (19, False, "wait", "Peak hour block (hour 19)"),
        (18, False, "wait", "Peak hour block (hour 18)"),
        (20, False, "wait", "Peak hour block (hour 20)"),
        (19, True, "charge", "Conditions OK"),
        (17, False, "charge", "Conditions OK"),
        (0, False, "charge", "Conditions OK"),
        (23, False, "charge", "Conditions OK"),
    ],
    ids=["in the peak", "first", "last", "peak allowed", "before the peak", "midnight", "late evening"],
)
def test_a_peak_hour_waits_unless_it_is_allowed(hour, allowed, action, reason):
    assert evaluate(hour=hour, profile={"allow_peak_hours": allowed}) == {"action": action, "reason": reason}


def test_the_cap_goes_before_the_price_and_the_price_before_the_peak():
    assert evaluate(energy=30.0, price=99.0, hour=19)["reason"] == "Energy cap reached (30.0/30.0 kWh)"
    assert evaluate(energy=1.0, price=99.0, hour=19)["reason"] == "Price too high (99.00 > 20.00)"
    assert evaluate(energy=1.0, price=1.0, hour=19)["reason"] == "Peak hour block (hour 19)"


def test_midnight_can_be_a_peak_hour():
    assert evaluate(hour=0, profile={"peak_hours": [0]})["action"] == "wait"


def test_the_older_spelling_of_the_peak_key_counts_too():
    profile = {key: value for key, value in PROFILE.items() if key != "allow_peak_hours"} | {"allow_peak": False}
    answer = evaluate_charging_policy({"energy_dispensed": 0}, profile, {"current_price": 1, "hour": 19})
    assert answer == {"action": "wait", "reason": "Peak hour block (hour 19)"}


def test_without_peak_hours_of_its_own_a_profile_has_those_from_17_to_20():
    profile = {key: value for key, value in PROFILE.items() if key != "peak_hours"}
    actions = [
        evaluate_charging_policy({"energy_dispensed": 0}, profile, {"current_price": 1, "hour": hour})["action"]
        for hour in (16, 17, 19, 20)
    ]
    assert actions == ["charge", "wait", "wait", "charge"]


def test_no_limit_is_told_by_none():
    assert evaluate(energy=1e6, price=1e6, profile={"charge_if_price_below": None, "max_energy_kwh": None}) == {
        "action": "charge",
        "reason": "Conditions OK",
    }


@pytest.mark.parametrize(
    ("wh", "action", "reason"),
    [
        (29_999.9, "continue", "Conditions OK"),
        (30_000, "stop", "Energy cap reached (30 kWh)"),
        (30_000.1, "stop", "Energy cap reached (30 kWh)"),
        (0, "continue", "Conditions OK"),
    ],
)
def test_the_meter_loop_counts_the_cap_in_watt_hours(wh, action, reason):
    assert meter(wh=wh) == {"action": action, "reason": reason}


def test_the_meter_loop_stops_for_price_and_peak_in_the_same_words():
    assert meter(price=24.5) == {"action": "stop", "reason": "Price too high (24.50 > 20.00)"}
    assert meter(hour=19) == {"action": "stop", "reason": "Peak hour block (hour 19)"}
    assert meter(wh=40_000, price=99.0, hour=19)["reason"].startswith("Energy cap reached")
    assert meter(price=20.0, hour=19, profile={"allow_peak_hours": True})["action"] == "continue"


def test_a_demand_response_event_defers_who_waits_and_slows_who_charges():
    assert evaluate(demand_response=True, demand_response_until=21) == {
        "action": "defer",
        "reason": "Demand response event, until hour 21",
        "until_hour": 21,
    }
    assert evaluate(demand_response=True, hour=23)["until_hour"] == 0
    assert evaluate(demand_response=True, active=True) == {
        "action": "ramp_down",
        "reason": "Demand response event",
        "limit_factor": 0.5,
    }
    assert meter(demand_response=True)["action"] == "ramp_down"


def test_a_loaded_grid_ramps_down_in_proportion_and_defers_when_it_is_full():
    answer = evaluate(grid_load=0.9, active=True)
    assert answer["action"] == "ramp_down"
    assert answer["limit_factor"] == pytest.approx(0.5)
    assert answer["reason"] == "Grid load too high (0.90 > 0.80)"
    assert evaluate(grid_load=0.8) == {"action": "charge", "reason": "Conditions OK"}
    assert evaluate(grid_load=1.2)["action"] == "defer"
    assert meter(grid_load=1.2)["limit_factor"] == 0.0


def test_carbon_counts_only_for_a_profile_that_minds_it():
    assert evaluate(carbon_intensity=900)["action"] == "charge"
    assert evaluate(carbon_intensity=900, profile={"max_carbon_intensity": 400})["action"] == "defer"
    assert meter(carbon_intensity=900, profile={"max_carbon_intensity": 400})["limit_factor"] == 0.5


def test_of_several_signals_the_strictest_counts():
    assert meter(demand_response=True, grid_load=0.95)["limit_factor"] == pytest.approx(0.25)
    assert meter(demand_response=True, grid_load=0.85)["limit_factor"] == 0.5


def test_signals_never_let_charge_what_the_source_holds_back():
    assert evaluate(price=99.0, demand_response=True)["action"] == "wait"
    assert evaluate(energy=30.0, grid_load=0.9)["action"] == "pause"


@pytest.mark.parametrize(
    ("state", "profile", "env", "told"),
    [
        ({}, {}, {}, "energy_dispensed"),
        ({"energy_dispensed": -1}, {}, {}, "0 or more"),
        ({"energy_dispensed": "5"}, {}, {}, "energy_dispensed: expected a number"),
        ({"energy_dispensed": float("nan")}, {}, {}, "energy_dispensed"),
        ({"energy_dispensed": 1, "charging": "yes"}, {}, {}, "charging: expected true or false"),
        ({"energy_dispensed": 1}, {"charge_if_price_below": "cheap"}, {}, "charge_if_price_below"),
        ({"energy_dispensed": 1}, {"max_energy_kwh": -2}, {}, "max_energy_kwh"),
        ({"energy_dispensed": 1}, {"allow_peak_hours": "no"}, {}, "allow_peak_hours: expected true or false"),
        ({"energy_dispensed": 1}, {"peak_hours": [25]}, {}, "0 to 23"),
        ({"energy_dispensed": 1}, {"peak_hours": "17"}, {}, "list of hours"),
        ({"energy_dispensed": 1}, {"max_grid_load": 1.0}, {}, "max_grid_load"),
        ({"energy_dispensed": 1}, {}, {"current_price": None}, "current_price"),
        ({"energy_dispensed": 1}, {}, {"current_price": True}, "current_price"),
        ({"energy_dispensed": 1}, {}, {"hour": 24}, "hour: expected an hour from 0 to 23, got 24"),
        ({"energy_dispensed": 1}, {}, {"hour": 12.5}, "hour"),
        ({"energy_dispensed": 1}, {}, {"grid_load": "full"}, "grid_load"),
        ({"energy_dispensed": 1}, {}, {"demand_response": "on"}, "demand_response"),
        (None, {}, {}, "station_state: expected a mapping"),
    ],
)
def test_nonsense_is_refused_by_its_name_and_with_what_was_expected(state, profile, env, told):
    with pytest.raises(PolicyInputError, match=told):
        evaluate_charging_policy(state, {**PROFILE, **profile}, {"current_price": 15.0, "hour": 12, **env})


@pytest.mark.parametrize("key", ["charge_if_price_below", "max_energy_kwh", "allow_peak_hours"])
def test_a_profile_without_one_of_its_keys_is_refused(key):
    profile = {name: value for name, value in PROFILE.items() if name != key}
    with pytest.raises(PolicyInputError, match=key):
        evaluate_charging_policy({"energy_dispensed": 0}, profile, {"current_price": 1, "hour": 1})


@pytest.mark.parametrize("key", ["current_price", "hour"])
def test_an_environment_without_price_or_hour_is_refused(key):
    env = {name: value for name, value in {"current_price": 1, "hour": 1}.items() if name != key}
    with pytest.raises(PolicyInputError, match=key):
        evaluate_charging_policy({"energy_dispensed": 0}, PROFILE, env)


@pytest.mark.parametrize("figures", [{"wh": -1}, {"max_wh": None}, {"wh": "1"}])
def test_the_meter_loop_refuses_energies_that_are_none(figures):
    with pytest.raises((PolicyInputError, TypeError)):
        meter(**figures)


def test_inputs_are_left_as_they_were():
    state, profile, env = {"energy_dispensed": 1}, dict(PROFILE), {"current_price": 15.0, "hour": 12}
    evaluate_charging_policy(state, profile, env)
    assert (state, profile, env) == ({"energy_dispensed": 1}, PROFILE, {"current_price": 15.0, "hour": 12})


@given(energy=energies_kwh, price=prices, hour=hours, limit=limits)
def test_without_signals_the_answer_follows_the_four_rules_in_their_order(energy, price, hour, limit):
    if limit.max_energy_kwh is not None and energy >= limit.max_energy_kwh:
        expected = Action.PAUSE
    elif (limit.charge_if_price_below is not None and price > limit.charge_if_price_below) or (
        hour in limit.peak_hours and not limit.allow_peak_hours
    ):
        expected = Action.WAIT
    else:
        expected = Action.CHARGE
    for given_signals in (None, Signals()):
        decision = decide(energy, limits=limit, price=price, hour=hour, signals=given_signals)
        assert decision.action is expected
        assert set(decision.as_dict()) == {"action", "reason"}


@given(energy=energies_kwh, price=prices, hour=hours, limit=limits, signal=signals, active=st.booleans())
def test_signals_only_ever_hold_back(energy, price, hour, limit, signal, active):
    plain = decide(energy, limits=limit, price=price, hour=hour, session_active=active)
    told = decide(energy, limits=limit, price=price, hour=hour, signals=signal, session_active=active)
    if plain.action is not Action.CHARGE:
        assert told == plain
    else:
        assert told.action in {Action.CHARGE, Action.RAMP_DOWN, Action.DEFER}
        assert (told.action is Action.RAMP_DOWN) == (told.limit_factor is not None)
        assert told.limit_factor is None or 0.0 <= told.limit_factor < 1.0
        assert (told.action is Action.DEFER) == (told.until_hour is not None)
        assert not (active and told.action is Action.DEFER)


@given(wh=st.floats(0.0, 1e5), price=prices, hour=hours, limit=limits, signal=st.none() | signals)
def test_the_meter_loop_stops_exactly_where_a_new_session_would_not_begin(wh, price, hour, limit, signal):
    cap_wh = None if limit.max_energy_kwh is None else limit.max_energy_kwh * 1000.0
    metering = decide_while_metering(wh, cap_wh, limits=limit, price=price, hour=hour, signals=signal)
    assert metering.action in {Action.CONTINUE, Action.STOP, Action.RAMP_DOWN}
    over = cap_wh is not None and wh >= cap_wh
    held_back = decide(0.0, limits=limit, price=price, hour=hour).action is Action.WAIT
    assert (metering.action is Action.STOP) == (over or held_back)


@given(price=prices, more=st.floats(0.0, 100.0), hour=hours, limit=limits)
def test_a_lower_price_never_stops_what_a_higher_one_let_charge(price, more, hour, limit):
    if decide(0.0, limits=limit, price=price + more, hour=hour).action is Action.CHARGE:
        assert decide(0.0, limits=limit, price=price, hour=hour).action is Action.CHARGE
