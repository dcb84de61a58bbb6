from __future__ import annotations

import pytest

from evcharging.apps.charger.settings import ChargerSettings
from evcharging.apps.runtime.errors import UsageError
from evcharging.domain.charger import DEMO_VEHICLE, L1, L2, L2_THREE_PHASE, L3, dc

EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing is bound here


def load(*argv: str, **environ: str) -> ChargerSettings:
    return ChargerSettings.load(argv, environ=environ)


def test_without_a_word_it_is_the_demos_charger_and_vehicle() -> None:
    settings = load()
    assert settings.names == ("CP-001",)
    assert settings.spec == L2_THREE_PHASE
    assert settings.vehicle == DEMO_VEHICLE
    assert (settings.hub_host, settings.hub_port, settings.time_scale) == ("127.0.0.1", 29536, 1.0)


@pytest.mark.parametrize(
    ("argv", "names"),
    [
        (["--count", "3"], ("CP-001", "CP-002", "CP-003")),
        (["--cp-id", "A,B", "--cp-id", "C"], ("A", "B", "C")),
        (["--cp-id", "CP-008", "--count", "3"], ("CP-008", "CP-009", "CP-010")),
        (["--cp-id", "A,B", "--count", "2"], ("A", "B")),
        (["--cp-id", "LOBBY", "--count", "1"], ("LOBBY",)),
    ],
)
def test_chargers_are_named_or_counted(argv: list[str], names: tuple[str, ...]) -> None:
    assert load(*argv).names == names


def test_variables_work_as_flags_do() -> None:
    settings = load(CHARGER_CP_ID="A, B", CHARGER_HUB_PORT="0 # any", CHARGER_TIME_SCALE="60")
    assert (settings.names, settings.hub_port, settings.time_scale) == (("A", "B"), 0, 60.0)


@pytest.mark.parametrize(
    ("argv", "spec"),
    [
        (["--level", "L1"], L1),
        (["--level", "L2", "--phases", "1"], L2),
        (["--level", "L3"], L3),
        (["--level", "DC", "--rating-kw", "350"], dc(350.0)),
    ],
)
def test_a_level_has_the_rating_of_the_standard(argv: list[str], spec: object) -> None:
    assert load(*argv).spec == spec


def test_a_rated_current_of_its_own_keeps_the_levels_supply() -> None:
    spec = load("--level", "L3", "--rated-amps", "125").spec
    assert (spec.rated_amps, spec.voltage_v, spec.phases) == (125.0, L3.voltage_v, 3)


def test_the_vehicle_is_made_of_its_figures() -> None:
    argv = ["--vehicle-capacity-kwh", "40", "--vehicle-onboard-kw", "11", "--vehicle-arrival-soc", "0.5"]
    vehicle = load(*argv, "--vehicle-taper", "linear").vehicle
    assert (vehicle.capacity_kwh, vehicle.onboard_kw, vehicle.arrival_soc) == (40.0, 11.0, 0.5)
    assert vehicle.taper == "linear"


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--cp-id", "A,A"], "A is named more than once"),
        (["--cp-id", "A,B", "--count", "3"], "2 are named with --cp-id"),
        (["--cp-id", "LOBBY", "--count", "3"], "cannot count on from LOBBY"),
        (["--count", "0"], "greater than or equal to 1"),
        (["--can", "virtual"], "virtual reaches no other process"),
        (["--can", "can0"], "expected virtual, hub://HOST:PORT"),
        (["--can", "socketcan:can0", "--count", "2"], "carries one charger and there are 2"),
        (["--can", "udp_multicast", "--cp-id", "A,B"], "carries one charger and there are 2"),
        (["--hub-host", EVERYWHERE], "add --hub-allow-remote if that is meant"),
        (["--time-scale", "0"], "greater than or equal to 1"),
        (["--phases", "2"], "should be 1 or 3"),
        (["--level", "L4"], "'L1', 'L2', 'L3' or 'DC'"),
        (["--vehicle-arrival-soc", "30"], "less than or equal to 1"),
        (["--rated-amps", "5"], "greater than or equal to 6"),
    ],
)
def test_settings_that_make_no_sense_are_named(argv: list[str], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(*argv)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "argv",
    [
        ["--hub-host", EVERYWHERE, "--hub-allow-remote"],
        ["--hub-host", "localhost"],
        ["--can", "hub://127.0.0.1:1", "--hub-host", EVERYWHERE],
        ["--can", "socketcan:{channel}", "--count", "3"],
        ["--can", "socketcan:can0"],
    ],
)
def test_settings_that_make_sense_are_taken(argv: list[str]) -> None:
    load(*argv)


def test_a_name_of_its_own_prefix_that_it_does_not_know_is_an_error() -> None:
    with pytest.raises(UsageError, match="CHARGER_HUBPORT"):
        load(CHARGER_HUBPORT="1")
