"""Stations with every feature on, and what they cost: to boot, to keep, a MeterValues call with its answer.

python benchmarks/yardstick/calling_stations.py ws://127.0.0.1:9000/ocpp 1000

CPU is that of this process alone, kernel included. A call by the clock is the slope between two rates of the same
stations, so that what goes on anyway (policy, heartbeats, pings) is not counted; with everything is the quick rate's
CPU over its calls. In the closed loop every station meters again as soon as its last sample was answered.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from functools import partial

import psutil
import uvloop
from swarm_stations import DIALS_AT_ONCE, Ear, profile

from evcharging.apps.runtime.garbage import collected_seldom
from evcharging.ocpp.station.clock import LoopClock
from evcharging.ocpp.station.dialing import BoundedDial, make_room_for
from evcharging.ocpp.station.environment import SharedEnvironment
from evcharging.ocpp.station.host import StationHost
from evcharging.ocpp.station.interfaces import StationSettings
from evcharging.ocpp.station.station import Station
from evcharging.ocpp.websocket_client import dial

SLOW_CALLS_PER_S, QUICK_CALLS_PER_S, CLOSED_STATIONS = 200.0, 1_000.0, 50
MEASURED_S = 5.0
LONGEST_SPREAD_S = 20.0


class Loop(Ear):
    """Lets stations meter again at once while they are told to."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.closed: dict[str, Station] = {}

    def called(self, station_id: str, action: str, seconds: float | None, outcome: str) -> None:
        if outcome != "ok":
            self.failures += 1
        elif action == "MeterValues":
            self.calls += 1
            station = self.closed.get(station_id)
            if station is not None:
                station.metering.trigger(station.connectors[0])


class Stations:
    """The stations of one measurement."""

    def __init__(self, url: str, count: int) -> None:
        make_room_for(count)
        self.ear, clock = Loop(), LoopClock()
        self.made: dict[str, Station] = {}
        make = partial(
            Station,
            clock=clock,
            environment=SharedEnvironment(),
            listener=self.ear,
            dial=BoundedDial(dial, at_once=DIALS_AT_ONCE),
        )
        self.host = StationHost(lambda settings: self.made.setdefault(settings.station_id, make(settings)), clock=clock)
        self.settings = [
            StationSettings(station_id=f"PY-SIM-{number:05d}", csms_url=url, profile=profile(count), seed=number)
            for number in range(1, count + 1)
        ]

    async def boot(self) -> None:
        for settings in self.settings:
            self.host.start(settings)
        while len(self.ear.accepted) < len(self.settings):
            await asyncio.sleep(0.01)

    async def all_charge(self) -> None:
        while self.ear.transactions < len(self.settings):
            await asyncio.sleep(0.1)

    async def meter_every(self, interval_s: float) -> None:
        """Let every station have the interval, one after the other, so that calls are spread over it."""
        began, pause_s = time.perf_counter(), min(interval_s, LONGEST_SPREAD_S) / len(self.made)
        for number, station in enumerate(self.made.values()):
            await asyncio.sleep(began + number * pause_s - time.perf_counter())
            station.parameters.sample_interval_s = interval_s
            station.metering.reset_sampling()

    async def cost(self, seconds: float) -> tuple[float, int]:
        """CPU seconds and calls answered of a while."""
        calls, cpu_s = self.ear.calls, time.process_time()
        await asyncio.sleep(seconds)
        return time.process_time() - cpu_s, self.ear.calls - calls


def rss_kib() -> float:
    gc.collect()
    return float(psutil.Process().memory_info().rss) / 1024


async def main(url: str, count: int) -> None:
    """Boot ``count`` stations, let them charge and call, and print one JSON line of figures."""
    stations = Stations(url, count)
    before_kib, cpu_s, began = rss_kib(), time.process_time(), time.perf_counter()
    running = asyncio.create_task(stations.host.run())
    await stations.boot()
    boot_cpu_s, boot_s = time.process_time() - cpu_s, time.perf_counter() - began
    booted_kib = rss_kib()
    await stations.all_charge()
    await stations.meter_every(count / SLOW_CALLS_PER_S)
    charging_kib = rss_kib()
    slow_cpu_s, slow_calls = await stations.cost(MEASURED_S)
    await stations.meter_every(count / QUICK_CALLS_PER_S)
    quick_cpu_s, quick_calls = await stations.cost(MEASURED_S)
    await stations.meter_every(3600.0)
    stations.ear.closed = dict(list(stations.made.items())[:CLOSED_STATIONS])
    for station in stations.ear.closed.values():
        station.metering.trigger(station.connectors[0])
    closed_cpu_s, closed_calls = await stations.cost(MEASURED_S)
    figures = {
        "boot_s": boot_s,
        "boot_cpu_us_per_station": boot_cpu_s / count * 1e6,
        "booted_kib_per_station": (booted_kib - before_kib) / count,
        "charging_kib_per_station": (charging_kib - before_kib) / count,
        "cpu_us_per_call_by_the_clock": (quick_cpu_s - slow_cpu_s) / (quick_calls - slow_calls) * 1e6,
        "cpu_us_per_call_with_everything": quick_cpu_s / quick_calls * 1e6,
        "cpu_us_per_call_closed_loop": closed_cpu_s / closed_calls * 1e6,
        "calls_per_s_and_core": closed_calls / closed_cpu_s,
        "failures": stations.ear.failures,
    }
    print(json.dumps({key: round(value, 2) for key, value in figures.items()}), flush=True)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


if __name__ == "__main__":
    with collected_seldom():  # as in `evcharging swarm`
        uvloop.run(main(sys.argv[1], int(sys.argv[2])))
