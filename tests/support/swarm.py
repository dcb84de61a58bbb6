"""Swarm workers over a log in memory, with real stations against the `ocpp` package's central system."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from evcharging.apps.swarm.lease import Lease
from evcharging.apps.swarm.settings import SwarmSettings
from evcharging.apps.swarm.worker import SwarmWorker
from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import MemoryLog
from evcharging.bus.protocol import Bus
from evcharging.bus.replay import replay
from evcharging.domain.behaviour import BehaviourProfile, Range
from evcharging.messages.envelope import Event
from evcharging.messages.network import SiteSignal, StationVersion, SwarmDesired, SwarmLog, SwarmStatus
from evcharging.messages.topics import SITE_SIGNALS, SWARM_DESIRED, SWARM_LOG, SWARM_STATUS
from evcharging.ocpp.station.station import Station
from evcharging.ocpp.websocket_client import dial

__all__ = ["PROFILES", "Csms", "SwarmRig", "registers_of", "swarm_rig"]

PATIENCE_S = 30.0

PROFILES = {
    "eager": BehaviourProfile(
        name="eager",
        pause_s=Range(0.0, 0.05),
        stay_s=Range(600.0, 600.0),
        meter_interval_s=1.0,
        energy_step_wh=Range(3.0, 6.0),
        id_tags=("ABC123",),
    ),
    "no-transactions": BehaviourProfile(name="no-transactions", sessions=False),
}


class Csms:
    """What a central system remembers of transactions: each beginning once, whatever is repeated."""

    def __init__(self) -> None:
        self.ids: dict[tuple[Any, ...], int] = {}
        self.stops: dict[int, dict[str, Any]] = {}
        self.repeated_stops = 0

    @property
    def open(self) -> set[int]:
        return set(self.ids.values()) - self.stops.keys()

    def answers(self, station_id: str) -> dict[str, Any]:
        """For `tests.support.ocpp_package.central_system`."""
        return {"StartTransaction": partial(self._start, station_id), "StopTransaction": self._stop}

    def _start(self, station_id: str, /, **request: Any) -> dict[str, Any]:
        # Two stations may begin alike in the same millisecond: only the same station repeats itself.
        said = (request[name] for name in ("connector_id", "id_tag", "timestamp", "meter_start"))
        content = (station_id, *map(str, said))
        number = self.ids.setdefault(content, len(self.ids) + 1)
        return {"transaction_id": number, "id_tag_info": {"status": "Accepted"}}

    def _stop(self, **request: Any) -> dict[str, Any]:
        number = request["transaction_id"]
        if number in self.stops:
            self.repeated_stops += 1
        self.stops.setdefault(number, request)
        return {"id_tag_info": {"status": "Accepted"}}


def registers_of(meter_values: Mapping[str, Any]) -> list[int]:
    """The registers in Wh that a MeterValues request tells, as the `ocpp` package gives it."""
    register = "Energy.Active.Import.Register"
    samples = [sample for value in meter_values["meter_value"] for sample in value["sampled_value"]]
    return [int(float(sample["value"])) for sample in samples if sample.get("measurand", register) == register]


class SwarmRig:
    """Workers that share a log, and what they say on it."""

    def __init__(self, csms_url: str, log: MemoryLog | None = None) -> None:
        self.csms_url = csms_url
        self.log = log or MemoryLog()
        self.bus: Bus = MemoryBus(self.log)
        self.workers: dict[str, SwarmWorker] = {}
        self.stops: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.buses: dict[str, MemoryBus] = {}

    async def start(self, name: str, *, lease: Lease | None = None, **settings: Any) -> SwarmWorker:
        bus = self.buses[name] = MemoryBus(self.log)
        worker = self.workers[name] = SwarmWorker(
            SwarmSettings(
                worker_id=name,
                csms_url=self.csms_url,
                **{"status_interval_s": 0.5, "drain_s": 5.0, **settings},
            ),
            bus=bus,
            make_station=Station,
            dial=dial,
            profiles=PROFILES,
            most_stations=1000,
            lease=lease,
        )
        self.stops[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(worker.run(self.stops[name]))
        await self.until(lambda: all(lacks is None for lacks in worker.checks().values()))
        return worker

    async def stop(self, name: str) -> None:
        self.stops[name].set()
        await self.tasks.pop(name)

    async def kill(self, name: str) -> None:
        """As a crash of the process: nothing more is said, on no socket and on no topic."""
        self.buses[name].reachable = False
        self.tasks[name].cancel()
        await asyncio.gather(self.tasks.pop(name), return_exceptions=True)

    async def desire(
        self,
        *station_ids: str,
        running: bool = True,
        profile: str = "no-transactions",
        ocpp_version: StationVersion | None = None,
    ) -> None:
        for station_id in station_ids:
            message = SwarmDesired(
                ts=datetime.now(UTC),
                station_id=station_id,
                running=running,
                profile=profile,
                csms_url=self.csms_url,
                ocpp_version=ocpp_version,
            )
            event_id = f"d-{station_id}-{running}-{profile}-{ocpp_version}"
            await self.bus.publish(Event(SWARM_DESIRED, message, id=event_id, source="t"))

    async def remove(self, station_id: str) -> None:
        await self.bus.publish_raw(SWARM_DESIRED.name, station_id.encode(), None, ())

    async def signal(self, price: float) -> None:
        message = SiteSignal(ts=datetime.now(UTC), site_id="site-1", price_per_kwh=price, currency="INR")
        await self.bus.publish(Event(SITE_SIGNALS, message, id=f"s-{price}", source="t"))

    async def statuses(self) -> dict[str, SwarmStatus]:
        """The last of each station."""
        return {one.message.station_id: one.message async for one in replay(self.bus, [SWARM_STATUS])}

    async def every_status(self, station_id: str) -> list[SwarmStatus]:
        return [one.message async for one in replay(self.bus, [SWARM_STATUS]) if one.message.station_id == station_id]

    async def lines(self, station_id: str) -> list[str]:
        found: list[SwarmLog] = [one.message async for one in replay(self.bus, [SWARM_LOG])]
        return [line.line for line in found if line.station_id == station_id]

    async def until_status(self, station_id: str, matches: Callable[[SwarmStatus], bool]) -> SwarmStatus:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                status = (await self.statuses()).get(station_id)
                if status is not None and matches(status):
                    return status
                await asyncio.sleep(0.02)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def swarm_rig(csms_url: str) -> AsyncIterator[SwarmRig]:
    """Leaves nothing running."""
    rig = SwarmRig(csms_url)
    try:
        yield rig
    finally:
        for task in rig.tasks.values():
            task.cancel()
        await asyncio.gather(*rig.tasks.values(), return_exceptions=True)
        await rig.bus.stop()
