"""Runs a load run: stations by its shape, sockets cut when it says so, a point a second, and a good end.

It writes no report and judges nothing beyond the thresholds; see main.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from evcharging.apps.load_run.drivers import Drivers
from evcharging.apps.load_run.fleet import Fleet, FleetPlan
from evcharging.apps.load_run.group import Group
from evcharging.apps.load_run.ledger import Ledger
from evcharging.apps.load_run.outcome import ConnectionFigures, FaultFigures, RunOutcome, StationFigures
from evcharging.apps.load_run.shape import Shape
from evcharging.apps.load_run.thresholds import Threshold
from evcharging.ocpp.station.clock import LoopClock
from evcharging.ocpp.station.environment import SharedEnvironment
from evcharging.ocpp.station.faults import Judgement
from evcharging.ocpp.station.interfaces import Dial, StationClock

__all__ = ["LoadRun", "RunPlan"]

POINT_S: Final = 1.0
_TURN_S: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """What a run is.

    Attributes:
        title: What it is called in its report.
        told: What was asked for, as people read it.
        measured: The stations whose calls count.
        background, background_count: Those beside them, from the first to the last second.
        drivers: Makes the drivers of the group measured; None where stations live by their profile.
        settle_s: Time at the end for stations that are offline to come back.
        stop_within_s: Time for all stations to end in good order.
    """

    title: str
    told: Mapping[str, str]
    shape: Shape
    measured: FleetPlan
    thresholds: tuple[Threshold, ...] = ()
    heartbeat_interval_s: float | None = None
    background: FleetPlan | None = None
    background_count: int = 0
    drivers: Callable[[Group], Drivers] | None = None
    settle_s: float = 30.0
    stop_within_s: float = 40.0


class LoadRun:
    """One run. `run` it once; the groups may be looked at meanwhile."""

    def __init__(
        self,
        plan: RunPlan,
        *,
        dial: Dial,
        environment: SharedEnvironment,
        clock: StationClock | None = None,
    ) -> None:
        self.plan = plan
        self.ledger = Ledger()
        self.started_at = datetime.now(UTC)
        self.phase = "running"
        self.wanted = 0
        self._clock = clock or LoopClock()
        self._environment = environment
        self._dial = dial
        self._judged: dict[str, Counter[str]] = defaultdict(Counter)
        self._as_expected: Counter[str] = Counter()
        self.measured = self._group(plan.measured)
        self.background = None if plan.background is None else self._group(plan.background)
        self._began_s = time.monotonic()
        self._cpu_s = _cpu_s()
        self._late_s = 0.0

    @property
    def elapsed_s(self) -> float:
        """How long it has run."""
        return time.monotonic() - self._began_s

    async def run(self, stop: asyncio.Event, hurry: asyncio.Event | None = None) -> RunOutcome:
        """Run to the end of the shape, or until ``stop`` is set, and tell what came out.

        Once ``hurry`` is set, no station is waited for any more: those that have not ended are cut off.
        """
        self._began_s = time.monotonic()
        async with self._hosts(), asyncio.TaskGroup() as beside:
            if self.background is not None:
                self.background.bring_to(self.plan.background_count, stop_within_s=self.plan.stop_within_s)
            drivers = None
            if self.plan.drivers is not None:
                at_work = self.plan.drivers(self.measured)
                drivers = beside.create_task(at_work.run(lambda hour: self._environment.change(hour=hour)))
            await self._follow_shape(stop)
            if drivers is not None:
                drivers.cancel()
            stopped_early = self.elapsed_s < self.plan.shape.duration_s
            cut_off = await self._end(hurry or asyncio.Event())
        return self._outcome(stopped_early=stopped_early, cut_off=cut_off)

    def so_far(self) -> RunOutcome:
        """What came out until now; transactions that still run are no problem of its ledger."""
        return self._outcome(stopped_early=False, final=False)

    async def _follow_shape(self, stop: asyncio.Event) -> None:
        shape = self.plan.shape
        cuts = list(shape.cuts())
        point_s = POINT_S
        while not stop.is_set() and (elapsed_s := self.elapsed_s) < shape.duration_s:
            self._bring_to(shape.stations_at(elapsed_s))
            while cuts and cuts[0][0] <= elapsed_s:
                self.measured.cut(cuts.pop(0)[1])
            if elapsed_s >= point_s:
                self.measured.latencies.look_at_next()
                self._point()
                point_s = elapsed_s + POINT_S
            turn_s = self.elapsed_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TURN_S):
                    await stop.wait()
            self._late_s = max(self._late_s, self.elapsed_s - turn_s - _TURN_S)

    def _bring_to(self, wanted: int) -> None:
        if wanted != self.wanted:
            self.wanted = wanted
            self.measured.bring_to(wanted, stop_within_s=self.plan.stop_within_s)

    async def _end(self, hurry: asyncio.Event) -> bool:
        """Offline stations may come back, then all end at the same time; points go on until the last one has.

        Returns:
            Whether ``hurry`` was set before all had ended.
        """
        self.phase = "ending"
        groups = [group for group in (self.measured, self.background) if group is not None]
        self._point()
        async with asyncio.TaskGroup() as tasks:
            pointing = tasks.create_task(self._point_on())
            hurrying = tasks.create_task(_cut_off(groups, hurry))
            for group in groups:
                await group.settled(self.plan.settle_s)
            self.wanted = 0
            async with asyncio.TaskGroup() as ending:
                for group in groups:
                    ending.create_task(group.stop_all(self.plan.stop_within_s))
            cut_off = hurry.is_set()
            hurrying.cancel()
            pointing.cancel()
        self._point()
        self.phase = "over"
        return cut_off

    async def _point_on(self) -> None:
        while True:
            point_s = self.elapsed_s
            await asyncio.sleep(POINT_S)
            self._late_s = max(self._late_s, self.elapsed_s - point_s - POINT_S)
            self._point()

    def _point(self) -> None:
        group = self.measured
        group.timeline.close(
            self.elapsed_s,
            wanted=self.wanted,
            connected=group.connections.now,
            sessions=group.listener.running_sessions,
            power_kw=group.power_kw(),
        )

    @contextlib.asynccontextmanager
    async def _hosts(self) -> AsyncIterator[None]:
        groups = [group for group in (self.measured, self.background) if group is not None]
        async with asyncio.TaskGroup() as hosts:
            tasks = [hosts.create_task(group.host.run()) for group in groups]
            yield
            for task in tasks:
                task.cancel()

    def _group(self, plan: FleetPlan) -> Group:
        fleet = Fleet(plan, clock=self._clock, ledger=self.ledger, on_judgement=self._judge)
        return Group(
            fleet,
            ledger=self.ledger,
            clock=self._clock,
            environment=self._environment,
            dial=self._dial,
            heartbeat_interval_s=self.plan.heartbeat_interval_s,
            seed=plan.seed,
        )

    def _judge(self, judgement: Judgement) -> None:
        self._judged[judgement.kind.value][judgement.outcome] += 1
        self._as_expected[judgement.kind.value] += judgement.as_expected

    def _outcome(self, *, stopped_early: bool, cut_off: bool = False, final: bool = True) -> RunOutcome:
        group, background = self.measured, self.background
        sockets = group.connections
        outcome = RunOutcome(
            title=self.plan.title,
            plan=self.plan.told,
            seed=self.plan.measured.seed,
            version=self.plan.measured.version.value,
            started_at=self.started_at,
            elapsed_s=self.elapsed_s,
            stopped_early=stopped_early,
            cut_off=cut_off,
            actions=group.latencies.figures() if final else group.latencies.lately(),
            overall=group.latencies.overall() if final else group.latencies.overall_lately(),
            points=group.timeline.points,
            connections=ConnectionFigures(
                connects=sockets.connects,
                reconnects=sockets.reconnects,
                disconnects=sockets.disconnects,
                closed=sockets.closed,
                failed_attempts=sockets.refused,
                boots_accepted=sockets.boots_accepted,
                reasons=dict(sockets.reasons.most_common()),
                stations=sockets.ever,
                stations_accepted=sockets.ever_accepted,
            ),
            stations=StationFigures(
                most=group.most,
                restarts=group.host.counts().restarts,
                ended_by_force=group.ended_by_force,
                sessions=group.listener.sessions,
                energy_kwh=group.energy_kwh(),
                cpu_s=_cpu_s() - self._cpu_s,
                peak_rss_mib=_peak_rss_mib(),
                late_s=self._late_s,
            ),
            ledger=self.ledger.figures(final=final),
            background=None if background is None or not final else background.overall("background"),
            ignored=dict(group.listener.ignored.most_common()),
            faults=tuple(self._fault(kind, outcomes) for kind, outcomes in sorted(self._judged.items())),
        )
        measured = outcome.measured()
        return replace(outcome, verdicts=tuple(threshold.judge(measured) for threshold in self.plan.thresholds))

    def _fault(self, kind: str, outcomes: Counter[str]) -> FaultFigures:
        expected = self._as_expected[kind]
        return FaultFigures(kind, expected, outcomes.total() - expected, dict(outcomes.most_common()))


async def _cut_off(groups: list[Group], hurry: asyncio.Event) -> None:
    await hurry.wait()
    for group in groups:
        group.cut_off()


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak_rss_mib() -> float:
    """Linux tells it in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / 1024
