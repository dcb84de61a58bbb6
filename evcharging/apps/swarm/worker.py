"""One swarm worker: puts its parts together, keeps its lease, and ends in good order.

Everything else is a part's own: whose a station is (`ownership`), what runs (`fleet`), what is said of it (`book`),
what goes over its socket (`gate`), what others said (`memory`), what the site says (`surroundings`).
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog

from evcharging.apps.runtime.sender import Sender
from evcharging.apps.runtime.service import until_stopped
from evcharging.apps.swarm import metrics
from evcharging.apps.swarm.book import StatusBook
from evcharging.apps.swarm.fleet import Fleet
from evcharging.apps.swarm.gate import Gate
from evcharging.apps.swarm.lease import TICK_S, Lease
from evcharging.apps.swarm.listener import SwarmListener
from evcharging.apps.swarm.memory import SwarmMemory
from evcharging.apps.swarm.ownership import Ownership
from evcharging.apps.swarm.settings import SwarmSettings
from evcharging.apps.swarm.surroundings import Surroundings
from evcharging.bus.consumer import Consumer
from evcharging.bus.protocol import Bus, Position
from evcharging.domain.behaviour import BehaviourProfile
from evcharging.messages.network import SwarmState
from evcharging.messages.topics import SWARM_DESIRED
from evcharging.ocpp.station.clock import LoopClock
from evcharging.ocpp.station.dialing import BoundedDial
from evcharging.ocpp.station.host import HostedStation, StationHost
from evcharging.ocpp.station.interfaces import Dial, Environment, StationClock, StationListener, StationSettings

__all__ = ["GROUP", "StationMaker", "SwarmWorker"]

log = structlog.get_logger()

GROUP: Final = "swarm"
SETTLED_FOR_S: Final = 3.0
"""Longer than the time between two heartbeats: a member that was put out hears of it within that."""
OUT_OF_REACH_S: Final = 6.0
"""Without Kafka for the session timeout, the partitions may be another's."""
FIGURES_EVERY_S: Final = 1.0
FLUSH_WITHIN_S: Final = 5.0


class StationMaker(Protocol):
    """Makes a station: `evcharging.ocpp.station.station.Station` itself."""

    def __call__(
        self,
        settings: StationSettings,
        *,
        clock: StationClock,
        environment: Environment,
        listener: StationListener,
        dial: Dial,
    ) -> HostedStation:
        """Make it; it begins with its `run`."""
        ...


