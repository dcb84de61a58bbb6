"""What makes one station."""

from __future__ import annotations

import dataclasses
import ssl

import pytest

from evcharging.ocpp.station.settings import Backoff, StationSettings


def settings(**fields: object) -> StationSettings:
    return StationSettings(station_id="S-1", csms_url="ws://127.0.0.1:9000/ocpp", **fields)


def test_its_password_and_its_keys_are_shown_nowhere() -> None:
    made = settings(password="sesame-open", ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    assert "sesame" not in repr(made)
    assert "SSLContext" not in repr(made)
    assert made.password == "sesame-open"


def test_settings_are_made_once_and_shared_by_nobody() -> None:
    one, two = settings(), settings()
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.seed = 1  # type: ignore[misc]
    assert one.configuration is not two.configuration
    assert one.still_there is not two.still_there


def test_everything_is_said_by_its_name() -> None:
    with pytest.raises(TypeError, match="positional"):
        StationSettings("S-1", "ws://127.0.0.1:9000/ocpp")  # type: ignore[misc]


def test_pauses_between_attempts_grow_and_differ_from_station_to_station() -> None:
    backoff = Backoff()
    assert 0 < backoff.first_s < backoff.longest_s
    assert 0 < backoff.jitter < 1
