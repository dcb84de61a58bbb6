"""Who may charge: what the CSMS answers about an idTag, and what a station decides without asking it.

Decisions only; nothing here talks to anybody. A station's local list and cache are in `authorization_store`, the wire
forms in `authorization_wire`. idTags are told apart without regard to case, as the standard's CiString is. Rules: OCPP
1.6 edition 2, sections 3.4, 3.5 and 4.8; OCPP 2.0.1 part 2, sections C and D.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

MAX_ID_TAG_LENGTH: Final = 20


class AuthStatus(StrEnum):
    """What is said about an idTag. 1.6 knows the first five, 2.0.1 all."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    EXPIRED = "Expired"
    INVALID = "Invalid"
    CONCURRENT_TX = "ConcurrentTx"
    UNKNOWN = "Unknown"
    NO_CREDIT = "NoCredit"
    NOT_ALLOWED_TYPE_EVSE = "NotAllowedTypeEVSE"
    NOT_AT_THIS_LOCATION = "NotAtThisLocation"
    NOT_AT_THIS_TIME = "NotAtThisTime"


class IdTagInfo(NamedTuple):
    """What is known of an idTag: its status, when that ends (Unix seconds), and the group it belongs to."""

    status: AuthStatus
    expires_at_s: float | None = None
    parent_id_tag: str | None = None

    def at(self, now_s: float) -> "IdTagInfo":
        """Return what this comes to at a time: an acceptance that has run out is Expired."""
        if self.status is AuthStatus.ACCEPTED and self.expires_at_s is not None and now_s >= self.expires_at_s:
            return self._replace(status=AuthStatus.EXPIRED)
        return self

    @property
    def accepted(self) -> bool:
        """Whether it is Accepted; ask `at` first, for the time."""
        return self.status is AuthStatus.ACCEPTED


INVALID: Final = IdTagInfo(AuthStatus.INVALID)


@dataclass(frozen=True, slots=True)
class Token:
    """An idTag as the central system keeps it: Accepted, Blocked, Expired or Invalid, as an operator set it."""

    id_tag: str
    status: AuthStatus = AuthStatus.ACCEPTED
    expires_at_s: float | None = None
    parent_id_tag: str | None = None


def central_answer(
    token: Token | None,
    *,
    now_s: float,
    unknown: AuthStatus = AuthStatus.INVALID,
    charging_elsewhere: bool = False,
    concurrent_allowed: bool = False,
) -> IdTagInfo:
    """Return what a central system answers about an idTag.

    Args:
        token: What it keeps of it, None for an unknown one.
        now_s: The time.
        unknown: What an unknown idTag is.
        charging_elsewhere: Whether this is asked at the start of a transaction while the token is in another one.
        concurrent_allowed: Whether one token may be in several transactions.
    """
    if token is None:
        return IdTagInfo(unknown)
    info = IdTagInfo(token.status, token.expires_at_s, token.parent_id_tag).at(now_s)
    if info.accepted and charging_elsewhere and not concurrent_allowed:
        return info._replace(status=AuthStatus.CONCURRENT_TX)
    return info


def id_tag_of_driver(driver_id: str) -> str:
    """Return the idTag derived from a driver's id: the id itself where it fits, else 20 characters made from it."""
    if 1 <= len(driver_id) <= MAX_ID_TAG_LENGTH and driver_id.isascii() and driver_id.isprintable():
        return driver_id
    return "D-" + hashlib.sha256(driver_id.encode()).hexdigest()[: MAX_ID_TAG_LENGTH - 2].upper()


def same_id_tag(one: str | None, other: str | None) -> bool:
    """Return whether two idTags are the same; None is never."""
    return one is not None and other is not None and one.lower() == other.lower()


@dataclass(frozen=True, slots=True)
class AuthorizationRules:
    """A station's configuration keys about authorization, as the standard names them."""

    local_pre_authorize: bool = False
    local_authorize_offline: bool = True
    allow_offline_tx_for_unknown_id: bool = False
    authorize_remote_tx_requests: bool = False
    stop_transaction_on_invalid_id: bool = True
    max_energy_on_invalid_id_wh: int = 0


DEFAULT_RULES: Final = AuthorizationRules()


