"""What is kept of a call depends on its answer."""

from __future__ import annotations

from typing import Any

import pytest

from evcharging.apps.ocpp_gateway.records_v16 import record_of, without_credentials

REFUSED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("ReserveNow", {"reservationId": 1}, {"status": "Occupied"}),
    ("CancelReservation", {"reservationId": 1}, {"status": "Rejected"}),
    ("SendLocalList", {"listVersion": 1}, {"status": "VersionMismatch"}),
    ("ChangeConfiguration", {"key": "K", "value": "V"}, {"status": "NotSupported"}),
    ("SetChargingProfile", {"csChargingProfiles": {}}, {"status": "NotSupported"}),
    ("ClearChargingProfile", {}, {"status": "Unknown"}),
]


@pytest.mark.parametrize(("action", "request_", "response"), REFUSED, ids=[action for action, _, _ in REFUSED])
def test_what_a_station_refused_is_not_kept(action: str, request_: dict[str, Any], response: dict[str, Any]) -> None:
    assert record_of("CP-1", action, request_, response) is None


@pytest.mark.parametrize("action", ["Reset", "ClearCache", "TriggerMessage", "UnlockConnector"])
def test_what_leaves_nothing_behind_is_not_kept(action: str) -> None:
    assert record_of("CP-1", action, {}, {"status": "Accepted"}) is None


@pytest.mark.parametrize(
    ("location", "kept"),
    [
        ("ftp://user:secret@host/up/load", "ftp://host/up/load"),
        ("ftp://user@host", "ftp://host"),
        ("https://host/a@b", "https://host/a@b"),
        ("nowhere", "nowhere"),
    ],
)
def test_a_location_is_kept_without_its_password(location: str, kept: str) -> None:
    assert without_credentials(location) == kept
