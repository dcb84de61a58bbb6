"""What a station says, on the terminal: its log lines in colour, its faults on purpose, and a word at the end.

Control characters never reach the terminal: a line may hold what a CSMS said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Final

import structlog
from rich.console import Console
from rich.text import Text

from evcharging.ocpp.station.fault_kinds import FaultKind
from evcharging.ocpp.station.faults import Judgement
from evcharging.ocpp.station.interfaces import StationSnapshot, TransactionRecord

__all__ = ["Terminal"]

log = structlog.get_logger()

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_STAMP: Final = re.compile(r"^\[\d\d:\d\d:\d\d\] ")
_STYLES: Final = (
    (
        re.compile(r"^(Charging started|Authorization successful|BootNotification accepted|Connected|Reconnected)"),
        "green",
    ),
    (re.compile(r"(failed|fault|Faulted|given up|rejected|Disconnected|not as expected)", re.IGNORECASE), "red"),
    (re.compile(r"(waiting|stopping|ramping down|Going offline|pending|limit \d|Rebooting|on purpose)"), "yellow"),
    (re.compile(r"^(Charging stopped|Shutdown)"), "cyan"),
    (re.compile(r"^Connector \d+ Charging$"), "green"),
)


class Terminal:
    """A `StationListener` that prints. ``as_json`` writes JSON lines through the process's logging instead."""

    def __init__(self, console: Console, *, as_json: bool = False) -> None:
        self.outcomes: Counter[str] = Counter()
        """Calls of the station, by how they ended."""
        self.transactions = 0
        self.energy_wh = 0
        self.dropped = 0
        """Transaction messages given up."""
        self.ever_connected = False
        self.last_reason = ""
        """Why there was no socket any more, or none, the last time."""
        self.on_transaction: Callable[[], None] = _nothing
        """Called when a transaction began, ended or was settled."""
        self._console = console
        self._as_json = as_json

    def log(self, station_id: str, line: str) -> None:
        """Print a line of the station's log."""
        if self._as_json:
            log.info(_STAMP.sub("", line), station=station_id)
            return
        shown = _CONTROL.sub("?", line)
        stamp = _STAMP.match(shown)
        begins = stamp.end() if stamp else 0
        text = Text().append(shown[:begins], style="dim")
        message = shown[begins:]
        text.append(message, style=next((style for rule, style in _STYLES if rule.search(message)), ""))
        self._console.print(text, soft_wrap=True)

    def note(self, station_id: str, message: str) -> None:
        """Print what is no part of the station's own log."""
        self.log(station_id, message)

    def fault(self, station_id: str, kind: FaultKind) -> None:
        """Say that the protocol was broken on purpose."""
        self.note(station_id, f"           fault on purpose: {kind}")

    def judged(self, station_id: str, judgement: Judgement) -> None:
        """Say how the CSMS took it."""
        verdict = "as expected" if judgement.as_expected else "not as expected"
        self.note(station_id, f"           {judgement.kind}: {judgement.outcome}, {verdict}")

    def show(self, snapshot: StationSnapshot) -> None:
        """Print the station as it is."""
        online = "online" if snapshot.registered else "connected" if snapshot.connected else "offline"
        self.note(
            snapshot.station_id,
            f"           {snapshot.station_id} {online}, {snapshot.kw:.2f} kW, {snapshot.delivered_kwh:.3f} kWh in"
            f" {snapshot.sessions} sessions, {snapshot.queued} messages waiting, {snapshot.reconnects} reconnects",
        )
        for one in snapshot.connectors:
            soc = "" if one.soc is None else f", {one.soc:.0%} full"
            session = "" if one.transaction is None else f", transaction {one.transaction.transaction_id}"
            self.note(
                snapshot.station_id,
                f"           connector {one.connector_id} {one.state.value}, {one.kw:.2f} kW, limit"
                f" {one.limit_amps:g} A, register {one.register_wh / 1000:.3f} kWh{soc}{session}",
            )

    def summary(self, station_id: str, snapshot: StationSnapshot) -> None:
        """Print what the run came to."""
        calls = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.outcomes.items())) or "none"
        self.note(
            station_id,
            f"           {self.transactions} transactions, {self.energy_wh / 1000:.3f} kWh; calls: {calls};"
            f" {snapshot.queued} messages waiting, {self.dropped} given up",
        )

    def called(self, station_id: str, action: str, seconds: float | None, outcome: str) -> None:
        """Count."""
        self.outcomes[outcome] += 1

    def connected(self, station_id: str) -> None:
        """Remember; the log tells."""
        self.ever_connected = True

    def disconnected(self, station_id: str, reason: str) -> None:
        """Remember; the log tells."""
        self.last_reason = reason

    def registered(self, station_id: str, status: str, seconds: float) -> None:
        """The log tells."""

    def transaction_began(self, record: TransactionRecord) -> None:
        """Pass it on."""
        self.on_transaction()

    def transaction_ended(self, record: TransactionRecord) -> None:
        """Count."""
        self.transactions += 1
        self.energy_wh += record.energy_wh
        self.on_transaction()

    def transaction_settled(self, record: TransactionRecord) -> None:
        """Pass it on."""
        self.on_transaction()

    def message_dropped(self, station_id: str, action: str, reason: str) -> None:
        """Count."""
        self.dropped += 1

    def changed(self, station_id: str) -> None:
        """Shown when asked for."""


def _nothing() -> None:
    return None
