"""Watches one charge point: probes its engine, and keeps Central told of what is held of it.

Probing and telling are two tasks, so that a slow or absent Central never delays a probe. What is told is always the
present state: nothing is queued, and what changed while Central was away is delivered as it stands on its return.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog

from evcharging.apps.ev_cp_m.central import Central, CentralAway, CentralRefusal, NotRegistered
from evcharging.apps.ev_cp_m.judge import HealthJudge, Offer, Probe, Verdict
from evcharging.messages.control import HealthReport, Registration

__all__ = ["ChargePointMonitor", "Prober"]


class Prober(Protocol):
    """Asks an engine once how one charge point does."""

    async def probe(self, cp_id: str) -> Probe:
        """Return the outcome; never raises."""
        ...


class ChargePointMonitor:
    """One charge point's monitor.

    Args:
        registration: how the charge point makes itself known; price and rating it leaves out are the engine's.
        engine: who is probed.
        central: who is told.
        judge: what makes it healthy or not.
        interval_s: from one probe to the next.
        monitor_id: named in each report.
    """

    def __init__(
        self,
        registration: Registration,
        *,
        engine: Prober,
        central: Central,
        judge: HealthJudge,
        interval_s: float,
        monitor_id: str,
    ) -> None:
        self._stated = registration
        self._registration = registration
        self._cp_id = registration.cp_id
        self._engine = engine
        self._central = central
        self._judge = judge
        self._interval_s = interval_s
        self._monitor_id = monitor_id
        self._due = asyncio.Event()
        self._registered: Registration | None = None
        self._trouble: str | None = None
        self._log = structlog.get_logger().bind(who=f"CP_M:{self._cp_id}")

    async def run(self) -> None:
        """Probe and tell until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_probing(), name=f"probe:{self._cp_id}")
            group.create_task(self._keep_telling(), name=f"tell:{self._cp_id}")

    async def _keep_probing(self) -> None:
        loop = asyncio.get_running_loop()
        next_s = loop.time()
        while True:
            before = self._judge.verdict
            probe = await self._engine.probe(self._cp_id)
            if probe.offer is not None:
                self._registration = _completed(self._stated, probe.offer)
            after = self._judge.judge(probe)
            self._log_change(before, after, probe)
            self._due.set()
            next_s = max(next_s + self._interval_s, loop.time())
            await asyncio.sleep(next_s - loop.time())

    async def _keep_telling(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            try:
                await self._tell()
            except NotRegistered:
                self._log.info("Central does not know this charge point; registering again")
                self._registered = None
            except CentralAway as away:
                self._registered = None
                self._log_trouble(away)
            except CentralRefusal as refusal:
                self._log_trouble(refusal)

    async def _tell(self) -> None:
        if self._registered != self._registration:
            registration = self._registration
            new = await self._central.register(registration)
            self._registered = registration
            known = {True: " (new to it)", False: " (known to it)", None: ""}[new]
            self._log.info(f"registered with Central{known}")
        verdict = self._judge.verdict
        if verdict is not None:
            await self._central.report(self._cp_id, self._report(verdict))
        if self._trouble is not None:
            self._trouble = None
            self._log.info("Central takes reports again")

    def _report(self, verdict: Verdict) -> HealthReport:
        return HealthReport(
            healthy=verdict.healthy,
            detail=verdict.detail,
            latency_ms=verdict.latency_ms,
            monitor_id=self._monitor_id,
        )

    def _log_trouble(self, refusal: CentralRefusal) -> None:
        """Say so when it begins or changes its nature, not at every attempt."""
        nature = type(refusal).__name__
        if nature == self._trouble:
            return
        self._trouble = nature
        if isinstance(refusal, CentralAway):
            self._log.warning(f"Central is away: {refusal}; probing goes on")
        else:
            self._log.error(f"Central refuses: {refusal}; trying again")

    def _log_change(self, before: Verdict | None, after: Verdict | None, probe: Probe) -> None:
        was = None if before is None else before.healthy
        now = None if after is None else after.healthy
        if not probe.healthy and now is not False:
            self._log.warning(f"probe missed ({self._judge.missed} in a row): {probe.detail}")
        elif was is not now and now:
            self._log.info(f"healthy, answered in {probe.latency_ms or 0:.0f} ms")
        elif was is not now or (not now and before != after and probe.detail != (before and before.detail)):
            self._log.error(f"unhealthy: {probe.detail}")


def _completed(stated: Registration, offer: Offer) -> Registration:
    unstated = {
        name: value
        for name, value in (("price_per_kwh", offer.price_per_kwh), ("rating_kw", offer.rating_kw))
        if getattr(stated, name) is None
    }
    return stated.model_copy(update=unstated)
