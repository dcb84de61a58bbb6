"""idTags from memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from evcharging.apps.ocpp_gateway.authorization import Authorization
from evcharging.messages.network import AuthToken, TokenStatus

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def authorization(**settings: Any) -> Authorization:
    return Authorization(now=lambda: NOW, **{"accept_unknown": False, **settings})


def token(**fields: Any) -> AuthToken:
    return AuthToken(**{"ts": NOW, "id_tag": "ABC", "status": TokenStatus.ACCEPTED, **fields})


def test_a_token_is_known_whatever_its_case_until_it_is_deleted() -> None:
    tokens = authorization()
    tokens.learn(token(driver_id="ann"))
    assert tokens.check("abc").accepted
    assert tokens.driver_of("aBc") == "ann"
    tokens.learn(token(deleted=True))
    assert tokens.check("ABC").status is TokenStatus.INVALID
    assert tokens.driver_of("ABC") is None


def test_a_token_expires_at_its_moment_and_only_an_accepted_one_does() -> None:
    tokens = authorization()
    tokens.learn(token(expires_at=NOW))
    assert tokens.check("ABC").status is TokenStatus.EXPIRED
    tokens.learn(token(expires_at=NOW, status=TokenStatus.BLOCKED))
    assert tokens.check("ABC").status is TokenStatus.BLOCKED
    tokens.learn(token(expires_at=NOW + timedelta(seconds=1), parent_id_tag="P"))
    verdict = tokens.check("ABC")
    assert (verdict.status, verdict.parent_id_tag) == (TokenStatus.ACCEPTED, "P")


def test_a_tag_that_a_start_was_ordered_for_may_charge_until_the_order_lapses() -> None:
    tokens = authorization()
    tokens.expect("D-1", NOW + timedelta(seconds=1))
    tokens.expect("D-2", NOW)
    assert tokens.check("d-1").accepted
    assert not tokens.check("D-2").accepted


def test_a_token_counts_over_an_order() -> None:
    tokens = authorization()
    tokens.expect("ABC", NOW + timedelta(hours=1))
    tokens.learn(token(status=TokenStatus.BLOCKED))
    assert tokens.check("ABC").status is TokenStatus.BLOCKED