class Step(StrEnum):
    """What a station does about an idTag."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    ASK = "ask"
    """Send Authorize and do as it is answered."""


class Verdict(NamedTuple):
    """A step, and what is known of the idTag where something is."""

    step: Step
    info: IdTagInfo | None = None


def decide_start(
    id_tag: str,
    *,
    online: bool,
    now_s: float,
    known: Callable[[str, float], IdTagInfo | None],
    rules: AuthorizationRules = DEFAULT_RULES,
) -> Verdict:
    """Decide about an idTag that wants to start a transaction.

    Online, a known and accepted one starts at once with LocalPreAuthorize; everything else is asked, since a local
    entry that refuses may be out of date. Offline, LocalAuthorizeOffline lets known ones start and
    AllowOfflineTxForUnknownId unknown ones; one known not to be accepted never does.

    Args:
        id_tag: What was presented.
        online: Whether there is a connection whose boot was accepted.
        now_s: The time.
        known: What the station knows of an idTag at a time, list before cache (`StationAuthorization.known`).
        rules: The station's configuration.
    """
    info = known(id_tag, now_s)
    if online:
        accept = rules.local_pre_authorize and info is not None and info.accepted
        return Verdict(Step.ACCEPT if accept else Step.ASK, info)
    if info is None:
        allowed = rules.allow_offline_tx_for_unknown_id
    else:
        allowed = info.accepted and (rules.local_authorize_offline or rules.allow_offline_tx_for_unknown_id)
    return Verdict(Step.ACCEPT if allowed else Step.REFUSE, info)


def decide_remote_start(
    id_tag: str,
    *,
    online: bool,
    now_s: float,
    known: Callable[[str, float], IdTagInfo | None],
    rules: AuthorizationRules = DEFAULT_RULES,
) -> Verdict:
    """Decide about the idTag of a RemoteStartTransaction: accepted as it is, unless AuthorizeRemoteTxRequests."""
    if not rules.authorize_remote_tx_requests:
        return Verdict(Step.ACCEPT, known(id_tag, now_s))
    return decide_start(id_tag, online=online, now_s=now_s, known=known, rules=rules)


def decide_stop(
    id_tag: str,
    *,
    started_by: str,
    parent_id_tag: str | None,
    online: bool,
    now_s: float,
    known: Callable[[str, float], IdTagInfo | None],
) -> Verdict:
    """Decide about an idTag that wants to stop a transaction begun by `started_by`, whose group is `parent_id_tag`.

    The one that began it always may, without being asked. Another one may if its group is the same; where that is not
    known here it is asked, and `stop_allowed` tells what the answer means.
    """
    if same_id_tag(id_tag, started_by):
        return Verdict(Step.ACCEPT, known(id_tag, now_s))
    info = known(id_tag, now_s)
    if info is not None and stop_allowed(info, parent_id_tag):
        return Verdict(Step.ACCEPT, info)
    if parent_id_tag is None or not online:
        return Verdict(Step.REFUSE, info)
    return Verdict(Step.ASK, info)


def stop_allowed(info: IdTagInfo, parent_id_tag: str | None) -> bool:
    """Return whether an idTag with this answer may stop a transaction of the group `parent_id_tag`."""
    return info.accepted and same_id_tag(info.parent_id_tag, parent_id_tag)


class InvalidIdOutcome(NamedTuple):
    """What becomes of a running transaction whose idTag the CSMS does not accept.

    `stop`: it ends with DeAuthorized. Else it stays open and takes no more than `max_energy_wh` in all.
    """

    stop: bool
    max_energy_wh: int


def decide_after_start(info: IdTagInfo, *, rules: AuthorizationRules = DEFAULT_RULES) -> InvalidIdOutcome | None:
    """Decide what the answer to StartTransaction does to the running transaction; None: it just goes on.

    With StopTransactionOnInvalidId it ends at once, but not before MaxEnergyOnInvalidId where that is set; without, it
    stays open with the energy cut off there.
    """
    if info.accepted:
        return None
    allowance_wh = rules.max_energy_on_invalid_id_wh
    return InvalidIdOutcome(stop=rules.stop_transaction_on_invalid_id and allowance_wh == 0, max_energy_wh=allowance_wh)
