"""What a load run hears from its stations, put where it belongs: latencies, timeline, connections, ledger.

It decides nothing. Stations of the background have their own, so that their calls do not count among those measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from evcharging.apps.load_run.latencies import LOST, OK, TIMEOUT, Latencies
from evcharging.apps.load_run.ledger import Ledger, Metered
from evcharging.apps.load_run.timeline import Timeline
from evcharging.ocpp.station.interfaces import TransactionRecord

__all__ = ["Connections", "RunListener"]

MOST_REASONS: Final = 20
"""Different reasons for lost connections that are kept apart; CSMS may put anything into them."""
_REASON_LENGTH: Final = 200


class Connections:
    """Sockets of one run: who has one now, how many opened, came again, were lost or could not be opened.

    Those that we close because the run wants fewer stations, or is over, are not lost.
    """

    def __init__(self) -> None:
        self.connects = 0
        self.closed = 0
        self.reconnects = 0
        self.disconnects = 0
        self.refused = 0
        self.boots_accepted = 0
        self.reasons: Counter[str] = Counter()
        self._let_go: set[str] = set()
        self._now: set[str] = set()
        self._before: set[str] = set()
        self._accepted: set[str] = set()

    @property
    def ever(self) -> int:
        """Stations that had a socket at some time."""
        return len(self._before)

    @property
    def ever_accepted(self) -> int:
        """Stations whose boot was accepted at some time."""
        return len(self._accepted)

    @property
    def now(self) -> int:
        """Stations with a socket."""
        return len(self._now)

    def has(self, station_id: str) -> bool:
        """Whether that station has a socket."""
        return station_id in self._now

    def let_go(self, station_id: str) -> bool:
        """Whether that station had a socket to its end: it was closed, not lost."""
        return station_id in self._let_go

    def opened(self, station_id: str) -> None:
        """A station's socket opened."""
        self.connects += 1
        if station_id in self._before:
            self.reconnects += 1
        self._before.add(station_id)
        self._now.add(station_id)

    def accepted(self, station_id: str) -> None:
        """A station's boot was accepted."""
        self.boots_accepted += 1
        self._accepted.add(station_id)

    def gone(self, station_id: str, reason: str, *, leaving: bool = False) -> bool:
        """A station's socket is gone, or could not be opened; return whether one was lost, and not closed to leave."""
        if leaving:
            if station_id in self._now:
                self._now.discard(station_id)
                self._let_go.add(station_id)
                self.closed += 1
            return False
        reason = reason.replace(station_id, "<id>")[:_REASON_LENGTH]  # one reason for all, not one for each
        if reason in self.reasons or len(self.reasons) < MOST_REASONS:
            self.reasons[reason] += 1
        else:
            self.reasons["other reasons"] += 1
        if station_id in self._now:
            self._now.discard(station_id)
            self.disconnects += 1
            return True
        self.refused += 1
        return False


class RunListener:
    """Hears the stations of one group; a `StationListener`.

    Attributes:
        ignored: Texts of the CSMS that were dropped, by why.
        sessions, running_sessions: Transactions begun, and those that run.
        energy_wh: Of those that ended.

    Args:
        latencies, timeline, connections, ledger: Where things are put.
        on_connected: Told of each station whose socket opened, before anything goes over it.
        on_registered: Told of each station whose boot was accepted.
        is_leaving: Whether a station closes its socket for good.
    """

    def __init__(
        self,
        *,
        latencies: Latencies,
        timeline: Timeline,
        connections: Connections,
        ledger: Ledger,
        on_connected: Callable[[str], None],
        on_registered: Callable[[str], None] | None = None,
        is_leaving: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._latencies = latencies
        self._timeline = timeline
        self._connections = connections
        self._ledger = ledger
        self._on_connected = on_connected
        self._on_registered = on_registered
        self._is_leaving = is_leaving
        self.ignored: Counter[str] = Counter()
        self.sessions = 0
        self.running_sessions = 0
        self.energy_wh = 0

    def log(self, station_id: str, line: str) -> None:
        """A line of a station's log; a load run has no place for thousands of them."""

    def called(self, station_id: str, action: str, seconds: float | None, outcome: str) -> None:
        """A call has ended, or a text of the CSMS was ignored."""
        if not action:
            self.ignored[outcome.removeprefix("ignored:")[:_REASON_LENGTH]] += 1
            return
        self._latencies.record(action, seconds, outcome)
        answered = outcome not in {TIMEOUT, LOST}
        self._timeline.called(
            seconds if answered else None, failed=answered and outcome != OK, timed_out=outcome == TIMEOUT
        )

    def connected(self, station_id: str) -> None:
        """Its socket is open."""
        self._connections.opened(station_id)
        self._timeline.connected()
        self._on_connected(station_id)

    def disconnected(self, station_id: str, reason: str) -> None:
        """Its socket is gone, or could not be opened."""
        if self._connections.gone(station_id, reason, leaving=self._is_leaving(station_id)):
            self._timeline.disconnected()

    def registered(self, station_id: str, status: str, seconds: float) -> None:
        """Its boot was answered."""
        if status == "Accepted":
            self._connections.accepted(station_id)
            if self._on_registered is not None:
                self._on_registered(station_id)

    def transaction_began(self, record: TransactionRecord) -> None:
        """Power may flow."""
        self.sessions += 1
        self.running_sessions += 1
        self._note(record)

    def transaction_ended(self, record: TransactionRecord) -> None:
        """It is over; the CSMS may still have to hear of it."""
        self.running_sessions -= 1
        self.energy_wh += record.energy_wh
        self._note(record)

    def transaction_settled(self, record: TransactionRecord) -> None:
        """The CSMS answered its end, or the station gave up on it."""
        self._note(record)

    def message_dropped(self, station_id: str, action: str, reason: str) -> None:
        """A transaction message was given up."""
        self._ledger.dropped(station_id)

    def changed(self, station_id: str) -> None:
        """Its snapshot is another one; the run looks at stations by its own pace."""

    def _note(self, record: TransactionRecord) -> None:
        self._ledger.metered(
            Metered(
                station_id=record.station_id,
                local_id=record.local_id,
                transaction_id=record.transaction_id,
                meter_start_wh=record.meter_start_wh,
                meter_stop_wh=None if record.ended_at_s is None else record.meter_wh,
            )
        )