class SwarmWorker:
    """A worker. Make it, serve its probes, and `run` it once.

    Args:
        settings: see `SwarmSettings`.
        bus: not started yet; it is stopped when `run` ends.
        make_station: makes a station.
        dial: opens a websocket.
        profiles: the behaviours there are.
        most_stations: that run here at the same time.
        ssl_context: for CSMS behind TLS.
        lease: says whether this process may act for its stations.
    """

    def __init__(
        self,
        settings: SwarmSettings,
        *,
        bus: Bus,
        make_station: StationMaker,
        dial: Dial,
        profiles: Mapping[str, BehaviourProfile],
        most_stations: int,
        ssl_context: ssl.SSLContext | None = None,
        lease: Lease | None = None,
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._clock = LoopClock()
        self._lease = lease or Lease()
        self._reached_at = time.monotonic()
        self._confirming: tuple[frozenset[tuple[str, int]], float] | None = None
        name, source = settings.name, f"swarm/{settings.name}"
        holder = f"{name}/{secrets.token_hex(6)}"
        self._sender = Sender(bus)
        self._book = StatusBook(
            bus,
            worker=name,
            holder=holder,
            now=_now,
            may_speak=lambda: self._lease.held,
            sample_every_s=settings.status_interval_s,
        )
        self._memory = SwarmMemory(bus, holder=holder, on_foreign=self._claimed)
        self._surroundings = Surroundings(
            bus, site_id=settings.site_id, now=_local_now, power_kw=lambda: self._book.figures()[1]
        )
        self._gate = Gate(
            BoundedDial(dial, at_once=settings.dials_at_once),
            lease=self._lease,
            may_dial=self._kafka_in_reach,
            book=self._book,
        )
        listener = SwarmListener(
            self._book,
            self._sender,
            source=source,
            now=_now,
            monotonic=time.monotonic,
            lines_per_s=settings.log_lines_per_s,
            on_registered=self._registered,
        )
        self._host = StationHost(
            lambda station: make_station(
                station,
                clock=self._clock,
                environment=self._surroundings.environment,
                listener=listener,
                dial=self._gate.dial_for(station.station_id),
            ),
            clock=self._clock,
            starts_per_s=settings.starts_per_s,
            on_broken=lambda _station_id, _error: metrics.RESTARTS.inc(),
        )
        self._fleet = Fleet(
            settings,
            host=self._host,
            book=self._book,
            gate=self._gate,
            memory=self._memory,
            profiles=profiles,
            ssl_context=ssl_context,
            now=_now,
        )
        self._ownership = Ownership(
            self._fleet,
            self._memory,
            may_begin=self._may_begin,
            now_s=time.time,
            most=most_stations,
        )
        self._consumer = Consumer(
            bus,
            {SWARM_DESIRED: Position.BEGINNING},
            group=GROUP,
            sticky=True,
            handler=self._ownership.take,
            on_tombstone=self._ownership.forget,
            on_assignment=self._ownership.assigned,
        )

    def checks(self) -> dict[str, str | None]:
        """What readiness depends on, each with what it lacks."""
        health = self._bus.health()
        return {
            "kafka": None if health.connected else health.detail or "not connected",
            "stations": self._reading(),
            "lease": None if self._lease.held else "it stood still, and looks whether the stations are still its own",
        }

    @property
    def host(self) -> StationHost:
        """What runs the stations."""
        return self._host

    async def run(self, stop: asyncio.Event) -> None:
        """Live until ``stop`` is set, then end or hand over every station. A cancellation says nothing, as a kill."""
        try:
            await until_stopped(stop, self._bus.start())
            if not stop.is_set():
                await self._work(stop)
        finally:
            await self._bus.stop()

    async def _work(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(work, name=f"swarm {name}")
                for name, work in (
                    ("memory", self._memory.run()),
                    ("site", self._surroundings.run()),
                    ("sender", self._sender.run()),
                    ("book", self._book.run()),
                    ("host", self._host.run()),
                    ("lease", self._keep_lease(group)),
                    ("figures", self._show_figures()),
                )
            ]
            await until_stopped(stop, self._past_known())
            if not stop.is_set():
                async with self._consumer:
                    reading = group.create_task(self._consumer.run(), name="swarm desired")
                    acting = group.create_task(self._ownership.run(may_act=self._desired_read), name="swarm ownership")
                    log.info("the swarm is followed", worker=self._settings.name, csms=self._settings.csms_url)
                    await stop.wait()
                    for task in (acting, reading):
                        task.cancel()
                    await asyncio.wait({acting, reading})
                    await self._leave()
            for task in tasks:
                task.cancel()

    async def _past_known(self) -> None:
        await self._memory.wait_caught_up()
        await self._surroundings.wait_known()

    async def _leave(self) -> None:
        """While this worker is still a member of the group, so that nobody begins what has not ended."""
        self._gate.leaving = True
        began, count = time.monotonic(), len(self._fleet)
        if self._settings.hand_over:
            await self._fleet.hand_over(tuple(self._host))
        else:
            await self._fleet.stop_all(self._settings.drain_s)
        await self._sender.drain(FLUSH_WITHIN_S)
        how = "handed over" if self._settings.hand_over else "ended"
        log.info("stations are let go of", how=how, count=count, seconds=round(time.monotonic() - began, 2))

    async def _keep_lease(self, group: asyncio.TaskGroup) -> None:
        dropping: asyncio.Task[None] | None = None
        while True:
            await asyncio.sleep(TICK_S)
            if self._bus.health().connected:
                self._reached_at = time.monotonic()
            if gap_s := self._lease.renew():
                log.warning("this process stood still; its sockets are cut", seconds=round(gap_s, 1))
                self._confirming = None
                if dropping is None or dropping.done():
                    dropping = group.create_task(self._fleet.drop_all(), name="swarm drop")
            if not self._lease.held and (dropping is None or dropping.done()) and self._still_mine():
                log.info("the stations that are left are still this worker's", count=len(self._fleet))
                self._lease.grant()
            metrics.LEASE_HELD.set(self._lease.held)

    def _still_mine(self) -> bool:
        """Whether the partitions have been the same for long enough, and what others said meanwhile is known."""
        if not len(self._fleet):
            return True
        partitions, now = self._consumer.partitions(), time.monotonic()
        if not partitions or not self._bus.health().connected:
            self._confirming = None
            return False
        if self._confirming is None or self._confirming[0] != partitions:
            self._confirming = (partitions, now)
        return now - self._confirming[1] >= SETTLED_FOR_S and self._memory.up_to_date()

    async def _show_figures(self) -> None:
        while True:
            states, power_kw = self._book.figures()
            for state in SwarmState:
                metrics.STATIONS.labels(state.value).set(states[state.value])
            metrics.POWER_KW.set(power_kw)
            metrics.LEFT_WAITING.set(self._ownership.left_waiting)
            await asyncio.sleep(FIGURES_EVERY_S)

    def _claimed(self, station_id: str, term: int, _holder: str) -> None:
        self._ownership.claimed(station_id, term)

    def _registered(self, station_id: str, status: str) -> None:
        self._ownership.registered(station_id, status)

    def _kafka_in_reach(self) -> bool:
        return time.monotonic() - self._reached_at < OUT_OF_REACH_S

    def _may_begin(self) -> bool:
        return self._lease.held and self._memory.up_to_date()

    def _desired_read(self) -> bool:
        return self._consumer.health().lag == 0

    def _reading(self) -> str | None:
        if not self._consumer.caught_up():
            return "what is desired has not been read yet"
        stands = [
            name
            for name, progressing in (
                ("swarm.desired", self._consumer.health().progressing),
                ("swarm.status", self._memory.progressing()),
                ("site.signals", self._surroundings.progressing()),
            )
            if not progressing
        ]
        return f"reading {', '.join(stands)} makes no progress" if stands else None


def _now() -> datetime:
    return datetime.now(UTC)


def _local_now() -> datetime:
    return datetime.now().astimezone()
