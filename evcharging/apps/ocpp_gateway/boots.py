"""Boots: who a station says it is, and whether it is let in. The last boot decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from evcharging.apps.ocpp_gateway.charge_points import ChargePoint
from evcharging.apps.ocpp_gateway.statuses import Statuses
from evcharging.apps.ocpp_gateway.writes import Work
from evcharging.domain.states import WHOLE_CHARGE_POINT
from evcharging.store.gateway import tables
from evcharging.store.upsert import upsert

__all__ = ["BootReport", "BootStatus", "BootTerms", "Boots"]

BootStatus = Literal["Accepted", "Pending", "Rejected"]


class BootTerms(NamedTuple):
    """How a station is to be answered, by its registration. ``interval_s``: heartbeats, or when to boot again.

    ``configuration``: what it is to be set once it was accepted.
    """

    status: BootStatus
    interval_s: int
    configuration: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BootReport:
    """What a station says of itself; ``details`` is all of it as it came."""

    vendor: str | None
    model: str | None
    serial_number: str | None = None
    firmware_version: str | None = None
    reason: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


class Boots:
    """The boots of one gateway's stations.

    Args:
        terms: a station's registration, from memory.
        configure: is told of a station that was accepted and has a configuration in its registration; must not wait.
        now: the time, with a zone.
    """

    def __init__(
        self,
        statuses: Statuses,
        *,
        terms: Callable[[str], BootTerms],
        configure: Callable[[ChargePoint], None] = lambda _point: None,
        now: Callable[[], datetime],
    ) -> None:
        self._statuses = statuses
        self._terms = terms
        self._configure = configure
        self._now = now
        self._dirty: dict[str, dict[str, Any]] = {}

    @property
    def due(self) -> bool:
        """Whether `flush` has something to do."""
        return bool(self._dirty)

    def boot(self, point: ChargePoint, report: BootReport) -> BootTerms:
        """Take a boot, and return how to answer it."""
        terms = self._terms(point.cp_id)
        now = self._now()
        point.boot_status = terms.status
        point.booted_at = now
        self._dirty[point.cp_id] = {
            "cp_id": point.cp_id,
            "version": point.link.version.value if point.link is not None else "",
            "vendor": _short(report.vendor),
            "model": _short(report.model),
            "serial_number": _short(report.serial_number),
            "firmware_version": _short(report.firmware_version),
            "reason": report.reason,
            "details": dict(report.details),
            "status": terms.status,
            "booted_at": now,
        }
        if point.loaded:  # otherwise it is said once it is known which sessions are open there
            self._statuses.publish(point, WHOLE_CHARGE_POINT, reason=point.boot_word, boot_reason=report.reason)
        if terms.configuration and terms.status == "Accepted":
            self._configure(point)
        return terms

    async def flush(self, work: Work) -> None:
        """An effect: store the boots since the last one."""
        taken = dict(self._dirty)
        await upsert(work.transaction, tables.boots, list(taken.values()))

        def stored() -> None:
            for cp_id, row in taken.items():
                if self._dirty.get(cp_id) is row:
                    del self._dirty[cp_id]

        work.after_commit(stored)


def _short(text: str | None) -> str | None:
    return None if text is None else text[:50]
