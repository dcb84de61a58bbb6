"""What stations say of transactions, in no version's words, and what they are answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from evcharging.apps.ocpp_gateway.authorization import Verdict
from evcharging.domain.end_reasons import EndReason
from evcharging.messages.envelope import derived_id

__all__ = ["Start", "Started", "Stop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a station says of a transaction that began.

    ``transaction_id`` is the station's own name for it (2.0.1); None has the gateway give a number (1.6).
    """

    connector_id: int
    id_tag: str | None
    started_at: datetime
    register_wh: Decimal | None
    transaction_id: str | None = None
    reservation_id: int | None = None
    remote_start_id: int | None = None

    def content_key(self, cp_id: str) -> str:
        """What a repeat is recognised by: the station's own name for it, or else all that it says."""
        if self.transaction_id is not None:
            return derived_id(f"{cp_id}\n{self.transaction_id}", "start:named")
        parts = (
            cp_id,
            str(self.connector_id),
            (self.id_tag or "").casefold(),
            self.started_at.astimezone(UTC).isoformat(),
            str(self.register_wh),
        )
        return derived_id("\n".join(parts), "start")


@dataclass(frozen=True, slots=True)
class Started:
    """How it is known from now on, and what is to be said of the idTag. ``number`` is 0 where the station named it."""

    transaction_id: str
    number: int
    session_id: str
    verdict: Verdict
    repeated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """What a station says of a transaction that ended; ``reason`` in the standard's words, ``noted`` beside them."""

    transaction_id: str
    stopped_at: datetime
    register_wh: Decimal | None
    id_tag: str | None = None
    reason: str | None = None
    noted: EndReason | None = None
    connector_id: int | None = None
    transaction_data: Sequence[Any] | None = None

    def content_key(self, cp_id: str) -> str:
        """What a repeat is recognised by, where nothing is known of the transaction itself."""
        moment = self.stopped_at.astimezone(UTC).isoformat()
        return derived_id("\n".join((cp_id, self.transaction_id, moment, str(self.register_wh))), "stop")
