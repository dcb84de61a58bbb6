"""A station that is being set the keys of its registration: what is still to do, and what came of each key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, Link
from evcharging.apps.ocpp_gateway.dialect import Dialect
from evcharging.apps.ocpp_gateway.writes import Effect

__all__ = ["AS_WANTED", "CALL_ERROR", "NOT_NAMED", "SETTLED", "TIMEOUT", "Answer", "Visit"]

ACCEPTED, AS_WANTED, TIMEOUT, CALL_ERROR, NOT_NAMED = "Accepted", "AsWanted", "Timeout", "CallError", "NotNamed"
SETTLED: Final = frozenset((ACCEPTED, AS_WANTED, "RebootRequired"))
LONGEST_WORD: Final = 32
LONGEST_DETAIL: Final = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a key: a word, the station's where it said one."""

    word: str
    detail: str | None = None

    def is_known_by(self, row: Mapping[str, Any] | None, value: str) -> bool:
        """Whether a row has it; one that says that the station took the value says, too, that it has it."""
        if row is None or row["value"] != value:
            return False
        if self.word == AS_WANTED:
            return row["answer"] in (AS_WANTED, ACCEPTED)
        return (row["answer"], row["detail"]) == (_cut(self.word, LONGEST_WORD), _cut(self.detail, LONGEST_DETAIL))

    def row(self, cp_id: str, key: str, value: str, now: datetime) -> dict[str, Any]:
        """To be kept of a key."""
        return {
            "cp_id": cp_id,
            "key": key,
            "value": value,
            "answer": _cut(self.word, LONGEST_WORD),
            "detail": _cut(self.detail, LONGEST_DETAIL),
            "answered_at": now,
        }


@dataclass(slots=True, eq=False)
class Visit:
    """A station's turn.

    ``put``: what it was put before, by key; nothing after a boot. ``known``: values by key in small letters.
    """

    point: ChargePoint
    link: Link
    dialect: Dialect
    wanted: dict[str, str]
    put: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    records: list[Effect[None]] = field(default_factory=list)
    over: bool = False

    def to_do(self) -> list[tuple[str, str]]:
        """What it was neither put before nor has come to anything now; a silence is no answer."""
        return [(key, value) for key, value in self.wanted.items() if not self._is_done(key, value)]

    def _is_done(self, key: str, value: str) -> bool:
        before = self.put.get(key)
        return key in self.answers or (before is not None and before["value"] == value and before["answer"] != TIMEOUT)


def _cut(text: str | None, length: int) -> str | None:
    return None if text is None else text[:length]
