"""idTag information in the two wire forms of OCPP, 1.6 and 2.0.1 (2.1 alike): dicts as JSON has them, both ways."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from evcharging.domain.authorization import AuthStatus, IdTagInfo
from evcharging.domain.authorization_store import ListEntry

_V16_STATUSES: Final = frozenset(
    {
        AuthStatus.ACCEPTED,
        AuthStatus.BLOCKED,
        AuthStatus.EXPIRED,
        AuthStatus.INVALID,
        AuthStatus.CONCURRENT_TX,
    }
)


def info_from_v16(payload: Mapping[str, Any]) -> IdTagInfo:
    """Read an `idTagInfo`. Raises ValueError for a status or a time that is none."""
    return IdTagInfo(AuthStatus(payload["status"]), _time(payload.get("expiryDate")), payload.get("parentIdTag"))


def info_to_v16(info: IdTagInfo) -> dict[str, Any]:
    """Return an `idTagInfo`; a status that 1.6 does not know is Invalid there."""
    status = info.status if info.status in _V16_STATUSES else AuthStatus.INVALID
    answer: dict[str, Any] = {"status": status.value}
    if info.expires_at_s is not None:
        answer["expiryDate"] = _text(info.expires_at_s)
    if info.parent_id_tag is not None:
        answer["parentIdTag"] = info.parent_id_tag
    return answer


def info_from_v201(payload: Mapping[str, Any]) -> IdTagInfo:
    """Read an `idTokenInfo`. Raises ValueError for a status or a time that is none."""
    group = payload.get("groupIdToken")
    return IdTagInfo(
        AuthStatus(payload["status"]),
        _time(payload.get("cacheExpiryDateTime")),
        None if group is None else group["idToken"],
    )


def info_to_v201(info: IdTagInfo) -> dict[str, Any]:
    """Return an `idTokenInfo`."""
    answer: dict[str, Any] = {"status": info.status.value}
    if info.expires_at_s is not None:
        answer["cacheExpiryDateTime"] = _text(info.expires_at_s)
    if info.parent_id_tag is not None:
        answer["groupIdToken"] = {"idToken": info.parent_id_tag, "type": "Central"}
    return answer


def entry_from_v16(payload: Mapping[str, Any]) -> ListEntry:
    """Read one of `localAuthorizationList`. Raises ValueError as `info_from_v16`."""
    info = payload.get("idTagInfo")
    return ListEntry(payload["idTag"], None if info is None else info_from_v16(info))


def entry_from_v201(payload: Mapping[str, Any]) -> ListEntry:
    """Read one of `localAuthorizationList`. Raises ValueError as `info_from_v201`."""
    info = payload.get("idTokenInfo")
    return ListEntry(payload["idToken"]["idToken"], None if info is None else info_from_v201(info))


def _text(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(text: str | None) -> float | None:
    """Read a time of RFC 3339; one without a zone is UTC."""
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).timestamp()
