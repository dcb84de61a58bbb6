import pytest

from evcharging.apps.runtime.behaviour_profiles import load_profiles
from evcharging.domain.behaviour import ProfileError


def test_the_profiles_that_ship_have_the_figures_of_the_specification():
    profiles = load_profiles()
    assert set(profiles) == {"default", "busy", "idle", "no-transactions", "flaky"}
    figures = {
        name: (profile.charge_if_price_below, profile.max_energy_kwh, profile.allow_peak_hours)
        for name, profile in profiles.items()
        if profile.sessions
    }
    assert figures == {
        "default": (25.0, 30.0, True),
        "busy": (35.0, 40.0, True),
        "idle": (18.0, 20.0, False),
        "flaky": (25.0, 30.0, True),
    }
    assert not profiles["no-transactions"].sessions


def test_the_profiles_that_ship_differ_as_their_descriptions_say():
    profiles = load_profiles()
    default, busy, idle, flaky = (profiles[name] for name in ("default", "busy", "idle", "flaky"))
    assert busy.pause_s.most < default.pause_s.least
    assert busy.session_power_kw(0.0) > default.session_power_kw(1.0)
    assert idle.pause_s.least > default.pause_s.most
    assert flaky.offline_probability > 0.0 == default.offline_probability
    assert all(profile.description for profile in profiles.values())


def test_a_file_in_a_folder_of_ones_own_is_a_profile_and_goes_before_ours(tmp_path):
    (tmp_path / "night.yaml").write_text("max_energy_kwh: 5")
    (tmp_path / "busy.yml").write_text("max_energy_kwh: 6")
    (tmp_path / "notes.txt").write_text("not a profile")
    profiles = load_profiles(tmp_path)
    assert profiles["night"].max_energy_kwh == 5.0
    assert profiles["busy"].max_energy_kwh == 6.0
    assert profiles["default"] == load_profiles()["default"]


def test_a_bad_file_is_named_with_its_path(tmp_path):
    (tmp_path / "night.yaml").write_text("max_energy_kwh: lots")
    with pytest.raises(ProfileError, match=r"night\.yaml: max_energy_kwh: expected a number above 0, got 'lots'"):
        load_profiles(tmp_path)


def test_two_files_for_one_profile_are_refused(tmp_path):
    (tmp_path / "night.yaml").write_text("")
    (tmp_path / "night.yml").write_text("")
    with pytest.raises(ProfileError, match="second file for the profile 'night'"):
        load_profiles(tmp_path)


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "night.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProfileError, match="UTF-8"):
        load_profiles(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ProfileError, match="expected a folder of profiles"):
        load_profiles(tmp_path / "nowhere")
