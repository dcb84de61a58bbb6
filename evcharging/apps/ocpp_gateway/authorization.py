"""Whether an idTag may charge, answered from memory: the tokens of ``auth.tokens``, and starts that we ordered.

Asks nobody and stores nothing. idTags are compared without regard to case (CiString20 of 1.6).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from evcharging.messages.network import AuthToken, TokenStatus

__all__ = ["Authorization", "Verdict"]

ORDERED_AT_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a station is told of an idTag."""

    status: TokenStatus
    expires_at: datetime | None = None
    parent_id_tag: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether it may charge."""
        return self.status is TokenStatus.ACCEPTED


class Authorization:
    """The tokens of one gateway.

    Args:
        accept_unknown: whether an idTag that nobody stored is Accepted; otherwise it is Invalid.
        now: the time, with a zone.
    """

    def __init__(self, *, accept_unknown: bool, now: Callable[[], datetime]) -> None:
        self._accept_unknown = accept_unknown
        self._now = now
        self._tokens: dict[str, AuthToken] = {}
        self._ordered: dict[str, datetime] = {}

    def __len__(self) -> int:
        return len(self._tokens)

    def learn(self, token: AuthToken) -> None:
        """Take a token as Central has it now."""
        if token.deleted:
            self.forget(token.id_tag)
        else:
            self._tokens[token.id_tag.casefold()] = token

    def forget(self, id_tag: str) -> None:
        """Drop a token."""
        self._tokens.pop(id_tag.casefold(), None)

    def expect(self, id_tag: str, until: datetime) -> None:
        """Let an idTag that we ordered a start for charge until then, should its token not have come yet."""
        if len(self._ordered) >= ORDERED_AT_MOST:
            now = self._now()
            self._ordered = {tag: moment for tag, moment in self._ordered.items() if moment > now}
        self._ordered[id_tag.casefold()] = until

    def driver_of(self, id_tag: str) -> str | None:
        """The driver whose token that is, as far as Central said."""
        token = self._tokens.get(id_tag.casefold())
        return None if token is None else token.driver_id

    def check(self, id_tag: str) -> Verdict:
        """What is to be said of an idTag now: as stored, Expired past its time, and of an unknown one Invalid."""
        name = id_tag.casefold()
        token = self._tokens.get(name)
        if token is None:
            until = self._ordered.get(name)
            if self._accept_unknown or (until is not None and until > self._now()):
                return Verdict(TokenStatus.ACCEPTED)
            return Verdict(TokenStatus.INVALID)
        status = token.status
        if status is TokenStatus.ACCEPTED and token.expires_at is not None and token.expires_at <= self._now():
            status = TokenStatus.EXPIRED
        return Verdict(status, token.expires_at, token.parent_id_tag)
