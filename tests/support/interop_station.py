"""A station of ours on the `ocpp` package's central system, in a fraction of the time it takes by the clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from evcharging.domain.vehicle import DEMO_VEHICLE
from evcharging.ocpp.station.clock import LoopClock
from evcharging.ocpp.station.environment import SharedEnvironment
from evcharging.ocpp.station.interfaces import Backoff, StationSettings
from evcharging.ocpp.station.station import Station
from evcharging.ocpp.versions import OcppVersion
from evcharging.ocpp.websocket_client import dial
from tests.support.ocpp_package import PATIENCE_S, Answers, CentralSystem, Peer, central_system
from tests.support.station_world import Ear

STATION_ID = "PY-SIM-0001"
QUICK = {
    "1.6": {"MeterValueSampleInterval": "1", "HeartbeatInterval": "300", "ConnectionTimeOut": "20"},
    "2.0.1": {"SampledDataCtrlr.TxUpdatedInterval": "1", "TxCtrlr.EVConnectionTimeOut": "20"},
}
TIME_SCALE = 20.0
"""Simulated seconds a second: a meter value each 50 ms."""


class Pair:
    """A station of ours and the package's side of its socket."""

    def __init__(self, station: Station, system: CentralSystem, peer: Peer) -> None:
        self.station = station
        self.system = system
        self.peer = peer

    async def statuses(self, *wanted: str) -> None:
        """Wait until connector 1 has told these statuses, in this order."""
        word = "status" if self.station.settings.version is OcppVersion.V16 else "connector_status"
        async with asyncio.timeout(PATIENCE_S):
            while True:
                told = iter(r[word] for r in self.peer.of("StatusNotification") if r["connector_id"] == 1)
                if all(status in told for status in wanted):
                    return
                await asyncio.sleep(0.01)

    async def begin(self, id_tag: str = "ABC123") -> dict[str, Any]:
        """A driver plugs in and holds a card to the reader; the StartTransaction of 1.6."""
        self.station.plug_in(1, DEMO_VEHICLE)
        assert await self.station.present(id_tag, 1)
        await self.statuses("Preparing", "Charging")
        return (await self.all_of("StartTransaction", 1))[-1]

    async def all_of(self, action: str, count: int) -> list[dict[str, Any]]:
        """Wait for that many requests of ``action``."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.peer.of(action)) < count:
                await asyncio.sleep(0.01)
        return self.peer.of(action)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until ``condition`` holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running(
    answers: Answers | None = None, *, version: str = "1.6", configuration: dict[str, str] | None = None, **more: Any
) -> AsyncIterator[Pair]:
    """A station that has booted there; at the end nothing it sent may have been wrong."""
    async with central_system(version=version, answers=answers) as system:
        settings = StationSettings(
            station_id=STATION_ID,
            csms_url=system.url,
            version=OcppVersion(version),
            configuration={**QUICK[version], **(configuration or {})},
            backoff=Backoff(first_s=0.5, longest_s=2.0),
            reboot_s=1.0,
            maintenance_step_s=0.5,
            **more,
        )
        station = Station(
            settings,
            clock=LoopClock(scale=TIME_SCALE),
            environment=SharedEnvironment(),
            listener=Ear(),
            dial=dial,
        )
        life = asyncio.create_task(station.run())
        try:
            pair = Pair(station, system, await system.connected(STATION_ID))
            await pair.peer.next("BootNotification")
            yield pair
            assert pair.peer.errors == []
        finally:
            await station.stop()
            await asyncio.wait_for(life, PATIENCE_S)
