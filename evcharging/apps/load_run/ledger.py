"""Holds what stations metered against what the CSMS acknowledged: every transaction, every Wh, every kept message.

The two sides come from different places: what a station metered is what it tells of its own transactions; what the CSMS
acknowledged is read off the wire by `wire_tap`, answers and the requests they belong to. Pure bookkeeping.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final, NamedTuple

__all__ = ["Acknowledged", "Ledger", "LedgerFigures", "Metered"]

MOST_PROBLEMS_TOLD: Final = 50

_NO_START: Final = "the CSMS never acknowledged its start"
_NO_END: Final = "the CSMS never acknowledged its end"
_UNTOLD: Final = {
    _NO_START: "its start could not be told: the CSMS could not be reached when the station ended",
    _NO_END: "its end could not be told: the CSMS could not be reached when the station ended",
}

TransactionId = int | str


class Metered(NamedTuple):
    """A transaction as its station knows it; ``meter_stop_wh`` is None while it runs."""

    station_id: str
    local_id: str
    transaction_id: TransactionId | None
    meter_start_wh: int
    meter_stop_wh: int | None


@dataclass(slots=True)
class Acknowledged:
    """A transaction as the CSMS acknowledged it, with how often each of its two ends was."""

    station_id: str
    transaction_id: TransactionId
    meter_start_wh: int | None = None
    meter_stop_wh: int | None = None
    starts: int = 0
    ends: int = 0


@dataclass(frozen=True, slots=True)
class LedgerFigures:
    """What the comparison came to.

    Attributes:
        began, ended: Transactions by the stations.
        acknowledged: Those whose start and end the CSMS acknowledged.
        metered_wh: What stations metered in transactions that ended.
        acknowledged_wh: What the CSMS acknowledged of them: the difference of the registers it was sent.
        kept_messages: Transaction messages, meter values among them, that had to wait until a connection was back.
        left_messages: Those that still waited at the end.
        dropped_messages: Those given up.
        repeated: Acknowledgements of the same end of the same transaction beyond the first: repeats after lost answers.
        unreached_messages: Of those that still waited: at stations that had no connection when they ended.
        problems: One line for each thing that does not add up; empty for a clean ledger.
        more_problems: How many more there are than told.
    """

    began: int
    ended: int
    acknowledged: int
    metered_wh: int
    acknowledged_wh: int
    kept_messages: int
    left_messages: int
    dropped_messages: int
    repeated: int
    unreached_messages: int = 0
    problems: tuple[str, ...] = ()
    more_problems: int = 0

    @property
    def clean(self) -> bool:
        """Whether everything adds up."""
        return not self.problems

    @property
    def empty(self) -> bool:
        """Whether there was nothing to compare."""
        return not self.problems and not self.began


@dataclass(slots=True)
class Ledger:
    """Both sides of the books of one run."""

    _metered: dict[tuple[str, str], Metered] = field(default_factory=dict)
    _acknowledged: dict[tuple[str, TransactionId], Acknowledged] = field(default_factory=dict)
    _dropped: Counter[str] = field(default_factory=Counter)
    _left: Counter[str] = field(default_factory=Counter)
    _unreached: Counter[str] = field(default_factory=Counter)
    _untold: set[tuple[str, str]] = field(default_factory=set)
    _kept: int = 0

    def metered(self, transaction: Metered) -> None:
        """Note what a station says of a transaction; the newest word counts."""
        self._metered[(transaction.station_id, transaction.local_id)] = transaction

    def start_acknowledged(self, station_id: str, transaction_id: TransactionId, meter_start_wh: int | None) -> None:
        """The CSMS answered the start of a transaction."""
        entry = self._entry(station_id, transaction_id)
        entry.starts += 1
        if meter_start_wh is not None:
            entry.meter_start_wh = meter_start_wh

    def end_acknowledged(self, station_id: str, transaction_id: TransactionId, meter_stop_wh: int | None) -> None:
        """The CSMS answered the end of a transaction."""
        entry = self._entry(station_id, transaction_id)
        entry.ends += 1
        if meter_stop_wh is not None:
            entry.meter_stop_wh = meter_stop_wh

    def dropped(self, station_id: str) -> None:
        """A station gave up on a transaction message."""
        self._dropped[station_id] += 1

    def kept(self, messages: int) -> None:
        """So many transaction messages had to wait until a connection was back."""
        self._kept += messages

    def left(self, station_id: str, messages: int, *, of: Collection[str] = (), reached: bool = True) -> None:
        """So many transaction messages of a station were still waiting when it ended.

        ``of`` are the local ids of their transactions. Unless the station ``reached`` the CSMS at its end, they are no
        loss of the CSMS's.
        """
        if reached:
            self._left[station_id] += messages
        else:
            self._unreached[station_id] += messages
            self._untold.update((station_id, local_id) for local_id in of)

    def figures(self, *, final: bool = True) -> LedgerFigures:
        """Compare both sides; unless it is ``final``, what has not come yet is no problem."""
        problems: list[str] = []
        acknowledged = metered_wh = acknowledged_wh = 0
        seen: dict[tuple[str, TransactionId], Metered] = {}
        for transaction in self._metered.values():
            energy_wh = _energy_wh(transaction)
            metered_wh += energy_wh
            problem, entry = self._compare(transaction, seen)
            if (transaction.station_id, transaction.local_id) in self._untold:
                problem = _UNTOLD.get(problem or "", problem)
            if problem and (final or (entry is not None and entry.ends)):
                problems.append(f"{transaction.station_id}, transaction {_name(transaction)}: {problem}")
            if entry is not None and entry.meter_start_wh is not None and entry.meter_stop_wh is not None:
                acknowledged += 1
                acknowledged_wh += entry.meter_stop_wh - entry.meter_start_wh
        for key, entry in self._acknowledged.items():
            if final and key not in seen:
                name = f"{entry.station_id}, transaction {entry.transaction_id}"
                problems.append(f"{name}: the CSMS acknowledged it, no station has it")
        problems += [
            f"{station_id}: gave up on {count} transaction message(s)" for station_id, count in self._dropped.items()
        ]
        problems += [
            f"{station_id}: {count} transaction message(s) still waited at its end"
            for station_id, count in self._left.items()
        ]
        problems += [
            f"{station_id}: {count} transaction message(s) not delivered: the CSMS could not be reached at its end"
            for station_id, count in self._unreached.items()
        ]
        return LedgerFigures(
            began=len(self._metered),
            ended=sum(transaction.meter_stop_wh is not None for transaction in self._metered.values()),
            acknowledged=acknowledged,
            metered_wh=metered_wh,
            acknowledged_wh=acknowledged_wh,
            kept_messages=self._kept,
            left_messages=self._left.total() + self._unreached.total(),
            unreached_messages=self._unreached.total(),
            dropped_messages=self._dropped.total(),
            repeated=sum(max(0, e.starts - 1) + max(0, e.ends - 1) for e in self._acknowledged.values()),
            problems=tuple(problems[:MOST_PROBLEMS_TOLD]),
            more_problems=max(0, len(problems) - MOST_PROBLEMS_TOLD),
        )

    def _entry(self, station_id: str, transaction_id: TransactionId) -> Acknowledged:
        key = (station_id, transaction_id)
        entry = self._acknowledged.get(key)
        if entry is None:
            entry = self._acknowledged[key] = Acknowledged(station_id, transaction_id)
        return entry

    def _compare(
        self, transaction: Metered, seen: dict[tuple[str, TransactionId], Metered]
    ) -> tuple[str | None, Acknowledged | None]:
        """What does not add up about a transaction, and its other side."""
        if transaction.transaction_id is None:
            return _NO_START, None
        key = (transaction.station_id, transaction.transaction_id)
        if key in seen:
            return f"the CSMS gave it the id of {_name(seen[key])} too", None
        seen[key] = transaction
        entry = self._acknowledged.get(key)
        return _difference(transaction, entry), entry


def _difference(transaction: Metered, entry: Acknowledged | None) -> str | None:
    if entry is None or not entry.starts:
        return _NO_START
    if transaction.meter_stop_wh is None:
        return "it never ended"
    if not entry.ends:
        return _NO_END
    told = (entry.meter_start_wh, entry.meter_stop_wh)
    if told == (transaction.meter_start_wh, transaction.meter_stop_wh):
        return None
    metered = f"{transaction.meter_start_wh} to {transaction.meter_stop_wh} Wh"
    return f"metered {metered}, acknowledged {told[0]} to {told[1]} Wh"


def _energy_wh(transaction: Metered) -> int:
    return 0 if transaction.meter_stop_wh is None else transaction.meter_stop_wh - transaction.meter_start_wh


def _name(transaction: Metered) -> str:
    return str(transaction.local_id if transaction.transaction_id is None else transaction.transaction_id)
