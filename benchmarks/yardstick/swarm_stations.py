"""Our stations with the yardstick's traffic and every feature on, measured from the inside as the yardstick measures.

python benchmarks/yardstick/swarm_stations.py ws://127.0.0.1:9000/ocpp 1000 20
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from functools import partial

import psutil
import uvloop

from evcharging.apps.runtime.garbage import collected_seldom
from evcharging.domain.behaviour import BehaviourProfile, Range
from evcharging.ocpp.station.clock import LoopClock
from evcharging.ocpp.station.dialing import BoundedDial, make_room_for
from evcharging.ocpp.station.environment import SharedEnvironment
from evcharging.ocpp.station.host import StationHost
from evcharging.ocpp.station.interfaces import StationSettings, TransactionRecord
from evcharging.ocpp.station.station import Station
from evcharging.ocpp.websocket_client import dial

METER_S, HEARTBEAT_S, DIALS_AT_ONCE = 10.0, 60.0, 100
BOOTS_PER_S = 500
"""Sessions begin once this pace has let every station boot, so that booting is measured by itself."""


def profile(count: int) -> BehaviourProfile:
    boot_s = count / BOOTS_PER_S
    return BehaviourProfile(
        name="benchmark",
        heartbeat_interval_s=HEARTBEAT_S,
        pause_s=Range(boot_s, boot_s + METER_S),
        meter_interval_s=METER_S,
        stay_s=Range(3600.0, 7200.0),
        energy_step_wh=Range(5.0, 10.0),
        max_energy_kwh=None,
    )


class Ear:
    """Counts boots, and keeps what MeterValues calls took."""

    def __init__(self) -> None:
        self.accepted: set[str] = set()
        self.latencies_s: list[float] = []
        self.failures = 0
        self.transactions = 0

    def called(self, station_id: str, action: str, seconds: float | None, outcome: str) -> None:
        if outcome != "ok" or seconds is None:
            self.failures += 1
        elif action == "MeterValues":
            self.latencies_s.append(seconds)

    def registered(self, station_id: str, status: str, seconds: float) -> None:
        if status == "Accepted":
            self.accepted.add(station_id)

    def transaction_began(self, record: TransactionRecord) -> None:
        self.transactions += 1

    def log(self, station_id: str, line: str) -> None: ...
    def connected(self, station_id: str) -> None: ...
    def disconnected(self, station_id: str, reason: str) -> None: ...
    def transaction_ended(self, record: TransactionRecord) -> None: ...
    def transaction_settled(self, record: TransactionRecord) -> None: ...
    def message_dropped(self, station_id: str, action: str, reason: str) -> None: ...
    def changed(self, station_id: str) -> None: ...


async def main(url: str, count: int, seconds: float) -> None:
    """Boot ``count`` stations, let them charge, and print one JSON line of figures."""
    make_room_for(count)
    ear, clock = Ear(), LoopClock()
    make = partial(
        Station,
        clock=clock,
        environment=SharedEnvironment(),
        listener=ear,
        dial=BoundedDial(dial, at_once=DIALS_AT_ONCE),
    )
    host = StationHost(make, clock=clock)
    behaviour = profile(count)
    began = time.perf_counter()
    for number in range(1, count + 1):
        host.start(StationSettings(station_id=f"PY-SIM-{number:05d}", csms_url=url, profile=behaviour, seed=number))
    running = asyncio.create_task(host.run())
    while len(ear.accepted) < count:
        await asyncio.sleep(0.01)
    boot_s, boot_cpu_s = time.perf_counter() - began, time.process_time()
    boot_rss_mib = psutil.Process().memory_info().rss / 2**20
    while ear.transactions < count:
        await asyncio.sleep(0.1)
    await asyncio.sleep(METER_S)
    ear.latencies_s.clear()
    print("measuring", flush=True)
    cpu = time.process_time()
    await asyncio.sleep(seconds)
    cpu = time.process_time() - cpu
    ordered = sorted(ear.latencies_s)
    figures = {
        "boot_s": boot_s,
        "boot_cpu_s": boot_cpu_s,
        "boot_rss_mib": boot_rss_mib,
        "rss_mib": psutil.Process().memory_info().rss / 2**20,
        "calls": len(ordered),
        "failures": ear.failures,
        "core_share": cpu / seconds,
        "cpu_us_per_call": cpu / len(ordered) * 1e6,
        "p50_ms": ordered[len(ordered) // 2] * 1e3,
        "p99_ms": ordered[len(ordered) * 99 // 100] * 1e3,
    }
    print(json.dumps({key: round(value, 3) for key, value in figures.items()}), flush=True)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


if __name__ == "__main__":
    with collected_seldom():  # as in `evcharging swarm`
        uvloop.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
