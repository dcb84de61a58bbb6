"""What a station's flags mean."""

from __future__ import annotations

import pytest

from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.station.settings import StationAppSettings
from evcharging.domain.levels import L2_THREE_PHASE
from evcharging.ocpp.versions import OcppVersion


def loaded(*flags: str, **environ: str) -> StationAppSettings:
    return StationAppSettings.load(flags, environ=environ)


def test_the_two_flags_of_the_page_suffice() -> None:
    settings = loaded("--csms-url", "ws://127.0.0.1:9000/ocpp", "--id", "CP-7")
    assert (settings.csms_url, settings.id, settings.ocpp_version) == (
        "ws://127.0.0.1:9000/ocpp",
        "CP-7",
        OcppVersion.V16,
    )
    assert settings.can == "virtual"
    assert settings.spec == L2_THREE_PHASE


def test_the_password_may_come_by_the_environment_and_is_never_shown() -> None:
    settings = loaded(STATION_PASSWORD="top-secret-16-chars")
    assert settings.password is not None
    assert settings.password.get_secret_value() == "top-secret-16-chars"
    assert "top-secret" not in repr(settings)


def test_configuration_is_read_with_commas_in_its_values() -> None:
    settings = loaded("--configuration", "MeterValuesSampledData=SoC,Voltage; HeartbeatInterval=5;")
    assert settings.configured == {"MeterValuesSampledData": "SoC,Voltage", "HeartbeatInterval": "5"}


def test_several_connectors_have_channels_with_their_numbers() -> None:
    assert loaded("--id", "A").channels == ("A",)
    assert loaded("--id", "A", "--connectors", "2").channels == ("A-1", "A-2")


def test_the_vehicle_and_the_charger_follow_their_flags() -> None:
    settings = loaded("--level", "L2", "--phases", "1", "--rated-amps", "16", "--vehicle-onboard-kw", "11")
    assert (settings.spec.rated_amps, settings.spec.phases) == (16.0, 1)
    assert settings.vehicle.onboard_kw == 11.0


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--version", "1.5"), "--version"),
        (("--connectors", "0"), "--connectors"),
        (("--currency", "rupees"), "--currency"),
        (("--mqtt", "nowhere"), "--mqtt"),
        (("--csms-url", "ws://cp:word@host/"), "give the password by its own setting"),
        (("--duration", "0"), "--duration"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(flags: tuple[str, ...], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        loaded(*flags)


def test_an_unknown_variable_of_its_prefix_is_refused() -> None:
    with pytest.raises(UsageError, match="STATION_PASWORD"):
        loaded(STATION_PASWORD="x")
