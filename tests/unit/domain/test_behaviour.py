from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.domain.behaviour import (
    BehaviourProfile,
    ProfileError,
    Range,
    UnknownProfile,
    parse_profile,
    profile_named,
)
from evcharging.domain.policy import Action, decide


def parse(text, name="mine"):
    return parse_profile(name, text, source="mine.yaml")


def test_an_empty_file_is_a_profile_with_every_default():
    assert parse("") == BehaviourProfile(name="mine")


def test_what_a_file_says_takes_the_place_of_the_default():
    profile = parse("pause_s: [1, 2]\nid_tags: [A, B]\nmax_energy_kwh: null\npeak_hours: [0, 23]\nsessions: false")
    assert profile.pause_s == Range(1.0, 2.0)
    assert profile.id_tags == ("A", "B")
    assert profile.max_energy_kwh is None
    assert profile.max_energy_wh is None
    assert profile.peak_hours == {0, 23}
    assert not profile.sessions


def test_one_number_stands_for_a_range_of_that_number():
    assert parse("stay_s: 60").stay_s == Range(60.0, 60.0)


def test_the_older_spelling_of_the_peak_key_counts_too():
    assert not parse("allow_peak: false").allow_peak_hours


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("heartbeat_intervall_s: 5", "heartbeat_intervall_s: no such key; there are description, heartbeat_interval_s"),
        ("heartbeat_interval_s: 0", "heartbeat_interval_s: expected a number above 0, got 0"),
        ("heartbeat_interval_s: soon", "expected a number above 0, got 'soon'"),
        ("pause_s: [5, 1]", "in this order"),
        ("pause_s: [1, 2, 3]", "least and the most"),
        ("pause_s: -1", "0 or more"),
        ("energy_step_wh: 0", "above 0"),
        ("offline_probability: 1.5", "offline_probability: expected a number of 0 or more and 1 or less, got 1.5"),
        ("sessions: 1", "sessions: expected true or false"),
        ("id_tags: []", "idTags"),
        ("id_tags: [123456]", "in quotes"),
        ("id_tags: [123456789012345678901]", "20 characters"),
        ("id_tags: ['123456789012345678901']", "20 characters"),
        ("peak_hours: [24]", "hours from 0 to 23"),
        ("max_energy_kwh: .nan", "max_energy_kwh"),
        ("max_grid_load: 1", "max_grid_load"),
        ("name: other", "name: expected 'mine'"),
        ("[1, 2]", "expected a mapping"),
        ("a: b: c", "not YAML"),
        ("description: 5", "description: expected text"),
    ],
)
def test_a_bad_file_is_named_with_its_key_and_what_was_expected(text, told):
    with pytest.raises(ProfileError) as caught:
        parse(text)
    assert str(caught.value).startswith("mine.yaml: ")
    assert told in str(caught.value)


def test_every_bad_key_of_a_file_is_told_at_once():
    with pytest.raises(ProfileError) as caught:
        parse("retry_s: no\nstay_s: no\nunheard_of: 1")
    assert len(caught.value.problems) == 3


def test_an_unknown_profile_is_answered_with_those_there_are():
    profiles = {"busy": BehaviourProfile(name="busy"), "default": BehaviourProfile(name="default")}
    assert profile_named(profiles, "busy").name == "busy"
    with pytest.raises(UnknownProfile, match="no behaviour profile 'bussy'; there are busy, default"):
        profile_named(profiles, "bussy")


def test_a_profile_carries_its_policy_ready_made():
    profile = parse("charge_if_price_below: 10\nallow_peak_hours: false")
    assert decide(0.0, limits=profile.limits, price=11.0, hour=12).action is Action.WAIT
    assert decide(0.0, limits=profile.limits, price=9.0, hour=18).action is Action.WAIT
    assert decide(30.0, limits=profile.limits, price=9.0, hour=12).action is Action.PAUSE


def test_in_peak_hours_the_peak_factor_of_the_power_is_left():
    profile = BehaviourProfile(name="any")
    assert (profile.power_factor(17), profile.power_factor(20)) == (0.5, 1.0)


@given(low=st.floats(1.0, 100.0), more=st.floats(0.0, 100.0), fraction=st.floats(0.0, 1.0), every=st.floats(1.0, 900.0))
def test_a_session_takes_the_power_that_carries_its_step_of_energy(low, more, fraction, every):
    profile = BehaviourProfile(name="any", energy_step_wh=Range(low, low + more), meter_interval_s=every)
    step_wh = profile.session_power_kw(fraction) * every / 3.6
    assert low * (1 - 1e-9) <= step_wh <= (low + more) * (1 + 1e-9)


@given(st.text(max_size=200))
def test_any_text_is_a_profile_or_a_profile_error(text):
    with suppress(ProfileError):
        assert parse(text).name == "mine"
