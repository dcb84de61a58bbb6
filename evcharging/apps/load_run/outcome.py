"""What came out of a load run: one value that every report, page and exit code is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from evcharging.apps.load_run.latencies import ActionFigures
from evcharging.apps.load_run.ledger import LedgerFigures
from evcharging.apps.load_run.thresholds import Measured, Verdict
from evcharging.apps.load_run.timeline import Point

__all__ = ["PROTOCOL_FAULTS", "ConnectionFigures", "FaultFigures", "RunOutcome", "StationFigures"]

PROTOCOL_FAULTS: Final = "protocol faults"
"""The entry of a run's plan that names those asked for; it is not there where none were."""


@dataclass(frozen=True, slots=True)
class ConnectionFigures:
    """Sockets: opened, of those again, lost, closed by us, and attempts that failed.

    ``reasons`` are those for the lost ones and the attempts, by number. ``stations`` had a socket at some time, and
    ``stations_accepted`` were accepted on one.
    """

    connects: int
    reconnects: int
    disconnects: int
    closed: int
    failed_attempts: int
    boots_accepted: int
    reasons: Mapping[str, int]
    stations: int = 0
    stations_accepted: int = 0


@dataclass(frozen=True, slots=True)
class StationFigures:
    """Stations: ``most`` at a time, made anew after a failure of their own, cut off at the end, sessions begun.

    ``late_s`` is how late this process came to its own work at the worst: latencies contain that.
    """

    most: int
    restarts: int
    ended_by_force: int
    sessions: int
    energy_kwh: float
    cpu_s: float
    peak_rss_mib: float
    late_s: float = 0.0


@dataclass(frozen=True, slots=True)
class FaultFigures:
    """A protocol fault: how often the CSMS took it as the standard says, how often otherwise, and how it took it."""

    kind: str
    as_expected: int
    otherwise: int
    outcomes: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """A whole run.

    Attributes:
        plan: What was asked for, as people read it; never a password.
        stopped_early: Whether it was stopped before its shape was over.
        cut_off: Whether its end was cut short, so that stations had no time to end and deliver.
        background: Figures of the background's calls, None without one.
    """

    title: str
    plan: Mapping[str, str]
    seed: int
    version: str
    started_at: datetime
    elapsed_s: float
    stopped_early: bool
    actions: list[ActionFigures]
    overall: ActionFigures
    points: tuple[Point, ...]
    connections: ConnectionFigures
    stations: StationFigures
    ledger: LedgerFigures
    cut_off: bool = False
    background: ActionFigures | None = None
    ignored: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[FaultFigures, ...] = ()
    verdicts: tuple[Verdict, ...] = ()

    @property
    def calls_per_s(self) -> float:
        """Calls a second over the whole run."""
        return self.overall.calls / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def failed(self) -> bool:
        """Whether a threshold was crossed."""
        return any(verdict.failed for verdict in self.verdicts)

    def measured(self) -> Measured:
        """What thresholds are judged over."""
        return Measured(
            actions={figures.action: figures for figures in self.actions},
            overall=self.overall,
            run={
                "calls_per_s": self.calls_per_s,
                "connects": self.connections.connects,
                "reconnects": self.connections.reconnects,
                "disconnects": self.connections.disconnects,
                "ledger": len(self.ledger.problems) + self.ledger.more_problems,
            },
        )

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON takes it."""
        return {
            **asdict(self),
            "started_at": self.started_at.isoformat(),
            "calls_per_s": self.calls_per_s,
            "failed": self.failed,
            "ledger": {**asdict(self.ledger), "clean": self.ledger.clean},
        }
