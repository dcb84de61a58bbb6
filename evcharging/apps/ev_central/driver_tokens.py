"""Which idTag a driver has at OCPP stations, and which driver an idTag stands for. Publishes what it stores."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from uuid import uuid4

from evcharging.apps.ev_central.work import Work
from evcharging.domain.authorization import MAX_ID_TAG_LENGTH, id_tag_of_driver
from evcharging.messages.network import AuthToken, TokenStatus
from evcharging.messages.topics import AUTH_TOKENS
from evcharging.store.simulator import tokens
from evcharging.store.simulator.tokens import TokenRow, folded

__all__ = ["TokenBarred", "announce_token", "drivers_of", "id_tag_for"]


class TokenBarred(Exception):
    """The driver has a token, and it may not be used now; the message says why."""


async def id_tag_for(work: Work, driver_id: str, *, kept_for: str | None = None) -> str:
    """The driver's own token, else one derived from the driver's id: stored as Accepted and published with this work.

    Of several it is the one that a connector is ``kept_for``, if it may be used.

    Raises:
        TokenBarred: every token of the driver's is blocked or has expired. No other is made then.
    """
    own = await tokens.tokens_of_driver(work.transaction, driver_id)
    if kept_for is not None:
        own = sorted(own, key=lambda row: folded(row.id_tag) != folded(kept_for))
    if not own:
        candidate = id_tag_of_driver(driver_id)
        found = await tokens.tokens_named(work.transaction, [candidate])
        row = found.get(folded(candidate))
        if row is None or row.driver_id is not None:
            return await _derive(work, driver_id, candidate if row is None else None)
        own = [row]  # somebody entered it by hand; it is what would be derived, so it is meant for this driver
    usable = next((row for row in own if _is_usable(work, row)), None)
    if usable is None:
        raise TokenBarred(
            f"the driver's token {own[0].id_tag} is {own[0].status if not _lapsed(work, own[0]) else 'Expired'}"
        )
    return usable.id_tag


async def drivers_of(work: Work, id_tags: Iterable[str]) -> Mapping[str, str]:
    """The drivers whose tokens those idTags are, by the idTags in capitals; the others are left out."""
    found = await tokens.tokens_named(work.transaction, id_tags)
    return {name: row.driver_id for name, row in found.items() if row.driver_id is not None}


def announce_token(work: Work, row: TokenRow, *, deleted: bool = False) -> None:
    """Have gateways told of a token as it is now."""
    message = AuthToken(
        ts=work.now,
        id_tag=row.id_tag,
        status=TokenStatus(row.status),
        expires_at=row.expires_at,
        parent_id_tag=row.parent_id_tag,
        driver_id=row.driver_id,
        deleted=deleted,
    )
    work.send(AUTH_TOKENS, message, cause=str(uuid4()), kind="auth-token")


async def _derive(work: Work, driver_id: str, candidate: str | None) -> str:
    number = 0
    while candidate is None:  # another driver's, however it came to that
        number += 1
        digest = hashlib.sha256(f"{driver_id}\n{number}".encode()).hexdigest()
        name = f"D-{digest[: MAX_ID_TAG_LENGTH - 2]}".upper()
        if not await tokens.tokens_named(work.transaction, [name]):
            candidate = name
    row = TokenRow(
        id_tag=candidate,
        status=TokenStatus.ACCEPTED.value,
        driver_id=driver_id,
        created_at=work.now,
        changed_at=work.now,
    )
    await tokens.save_token(work.transaction, row)
    announce_token(work, row)
    return candidate


def _is_usable(work: Work, row: TokenRow) -> bool:
    return row.status == TokenStatus.ACCEPTED.value and not _lapsed(work, row)


def _lapsed(work: Work, row: TokenRow) -> bool:
    return row.status == TokenStatus.ACCEPTED.value and row.expires_at is not None and row.expires_at <= work.now
