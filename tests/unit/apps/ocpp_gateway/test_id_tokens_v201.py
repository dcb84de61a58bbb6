"""2.0.1 idTokens to idTags and back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from evcharging.apps.ocpp_gateway.authorization import Authorization, Verdict
from evcharging.apps.ocpp_gateway.id_tokens_v201 import check, id_tag_of, id_token, id_token_info
from evcharging.messages.network import AuthToken, TokenStatus
from evcharging.ocpp.schemas import check_response
from evcharging.ocpp.versions import OcppVersion

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def authorization() -> Authorization:
    made = Authorization(accept_unknown=False, now=lambda: NOW)
    made.learn(AuthToken(ts=NOW, id_tag="TAG", status=TokenStatus.BLOCKED))
    return made


@pytest.mark.parametrize(
    ("token", "id_tag"),
    [
        (None, None),
        ({"idToken": "04AABB", "type": "ISO14443"}, "04AABB"),
        ({"idToken": "DE-ABC-C123-1", "type": "eMAID"}, "DE-ABC-C123-1"),
        ({"idToken": "", "type": "NoAuthorization"}, None),
        ({"idToken": "ignored", "type": "NoAuthorization"}, None),
        ({"idToken": "", "type": "Local"}, None),
    ],
)
def test_an_id_tag_is_the_text_of_an_id_token(token: dict[str, str] | None, id_tag: str | None) -> None:
    assert id_tag_of(token) == id_tag


def test_an_id_token_is_told_by_its_text_without_regard_to_case_or_type() -> None:
    for kind in ("ISO14443", "Central", "KeyCode"):
        assert check(authorization(), {"idToken": "tag", "type": kind}).status is TokenStatus.BLOCKED


def test_an_id_token_that_stands_for_none_is_accepted() -> None:
    assert check(authorization(), {"idToken": "", "type": "NoAuthorization"}).accepted


@pytest.mark.parametrize("status", list(TokenStatus))
def test_every_verdict_is_one_of_the_standards(status: TokenStatus) -> None:
    info = id_token_info(Verdict(status, NOW, "GROUP"))

    check_response(OcppVersion.V201, "Authorize", {"idTokenInfo": info})
    assert info == {
        "status": status.value,
        "cacheExpiryDateTime": "2026-01-31T12:00:00.000Z",
        "groupIdToken": id_token("GROUP"),
    }
