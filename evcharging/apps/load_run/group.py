"""One group of stations of a run, those measured or the background: as many as wanted, and how they are doing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random

from evcharging.apps.load_run.fleet import Fleet
from evcharging.apps.load_run.latencies import ActionFigures, Latencies
from evcharging.apps.load_run.ledger import Ledger
from evcharging.apps.load_run.listener import Connections, RunListener
from evcharging.apps.load_run.timeline import Timeline
from evcharging.apps.runtime.service import until_stopped
from evcharging.ocpp.station.host import StationHost
from evcharging.ocpp.station.interfaces import Dial, Environment, StationClock, StationSettings
from evcharging.ocpp.station.station import Station

__all__ = ["Group"]

ENDING_AT_ONCE = 100
ENDS_PER_S = 5.0
"""A CSMS that answers fewer is not waited for."""
PATIENCES = 3.0
"""A station gets so many times the patience for all together: it may have several messages to deliver."""

_WH_PER_KWH = 1000.0


class Group:
    """Stations of one fleet in this process.

    Args:
        fleet: Makes their settings.
        ledger: The run's.
        clock, environment, dial: The stations' surroundings.
        heartbeat_interval_s: Between heartbeats, whatever the CSMS answers to a boot; None as it answers.
        seed: Chooses whose socket is cut.
    """

    def __init__(
        self,
        fleet: Fleet,
        *,
        ledger: Ledger,
        clock: StationClock,
        environment: Environment,
        dial: Dial,
        heartbeat_interval_s: float | None = None,
        seed: int = 0,
    ) -> None:
        self.latencies = Latencies()
        self.timeline = Timeline()
        self.connections = Connections()
        self.listener = RunListener(
            latencies=self.latencies,
            timeline=self.timeline,
            connections=self.connections,
            ledger=ledger,
            on_connected=self._connected,
            on_registered=None if heartbeat_interval_s is None else self._registered,
            is_leaving=self._leaving,
        )
        self.host = StationHost(self._make, clock=clock)
        self.ended_by_force = 0
        self.most = 0
        self._fleet = fleet
        self._ledger = ledger
        self._clock = clock
        self._environment = environment
        self._dial = dial
        self._heartbeat_interval_s = heartbeat_interval_s
        self._generator = Random(f"{seed}/cuts")
        self._stopping: set[asyncio.Task[bool]] = set()
        self._ending: dict[str, Station] = {}
        self._cut_off = asyncio.Event()

    @property
    def size(self) -> int:
        """How many stations there are."""
        return len(self.host)

    def bring_to(self, wanted: int, *, stop_within_s: float) -> None:
        """Have so many stations: the next ranks begin, the last ones stop in good order."""
        for rank in range(self.size, wanted):
            self.host.start(self._fleet.settings(rank))
        for rank in range(wanted, self.size):
            self._stop(self._fleet.station_id(rank), stop_within_s)
        self.most = max(self.most, wanted)

    def cut(self, share: float) -> int:
        """Cut this share of the sockets at once; return how many."""
        open_now = [station for station in self.stations() if self.connections.has(station.settings.station_id)]
        chosen = self._generator.sample(open_now, min(round(share * len(open_now)), len(open_now)))
        for station in chosen:
            station.drop()
        return len(chosen)

    def stations(self) -> list[Station]:
        """Those that have begun."""
        found = (self.host.get(station_id) for station_id in self.host)
        return [station for station in found if isinstance(station, Station)]

    def station(self, rank: int) -> Station | None:
        """The station of a rank, None while it is not there."""
        found = self.host.get(self._fleet.station_id(rank))
        return found if isinstance(found, Station) else None

    def overall(self, name: str) -> ActionFigures:
        """The figures of all its calls together, under a name."""
        return replace(self.latencies.overall(), action=name)

    def to_deliver(self) -> tuple[int, int]:
        """How many stations have transaction messages that wait for their answer, and how many messages."""
        kept = [one.outbox.kept for one in (*self.stations(), *self._ending.values()) if one.outbox.kept]
        return len(kept), sum(kept)

    def power_kw(self) -> float:
        """What flowed through all stations when they were last read."""
        return sum(connector.reading.power_w for one in self.stations() for connector in one.connectors) / 1000.0

    def energy_kwh(self) -> float:
        """What went into vehicles, in sessions that ended and in those that run."""
        running_wh = sum(
            connector.reading.register_wh - connector.transaction.record.meter_start_wh
            for station in self.stations()
            for connector in station.connectors
            if connector.transaction is not None
        )
        return (self.listener.energy_wh + running_wh) / _WH_PER_KWH

    async def settled(self, within_s: float) -> None:
        """Wait until every station has a socket, so that what they keep can be delivered; not longer than that."""
        end_s = self._clock.now_s() + within_s
        while self.connections.connects and self.connections.now < self.size and self._clock.now_s() < end_s:
            if self._cut_off.is_set():
                return
            await self._clock.sleep(0.05)

    def cut_off(self) -> None:
        """Wait for nothing any more: every station that is to stop, or about to, ends as a power loss ends it."""
        self._cut_off.set()

    async def stop_all(self, within_s: float) -> None:
        """Stop every station in good order: transactions end, messages are delivered, sockets close.

        So many end at a time, since thousands of ends at the same moment are a load that no network of chargers makes.
        It goes on as long as the CSMS takes what they say, however slowly: once no station could deliver everything
        for ``within_s``, or after a while for each, those left are cut off. Those without a connection come last, so
        that those which wait for theirs keep nobody waiting.
        """
        end_s = self._clock.now_s() + within_s + self.size / ENDS_PER_S
        room = asyncio.Semaphore(ENDING_AT_ONCE)
        delivered_s = self._clock.now_s()

        async def stop(station_id: str) -> bool:
            nonlocal delivered_s
            async with room:
                left_s = min(delivered_s + within_s, end_s) - self._clock.now_s()
                station = self.host.get(station_id)
                in_order = await self._stopped_one(station_id, within_s * PATIENCES if left_s > 0 else 0.0)
                if in_order and isinstance(station, Station) and not station.outbox.kept:
                    delivered_s = self._clock.now_s()
                return in_order

        for station in self.stations():
            station.stopping = True  # nobody begins a session while others end theirs
        online_first = sorted(self.host, key=self.connections.has, reverse=True)
        outcomes = await asyncio.gather(*(stop(station_id) for station_id in online_first))
        self.ended_by_force += outcomes.count(False)
        if self._stopping:
            await asyncio.gather(*self._stopping)

    def _stop(self, station_id: str, within_s: float) -> None:
        task = asyncio.create_task(self._stopped_one(station_id, within_s))
        self._stopping.add(task)
        task.add_done_callback(self._stopped)

    async def _stopped_one(self, station_id: str, within_s: float) -> bool:
        station = self.host.get(station_id)
        if isinstance(station, Station):
            self._ending[station_id] = station
        stopping = self.host.stop(station_id, within_s=within_s)
        in_order = await until_stopped(self._cut_off, stopping) or False
        if self._ending.pop(station_id, None) is not None and isinstance(station, Station):
            self._note_left(station)
        return in_order

    def _note_left(self, station: Station) -> None:
        station_id, outbox = station.settings.station_id, station.outbox
        if outbox.kept:
            reached = self.connections.let_go(station_id)
            self._ledger.left(station_id, outbox.kept, of=outbox.waiting, reached=reached)

    def _connected(self, station_id: str) -> None:
        """What a station has kept when its socket opens had to wait for it."""
        station = self._ending.get(station_id) or self.host.get(station_id)
        if isinstance(station, Station):
            self._ledger.kept(station.outbox.kept)

    def _leaving(self, station_id: str) -> bool:
        station = self._ending.get(station_id)
        return station is not None and station.link.leaving

    def _stopped(self, task: asyncio.Task[bool]) -> None:
        self._stopping.discard(task)
        if not task.cancelled() and not task.result():
            self.ended_by_force += 1

    def _make(self, settings: StationSettings) -> Station:
        return Station(
            settings, clock=self._clock, environment=self._environment, listener=self.listener, dial=self._dial
        )

    def _registered(self, station_id: str) -> None:
        """Once the station has taken up the CSMS's interval, give it ours."""
        asyncio.get_running_loop().call_soon(self._set_heartbeat, station_id)

    def _set_heartbeat(self, station_id: str) -> None:
        station = self.host.get(station_id)
        if isinstance(station, Station) and self._heartbeat_interval_s is not None:
            station.parameters.heartbeat_interval_s = self._heartbeat_interval_s
            station.registration.reset_heartbeat()
