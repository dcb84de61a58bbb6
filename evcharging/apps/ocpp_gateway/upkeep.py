"""What stations tell besides charging: firmware, diagnostics, vendors' own data, messages that were refused. Kept."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Literal

from evcharging.apps.ocpp_gateway.writes import Work, Writes
from evcharging.store.gateway import records

__all__ = ["Upkeep"]

LONGEST_ERROR = 500


class Upkeep:
    """Keeps it, in the background.

    Args:
        known_vendors: whose data transfers are answered Accepted; all others' are kept and answered UnknownVendorId.
    """

    def __init__(self, writes: Writes, *, known_vendors: Collection[str] = ()) -> None:
        self._writes = writes
        self._known_vendors = frozenset(known_vendors)

    def maintenance(self, cp_id: str, kind: Literal["firmware", "diagnostics"], status: str) -> None:
        """A firmware update or an upload of diagnostics has come so far."""

        async def effect(work: Work) -> None:
            await records.note_maintenance(work.transaction, cp_id, kind, status=status, now=work.now)

        self._writes.post(effect)

    def data_transfer(self, cp_id: str, *, vendor_id: str, message_id: str | None, data: Any) -> str:
        """Take a station's data transfer; returns the status to answer with."""
        status = "Accepted" if vendor_id in self._known_vendors else "UnknownVendorId"
        text = data if data is None or isinstance(data, str) else json.dumps(data)

        async def effect(work: Work) -> None:
            await records.note_data_transfer(
                work.transaction,
                cp_id=cp_id,
                direction="in",
                vendor_id=vendor_id,
                message_id=message_id,
                data=text,
                status=status,
                answer=None,
                at=work.now,
            )

        self._writes.post(effect)
        return status

    def rejected(self, cp_id: str, action: str, payload: Any, error: str) -> None:
        """Keep a transaction message that was answered with CALLERROR: it may be billing data."""

        async def effect(work: Work) -> None:
            await records.note_rejected(
                work.transaction,
                cp_id=cp_id,
                action=action[:64],
                payload=payload,
                error=error[:LONGEST_ERROR],
                at=work.now,
            )

        self._writes.post(effect)
