"""Hears what the stations of this worker do: counts it, marks them in the book, passes their log lines on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from evcharging.apps.runtime.sender import Sender
from evcharging.apps.swarm import metrics
from evcharging.apps.swarm.book import StatusBook
from evcharging.messages.envelope import Event
from evcharging.messages.network import SwarmLog
from evcharging.messages.topics import SWARM_LOG
from evcharging.ocpp.station.interfaces import TransactionRecord

__all__ = ["LINES_WAITING_AT_MOST", "SwarmListener"]

LINES_WAITING_AT_MOST: Final = 5_000
BURST_S: Final = 5.0


class SwarmListener:
    """A `evcharging.ocpp.station.interfaces.StationListener` for all stations of one worker.

    Args:
        book: marks those that changed.
        sender: takes log lines; those that would overfill it are left out, as are those above the rate.
        source: names the worker on the lines.
        now: the time in UTC.
        monotonic: seconds, for the rate.
        lines_per_s: most lines a second, over a few seconds.
        on_registered: told of each station whose boot was answered, with the status.
    """

    def __init__(
        self,
        book: StatusBook,
        sender: Sender,
        *,
        source: str,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        lines_per_s: float,
        on_registered: Callable[[str, str], None],
    ) -> None:
        self._book = book
        self._sender = sender
        self._source = source
        self._now = now
        self._monotonic = monotonic
        self._lines_per_s = lines_per_s
        self._on_registered = on_registered
        self._room = lines_per_s * BURST_S
        self._room_at = monotonic()
        self._number = 0

    def log(self, station_id: str, line: str) -> None:
        """Put the line on swarm.log, if there is room; the station itself keeps its last ones in any case."""
        if not self._has_room():
            metrics.LOG_LINES.labels("left out").inc()
            return
        metrics.LOG_LINES.labels("published").inc()
        self._number += 1
        self._sender.send(
            Event(
                SWARM_LOG,
                SwarmLog(ts=self._now(), station_id=station_id, line=line),
                id=f"{self._source}-line-{self._number}",
                source=self._source,
            )
        )

    def called(self, station_id: str, action: str, seconds: float | None, outcome: str) -> None:
        """Count the call."""
        metrics.CALLS.labels(action, outcome).inc()
        if seconds is not None:
            metrics.CALL_SECONDS.labels(action).observe(seconds)

    def connected(self, station_id: str) -> None:
        """Count the socket."""
        metrics.CONNECTS.inc()
        self._book.mark(station_id)

    def disconnected(self, station_id: str, reason: str) -> None:
        """Count the loss."""
        metrics.DISCONNECTS.inc()
        self._book.mark(station_id)

    def registered(self, station_id: str, status: str, seconds: float) -> None:
        """Count the answer, and tell who waits for it."""
        metrics.REGISTRATIONS.labels(status).inc()
        self._book.mark(station_id)
        self._on_registered(station_id, status)

    def transaction_began(self, record: TransactionRecord) -> None:
        """Count it; the log is told at once."""
        metrics.TRANSACTIONS_BEGAN.inc()
        self._book.mark(record.station_id, urgent=True)

    def transaction_ended(self, record: TransactionRecord) -> None:
        """Count it and its energy; the log is told at once."""
        metrics.TRANSACTIONS_ENDED.labels(record.reason or "none").inc()
        metrics.ENERGY_KWH.inc(max(record.energy_wh, 0) / 1000)
        self._book.ended(record)

    def transaction_settled(self, record: TransactionRecord) -> None:
        """The log is told at once."""
        self._book.mark(record.station_id, urgent=True)

    def message_dropped(self, station_id: str, action: str, reason: str) -> None:
        """Count the loss."""
        metrics.MESSAGES_DROPPED.inc()
        self._book.mark(station_id, urgent=True)

    def changed(self, station_id: str) -> None:
        """Let the book look whether others should know."""
        self._book.mark(station_id)

    def _has_room(self) -> bool:
        now = self._monotonic()
        self._room = min(self._room + (now - self._room_at) * self._lines_per_s, self._lines_per_s * BURST_S)
        self._room_at = now
        if self._room < 1.0 or self._sender.waiting >= LINES_WAITING_AT_MOST:
            return False
        self._room -= 1.0
        return True
