"""A swarm worker killed while its stations charge: Apache Kafka, Central, gateway and workers, a process each.

The stations are asked for over HTTP and left to charge, then one worker gets SIGKILL. Measured are the time until each
of its stations is on a socket of another worker's, what became of the transactions that were open, CPU, memory and
lags before and after, and at the end, when all are stopped, whether every transaction ended once, with the same energy
at gateway and Central. One JSON line a figure. Apache Kafka runs from its jars (`make kafka` fetches them) unless one
is given.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
from network_swarm import Network, Watch, boot, stop, until, words_of

from evcharging.apps.broker.apache import ApacheKafka
from evcharging.apps.broker.jars import KafkaJarsMissing, kafka_jars
from evcharging.bus.create import create_bus
from evcharging.bus.protocol import Position
from evcharging.messages.topics import SWARM_STATUS

STATIONS = 1_500
WORKERS = 3
CHARGING_SHARE = 0.9
SILENT = ("offline", "stopped")
SETTLED_AFTER_S = 10


class Stations:
    """The last status of every station, and when it was first another's than the killed worker's, and online."""

    def __init__(self, kafka: str) -> None:
        self._bus = create_bus(kafka, client_id="benchmark")
        self.last: dict[str, dict[str, Any]] = {}
        self.awaited: dict[str, float] = {}
        self.killed: str | None = None

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        await self._bus.start()
        task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            await self._bus.stop()

    def of(self, worker: str) -> set[str]:
        return {station_id for station_id, status in self.last.items() if status.get("worker") == worker}

    def online(self) -> int:
        return sum(status["state"] not in SILENT for status in self.last.values())

    def open_transactions(self, station_ids: set[str]) -> dict[str, Any]:
        found = {one: self.last[one].get("transaction_id") for one in station_ids}
        return {one: number for one, number in found.items() if number is not None}

    async def _follow(self) -> None:
        async with self._bus.subscribe({SWARM_STATUS.name: Position.BEGINNING}) as subscription:
            while True:
                for record in await subscription.getmany(timeout_s=0.1):
                    if record.key is None or record.value is None:
                        continue
                    station_id, status = record.key.decode(), orjson.loads(record.value)
                    self.last[station_id] = status
                    anothers = self.killed is not None and status["worker"] != self.killed
                    if anothers and status["state"] not in SILENT:
                        self.awaited.setdefault(station_id, time.monotonic())


def cost(network: Network, before: dict[str, tuple[float, float]], took_s: float) -> Iterator[tuple[str, float]]:
    for service in network.services:
        assert service.process is not None  # noqa: S101 - it was started
        if service.process.returncode is None:
            cpu_s, rss_mib = service.usage()
            yield f"core_share_{service.name}", (cpu_s - before[service.name][0]) / took_s
            yield f"rss_mib_{service.name}", rss_mib


async def charging(network: Network, seconds: float) -> Iterator[tuple[str, float]]:
    """CPU, memory, latencies and lags for a while."""
    network.services = [one for one in network.services if one.process is None or one.process.returncode is None]
    watch, usage, began = Watch(network), network.usage(), time.monotonic()
    watching = asyncio.create_task(watch.run())
    done, _ = await asyncio.wait({watching}, timeout=seconds)
    for task in done:
        task.result()
    watching.cancel()
    await asyncio.wait({watching})
    totals = await network.get("/totals")
    drawing = sum(one["usage_kw"] > 0 for one in await network.stations())
    seen = [("running", totals["running"]), ("stations", totals["stations"]), ("drawing", drawing)]
    return iter([*seen, *cost(network, usage, time.monotonic() - began), *watch.figures()])


async def kill(network: Network, stations: Stations, within_s: float) -> tuple[dict[str, Any], Iterator[Any]]:
    """Kill the first worker and wait until all its stations are online elsewhere."""
    victim = network.workers[0]
    mine = stations.of(victim.name)
    left_open = stations.open_transactions(mine)
    assert victim.process is not None  # noqa: S101 - it was started
    stations.killed = victim.name
    print(f"{time.strftime('%H:%M:%S')} {victim.name} is killed", file=sys.stderr)
    victim.process.kill()
    killed_at = time.monotonic()
    await victim.process.wait()
    while not mine <= stations.awaited.keys() and time.monotonic() < killed_at + within_s:
        await asyncio.sleep(0.1)
    back_s = sorted(stations.awaited[one] - killed_at for one in mine if one in stations.awaited)
    figures = [
        ("killed_stations", len(mine)),
        ("killed_open_transactions", len(left_open)),
        ("back_stations", len(back_s)),
        ("back_first_s", back_s[0] if back_s else -1.0),
        ("back_p50_s", back_s[len(back_s) // 2] if back_s else -1.0),
        ("back_last_s", back_s[-1] if back_s else -1.0),
    ]
    return left_open, iter(figures)


def ledger(folder: Path, left_open: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """What gateway and Central have in their databases when all has ended."""
    with contextlib.closing(sqlite3.connect(folder / "gateway.db")) as gateway:
        rows = gateway.execute(
            "SELECT session_id, cp_id, transaction_id, meter_start_wh, meter_stop_wh, stopped_at, stop_reason,"
            " closed_by_gateway FROM transactions"
        ).fetchall()
    with contextlib.closing(sqlite3.connect(folder / "simulator.db")) as central:
        sessions = dict(central.execute("SELECT session_id, energy_wh FROM sessions").fetchall())
        states = Counter(one for (one,) in central.execute("SELECT status FROM sessions"))
    yield "transactions", len(rows)
    yield "transactions_never_ended", sum(row[5] is None for row in rows)
    yield "transactions_closed_by_gateway", sum(bool(row[7]) for row in rows)
    energies = {row[0]: float(row[4]) - float(row[3]) for row in rows if row[4] is not None}
    yield "energy_below_zero", sum(energy_wh < 0 for energy_wh in energies.values())
    yield "sessions", len(sessions)
    yield "sessions_missing", len(energies.keys() - sessions.keys())
    differing = [one for one in energies.keys() & sessions.keys() if abs(energies[one] - float(sessions[one])) > 0.5]
    yield "sessions_of_other_energy", len(differing)
    for state, count in states.items():
        yield f"sessions_{state}", count
    reasons = Counter(row[6] or "Local" for row in rows if str(left_open.get(row[1])) == str(row[2]))
    for reason, count in reasons.items():
        yield f"left_open_ended_{reason}", count


async def measure(options: argparse.Namespace, kafka: str, folder: Path) -> None:
    options.kafka = kafka
    this = asyncio.current_task()
    assert this is not None  # noqa: S101 - it runs in one
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)  # leaves nothing running

    def tell(phase: str, figures: Iterator[tuple[str, float]]) -> None:
        for figure, value in figures:
            line = {"benchmark": "network_takeover", "stations": options.stations, "phase": phase, "figure": figure}
            print(json.dumps({**line, "value": round(value, 3)}), flush=True)

    network, stations = Network(folder, options, options.stations), Stations(kafka)
    async with network.running(), stations.followed():
        tell("boot", await boot(network, options.stations, options.profile))
        wanted = 0 if options.profile == "no-transactions" else options.stations * CHARGING_SHARE

        async def enough() -> bool:
            return len(stations.open_transactions(set(stations.last))) >= wanted

        await until("most stations charge", enough)
        await asyncio.sleep(SETTLED_AFTER_S)
        tell("before", await charging(network, options.seconds))
        left_open, figures = await kill(network, stations, options.back_within)
        tell("kill", figures)
        await asyncio.sleep(SETTLED_AFTER_S)
        tell("after", await charging(network, options.seconds))
        tell("after", iter([("online_by_status", stations.online())]))
        tell("stop", await stop(network))
    tell("ledger", ledger(folder, left_open))
    tell("logs", words_of(network.logs()))


async def run(options: argparse.Namespace) -> None:
    with contextlib.ExitStack() as stack:
        folder = options.logs or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        if options.kafka is not None:
            await measure(options, options.kafka, folder)
            return
        async with ApacheKafka(kafka_jars(), long_lived=True) as kafka:
            await measure(options, kafka.bootstrap, folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stations", nargs="?", type=int, default=STATIONS)
    parser.add_argument("--kafka", help="bootstrap of a broker that runs already; unset: Apache Kafka is started")
    parser.add_argument("--workers", type=int, default=WORKERS, help="swarm workers, two at least")
    parser.add_argument("--profile", default="busy", help="behaviour of the stations")
    parser.add_argument("--profiles-dir", type=Path, help="folder with behaviours of your own")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long is measured before the kill, and after")
    parser.add_argument("--back-within", type=float, default=60.0, help="longest wait for the stations")
    parser.add_argument("--logs", type=Path, help="folder that keeps logs and databases")
    options = parser.parse_args()
    if options.workers < 2:
        parser.error("--workers: of one worker nobody takes over; expected 2 or more")
    try:
        asyncio.run(run(options))
    except KafkaJarsMissing as error:
        sys.exit(f"not measured: {error}")


if __name__ == "__main__":
    main()
