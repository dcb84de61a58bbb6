"""Lets drivers come to the stations of a run: agents of the domain, played at a pace, one site after another.

A site is ten stations. Who comes when depends on the seed and the site alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from evcharging.apps.load_run.group import Group
from evcharging.domain.charger_state import ChargerError
from evcharging.domain.driver_agents import MIXTURES, DriverEvent, Step, site_events
from evcharging.ocpp.errors import OcppError

__all__ = ["STATIONS_A_SITE", "DriverCounts", "Drivers"]

STATIONS_A_SITE = 10


@dataclass(slots=True)
class DriverCounts:
    """What drivers did: plugged in, queued, gave up waiting, were refused by the station or the CSMS."""

    plugged_in: int = 0
    queued: int = 0
    gave_up: int = 0
    refused: int = 0


class Drivers:
    """All drivers of a run.

    Args:
        group: The stations they come to.
        stations, connectors: How many there will be, and connectors a station.
        mixture: A name of `MIXTURES`.
        per_connector: Drivers a day for each connector.
        start_hour: Hour of the day at which it begins.
        scale: Simulated seconds in a real one.
        id_tags: What they present, by number.
        seed: Of the run.
    """

    def __init__(
        self,
        group: Group,
        *,
        stations: int,
        connectors: int,
        mixture: str,
        per_connector: float,
        start_hour: float,
        scale: float,
        id_tags: tuple[str, ...],
        seed: int,
    ) -> None:
        self.counts = DriverCounts()
        self._group = group
        self._connectors = connectors
        self._start_s = start_hour * 3600.0
        self._scale = scale
        self._id_tags = id_tags
        self._sites = [
            site_events(
                MIXTURES[mixture],
                start_s=self._start_s,
                charge_points=here * connectors,
                drivers=max(1, round(here * connectors * per_connector)),
                generator_of=_generators(seed, first // STATIONS_A_SITE),
            )
            for first in range(0, stations, STATIONS_A_SITE)
            for here in (min(STATIONS_A_SITE, stations - first),)
        ]

    async def run(self, hour_changed: Callable[[int], None]) -> None:
        """Let them come until cancelled; ``hour_changed`` is told the hour of their day."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        hour = -1
        async with asyncio.TaskGroup() as acting:
            for site, event in self._in_order():
                due_s = began_s + (event.at_s - self._start_s) / self._scale
                if due_s > loop.time():
                    await asyncio.sleep(due_s - loop.time())
                if hour != (hour := int(event.at_s // 3600) % 24):
                    hour_changed(hour)
                acting.create_task(self._act(site, event))

    def _in_order(self) -> Iterator[tuple[int, DriverEvent]]:
        sites = (_of_site(site, events) for site, events in enumerate(self._sites))
        return heapq.merge(*sites, key=lambda found: found[1].at_s)

    async def _act(self, site: int, event: DriverEvent) -> None:
        if event.charge_point is None:
            self.counts.queued += event.step is Step.QUEUE
            self.counts.gave_up += event.step is Step.GIVE_UP
            return
        rank, connector = divmod(event.charge_point, self._connectors)
        station = self._group.station(site * STATIONS_A_SITE + rank)
        if station is None or not station.running:
            return
        with contextlib.suppress(OcppError):
            if event.step is Step.PLUG_OUT:
                station.unplug(connector + 1)
                return
            try:
                station.plug_in(connector + 1, event.visit.vehicle)
            except ChargerError:
                self.counts.refused += 1
                return
            self.counts.plugged_in += 1
            id_tag = self._id_tags[event.visit.driver % len(self._id_tags)]
            if not await station.present(id_tag, connector + 1):
                self.counts.refused += 1


def _of_site(site: int, events: Iterator[DriverEvent]) -> Iterator[tuple[int, DriverEvent]]:
    for event in events:
        yield site, event


def _generators(seed: int, site: int) -> Callable[[str], Random]:
    return lambda name: Random(f"{seed}/site {site}/{name}")
