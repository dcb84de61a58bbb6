from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from evcharging.messages.network import AuthToken, OcppConfig, OcppFrame, SiteSignal, SwarmStatus, TokenStatus

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize("currency", ["eur", "EURO", "€", ""])
def test_a_price_names_its_currency_by_the_iso_code(currency: str) -> None:
    with pytest.raises(ValidationError, match="currency"):
        SiteSignal(ts=NOW, site_id="home", price_per_kwh=0.3, currency=currency)


def test_a_token_may_have_expired_long_ago() -> None:
    long_ago = datetime(1999, 1, 1, tzinfo=UTC)
    assert AuthToken(ts=NOW, id_tag="T", status=TokenStatus.EXPIRED, expires_at=long_ago).expires_at == long_ago


def test_a_token_is_no_longer_than_ocpp_allows() -> None:
    with pytest.raises(ValidationError, match="id_tag"):
        AuthToken(ts=NOW, id_tag="x" * 21, status=TokenStatus.ACCEPTED)


def test_a_password_hash_travels_but_is_not_shown() -> None:
    config = OcppConfig(ts=NOW, cp_id="CP-001", password_hash="$argon2id$secret")
    assert "secret" not in repr(config)
    assert json.loads(config.to_json())["password_hash"] == "$argon2id$secret"


@pytest.mark.parametrize("frame", [[2, "1", "Heartbeat", {}], "not even JSON", {"odd": None}, None, 7])
def test_a_frame_is_kept_as_it_was(frame: object) -> None:
    kept = OcppFrame.from_json(OcppFrame(ts=NOW, cp_id="CP-001", direction="in", frame=frame).to_json())
    assert kept.frame == frame


def test_a_station_says_what_it_is_at_in_known_words() -> None:
    with pytest.raises(ValidationError, match="state"):
        SwarmStatus.model_validate({"ts": NOW, "station_id": "PY-SIM-0001", "state": "asleep", "profile": "idle"})


def test_a_station_tells_its_last_decision() -> None:
    body = (
        b'{"ts": "2026-05-01T00:00:00Z", "station_id": "PY-SIM-0001", "state": "available", "profile": "idle",'
        b' "policy": {"action": "wait", "reason": "Peak hour block (hour 19)", "of_a_newer_version": 1}}'
    )
    status = SwarmStatus.from_json(body)
    assert status.policy is not None
    assert (status.policy.action, status.policy.reason) == ("wait", "Peak hour block (hour 19)")
    assert SwarmStatus.from_json(status.to_json()) == status
