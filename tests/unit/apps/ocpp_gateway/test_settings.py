"""What the gateway's settings accept, and what they say about the rest."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from evcharging.apps.ocpp_gateway.central_system_terms import CentralSystemTerms
from evcharging.apps.ocpp_gateway.settings import GatewaySettings
from evcharging.apps.runtime.errors import UsageError


def test_defaults_are_those_of_the_documentation() -> None:
    settings = GatewaySettings()

    assert (settings.host, settings.ws_port, settings.tls_port, settings.http_port) == ("127.0.0.1", 9000, 9443, 9101)
    assert not settings.welcomes_strangers
    assert settings.database == "gateway.db"


def test_variables_have_the_gateways_prefix() -> None:
    assert GatewaySettings.variable_of("ws_port") == "OCPP_GATEWAY_WS_PORT"


def test_standalone_welcomes_strangers() -> None:
    assert GatewaySettings(standalone=True).welcomes_strangers


@pytest.mark.parametrize("fields", [{"open_registration": True}, {"standalone": True}])
def test_strangers_from_other_machines_must_know_a_password(fields: dict[str, bool]) -> None:
    with pytest.raises(ValidationError, match="--station-password"):
        GatewaySettings(host="192.0.2.1", **fields)  # type: ignore[arg-type]

    GatewaySettings(host="192.0.2.1", station_password="shared-by-all-of-them", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("password", ["x", "fifteen-letters", "far-too-long-" * 5])
def test_a_password_of_a_length_that_ocpp_does_not_have_is_refused_and_not_shown(password: str) -> None:
    with pytest.raises(UsageError) as refused:
        GatewaySettings.load(["--station-password", password], environ={})
    told = str(refused.value)
    assert told.startswith("--station-password (OCPP_GATEWAY_STATION_PASSWORD): ")
    assert f"got {len(password)} character" in told
    assert f"{password!r}" not in told
    assert password == "x" or password not in told


def test_registered_stations_may_come_from_other_machines() -> None:
    GatewaySettings(host="192.0.2.1")


def test_the_standalones_api_stays_on_this_machine() -> None:
    with pytest.raises(ValidationError, match="--http-host"):
        GatewaySettings(standalone=True, http_host="192.0.2.1")


def test_tls_needs_a_certificate() -> None:
    with pytest.raises(ValidationError, match="--tls-certificate"):
        GatewaySettings(tls_key="key.pem")  # type: ignore[arg-type]


def test_secrets_are_not_shown() -> None:
    password = "known-to-the-stations"
    settings = GatewaySettings(station_password=password, database_url="postgresql://u:s3cret@db/x")  # type: ignore[arg-type]

    assert password not in repr(settings)
    assert "s3cret" not in repr(settings)
    assert settings.database == "postgresql://u:s3cret@db/x"


def test_what_is_not_set_is_as_the_central_system_has_it() -> None:
    settings, terms = GatewaySettings(), CentralSystemTerms()

    assert (settings.refuse_concurrent, settings.doubt_s, settings.hold_s, settings.vendor_ids) == (
        terms.refuse_concurrent,
        terms.doubt_s,
        terms.hold_s,
        terms.known_vendors,
    )


@pytest.mark.parametrize("text", ["com.acme,org.example", " com.acme , org.example ,"])
def test_vendor_ids_are_separated_by_commas(text: str) -> None:
    assert GatewaySettings(known_vendors=text).vendor_ids == {"com.acme", "org.example"}


def test_a_vendor_id_longer_than_the_standards_is_none() -> None:
    with pytest.raises(ValidationError, match="255 characters at most"):
        GatewaySettings(known_vendors=f"com.acme,{'x' * 256}")


@pytest.mark.parametrize("name", ["doubt_s", "hold_s"])
@pytest.mark.parametrize("seconds", [0, -1, 1e9])
def test_a_time_that_makes_no_sense_is_refused(name: str, seconds: float) -> None:
    with pytest.raises(ValidationError, match=name):
        GatewaySettings(**{name: seconds})  # type: ignore[arg-type]
