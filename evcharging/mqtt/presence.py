"""Which units are there: their own statuses, the statuses of the engines that hold many, put together.

Pure and idempotent: it is told what was read, in any order and any number of times, and answers with the changes that
follow. A unit is online when its own status says so and its engine, if its state names one, is not offline.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Presence", "PresenceReason", "UnitPresence"]


class PresenceReason(StrEnum):
    """Why a unit came or went."""

    STATUS = "status"
    """The unit's own status, or the will in its place."""
    ENGINE = "engine"
    """The status of the engine that holds it."""
    NOT_CONFIRMED = "not_confirmed"
    """It did not announce itself again after the connection to the broker was lost and made again."""


@dataclass(frozen=True, slots=True)
class UnitPresence:
    """A change: a unit came, or went."""

    unit_id: str
    online: bool
    reason: PresenceReason


class Presence:
    """What is known of every unit and engine that was heard of."""

    def __init__(self) -> None:
        self._status: dict[str, bool] = {}
        self._engine_status: dict[str, bool] = {}
        self._engine_of: dict[str, str] = {}
        self._units_of: dict[str, set[str]] = {}
        self._online: set[str] = set()
        self._unconfirmed: set[str] = set()

    def unit_status(self, unit_id: str, *, online: bool) -> list[UnitPresence]:
        """A unit's status was read."""
        self._status[unit_id] = online
        self._unconfirmed.discard(unit_id)
        return self._changes([unit_id], PresenceReason.STATUS)

    def unit_engine(self, unit_id: str, engine_id: str | None) -> list[UnitPresence]:
        """A unit's state was read, which names its engine or none."""
        before = self._engine_of.pop(unit_id, None)
        if before is not None:
            self._units_of[before].discard(unit_id)
        if engine_id is not None:
            self._engine_of[unit_id] = engine_id
            self._units_of.setdefault(engine_id, set()).add(unit_id)
        return self._changes([unit_id], PresenceReason.ENGINE)

    def engine_status(self, engine_id: str, *, online: bool) -> list[UnitPresence]:
        """An engine's status was read; it counts for each of its units."""
        self._engine_status[engine_id] = online
        return self._changes(sorted(self._units_of.get(engine_id, ())), PresenceReason.ENGINE)

    def reconnected(self) -> None:
        """The connection was lost and made again: what is online has to say so again."""
        self._unconfirmed = set(self._online)

    def give_up_unconfirmed(self) -> list[UnitPresence]:
        """Count those that did not as offline."""
        lost, self._unconfirmed = sorted(self._unconfirmed), set()
        for unit_id in lost:
            self._status[unit_id] = False
        return self._changes(lost, PresenceReason.NOT_CONFIRMED)

    @property
    def online(self) -> frozenset[str]:
        """The units that are there."""
        return frozenset(self._online)

    def __contains__(self, unit_id: str) -> bool:
        return unit_id in self._status or unit_id in self._engine_of

    def __len__(self) -> int:
        return len(self._status.keys() | self._engine_of.keys()) + len(self._engine_status)

    def _changes(self, unit_ids: list[str], reason: PresenceReason) -> list[UnitPresence]:
        changes = []
        for unit_id in unit_ids:
            engine = self._engine_of.get(unit_id)
            online = self._status.get(unit_id, False) and (engine is None or self._engine_status.get(engine, True))
            if online != (unit_id in self._online):
                (self._online.add if online else self._online.discard)(unit_id)
                changes.append(UnitPresence(unit_id, online, reason))
        return changes
