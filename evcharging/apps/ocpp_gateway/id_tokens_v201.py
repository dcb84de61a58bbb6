"""OCPP 2.0.1 idTokens (part 2, C) from and to what the gateway knows: an idTag and a verdict on it.

An idToken is told apart by its text alone, without regard to case; its type says how it was read.
"""

from __future__ import annotations

from typing import Any, Final

from evcharging.apps.ocpp_gateway.authorization import Authorization, Verdict
from evcharging.messages.network import TokenStatus
from evcharging.ocpp.timestamps import timestamp

__all__ = ["NO_AUTHORIZATION", "check", "id_tag_of", "id_token", "id_token_info"]

NO_AUTHORIZATION: Final = "NoAuthorization"
"""The type of an idToken that stands for a start without any: a button, a key switch."""


def id_tag_of(token: dict[str, Any] | None) -> str | None:
    """The idTag of an idToken; None where there is none, or none is needed."""
    if token is None or token["type"] == NO_AUTHORIZATION:
        return None
    return str(token["idToken"]) or None


def id_token(id_tag: str) -> dict[str, Any]:
    """The idToken that stands for an idTag of ours."""
    return {"idToken": id_tag, "type": "Central"}


def check(authorization: Authorization, token: dict[str, Any]) -> Verdict:
    """What is to be said of an idToken; one that stands for no authorization is accepted."""
    if token["type"] == NO_AUTHORIZATION:
        return Verdict(TokenStatus.ACCEPTED)
    return authorization.check(str(token["idToken"]))


def id_token_info(verdict: Verdict) -> dict[str, Any]:
    """A verdict as IdTokenInfoType."""
    info: dict[str, Any] = {"status": verdict.status.value}
    if verdict.expires_at is not None:
        info["cacheExpiryDateTime"] = timestamp(verdict.expires_at)
    if verdict.parent_id_tag is not None:
        info["groupIdToken"] = id_token(verdict.parent_id_tag)
    return info
