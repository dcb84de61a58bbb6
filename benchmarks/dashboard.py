"""What ten open dashboards cost Central: its share of a core with and without them, at 1,000 and 10,000 charge points.

Central runs as a process of its own over the embedded Kafka, with one running session a charge point, and each of them
sends an interval a second; the browsers are ten websocket clients that ask for what the page asks for and read all they
are sent. CPU time of Central's process counts, over the seconds of the wall clock that were measured. One JSON line a
figure; ``records_per_s`` is what Central read meanwhile, so that a share is not low because it fell behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psutil
import uvloop
from central_telemetry import broker, telemetry
from ocpp_swarm import free_port
from websockets.asyncio.client import connect

from evcharging.bus.create import create_bus
from evcharging.bus.protocol import Bus
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Status, StatusSource, Telemetry
from evcharging.messages.envelope import Event, derived_id
from evcharging.messages.topics import STATUS, TELEMETRY
from evcharging.store.database import Database, database_url
from evcharging.store.migrate import migrate_database
from evcharging.store.simulator import network, tables
from evcharging.store.simulator.rows import Phase, SessionRow

SIZES = (1_000, 10_000)
BROWSERS = 10
MEASURED_S = 10.0
SETTLES_S = 4.0
READY_WITHIN_S = 60
FED_WITHIN_S = 120
BEATS = 10
"""In a second; each sends its tenth of the charge points' intervals."""


async def enter_sessions(path: Path, units: int) -> None:
    """A running session for each charge point, as if each had been asked for."""
    now = datetime.now(UTC)
    database = Database(database_url(str(path)), schema=tables.SCHEMA)
    await migrate_database(database)
    async with database.begin() as transaction:
        await network.save_sessions(
            transaction,
            [
                SessionRow(
                    session_id=f"session-{unit:05}",
                    request_id=f"req-{unit:05}",
                    cp_id=f"CP-{unit:05}",
                    connector_id=1,
                    driver_id=f"driver-{unit:05}",
                    source="engine",
                    status="ACTIVE",
                    phase=Phase.SUPPLYING,
                    created_at=now,
                    start_deadline=now + timedelta(minutes=1),
                    started_at=now,
                    last_contact_at=now + timedelta(minutes=1),
                    currency="EUR",
                    register_start_wh=Decimal(1000),
                )
                for unit in range(units)
            ],
        )
    await database.close()


def status(unit: int) -> Event[Status]:
    message = Status(
        ts=datetime.now(UTC),
        cp_id=f"CP-{unit:05}",
        connector_id=1,
        state=ChargePointState.SUPPLYING,
        session_id=f"session-{unit:05}",
        source=StatusSource.ENGINE,
    )
    return Event(STATUS, message, derived_id(message.cp_id, "status"), "benchmark")


def interval(unit: int, seq: int) -> Event[Telemetry]:
    message = telemetry(unit, seq, end=datetime.now(UTC))
    return Event(TELEMETRY, message, message.body_id(), "benchmark")


async def feed(bus: Bus, units: int) -> None:
    """An interval a second and charge point, until cancelled; beats that come late are made up for."""
    for unit in range(units):
        await bus.publish(status(unit))
    began = time.monotonic()
    beat = 0
    while True:
        first, seq = beat % BEATS, 1 + beat // BEATS
        for unit in range(first, units, BEATS):
            await bus.publish(interval(unit, seq))
        beat += 1
        await asyncio.sleep(max(0.0, began + beat / BEATS - time.monotonic()))


class Central:
    """Central's process, seen from the outside."""

    def __init__(self, folder: Path, kafka: str) -> None:
        self._http_port = free_port()
        self._log = folder / "central.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "evcharging.apps.ev_central.main", "--kafka-bootstrap", kafka),
                    *("--http-port", str(self._http_port), "--listen-port", str(free_port())),
                    *("--db-path", str(folder / "simulator.db"), "--log-level", "warning"),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def live_url(self) -> str:
        return f"ws://127.0.0.1:{self._http_port}/ws?batch=true"

    async def wait_ready(self) -> None:
        async with asyncio.timeout(READY_WITHIN_S):
            while await asyncio.to_thread(self._get, "/ready") is None:
                if self._process.poll() is not None:
                    raise SystemExit("Central did not come up: " + self._log.read_text()[-2000:])
                await asyncio.sleep(0.1)

    async def wait_fed(self, intervals: int) -> None:
        """Until it has counted so many: it has read what every charge point said at first."""
        deadline = time.monotonic() + FED_WITHIN_S
        while (counted := await self._intervals()) < intervals:
            if time.monotonic() > deadline:
                raise SystemExit(
                    f"Central does not keep up: {counted:.0f} of {intervals} intervals in {FED_WITHIN_S} s"
                )
            await asyncio.sleep(1.0)

    async def measure(self) -> tuple[float, float]:
        """Its share of a core, and the intervals a second that it counted, over the next seconds."""
        before, intervals, began = self._cpu_s(), await self._intervals(), time.monotonic()
        await asyncio.sleep(MEASURED_S)
        spent_s, took_s = self._cpu_s() - before, time.monotonic() - began
        return spent_s / took_s, (await self._intervals() - intervals) / took_s

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _cpu_s(self) -> float:
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    async def _intervals(self) -> float:
        metrics = (await asyncio.to_thread(self._get, "/metrics") or b"").decode()
        found = re.search(r'^evcharging_central_intervals_total{result="counted"} (\S+)', metrics, re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    def _get(self, path: str) -> bytes | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._http_port}{path}", timeout=10) as response:
                return bytes(response.read())
        except OSError:
            return None


async def browse(url: str, opened: asyncio.Event, read: list[int]) -> None:
    """Open what the page opens and read all of it; ``read[0]`` counts characters."""
    async with connect(url, compression=None, max_size=None) as live:
        async for text in live:
            read[0] += len(text)
            opened.set()


@contextlib.asynccontextmanager
async def browsers(url: str) -> AsyncIterator[list[int]]:
    """Ten of them, each with its snapshot."""
    read = [0]
    opened = [asyncio.Event() for _ in range(BROWSERS)]
    tasks = [asyncio.create_task(browse(url, event, read)) for event in opened]
    try:
        await asyncio.gather(*(event.wait() for event in opened))
        yield read
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def report(units: int, figure: str, value: float, unit: str) -> None:
    line = {"benchmark": "dashboard", "charge_points": units, "browsers": BROWSERS, "figure": figure, unit: value}
    print(json.dumps(line), flush=True)


async def one(units: int) -> None:
    with tempfile.TemporaryDirectory() as folder, broker() as kafka:
        await enter_sessions(Path(folder) / "simulator.db", units)
        bus = create_bus(kafka, client_id="benchmark")
        await bus.start()
        central = Central(Path(folder), kafka)
        feeding = asyncio.create_task(central.wait_ready())
        try:
            await feeding
            feeding = asyncio.create_task(feed(bus, units))
            await central.wait_fed(2 * units)
            without, without_per_s = await central.measure()
            async with browsers(central.live_url) as read:
                await asyncio.sleep(SETTLES_S)
                read[0] = 0
                with_them, with_per_s = await central.measure()
                characters_per_s = read[0] / MEASURED_S
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            central.stop()
            await bus.stop()
    report(units, "central_without_browsers", round(100 * without, 1), "percent_of_core")
    report(units, "central_with_browsers", round(100 * with_them, 1), "percent_of_core")
    report(units, "browsers_alone", round(100 * (with_them - without), 1), "percent_of_core")
    report(units, "without_browsers", round(without_per_s), "records_per_s")
    report(units, "with_browsers", round(with_per_s), "records_per_s")
    report(units, "each_browser_reads", round(characters_per_s / BROWSERS / 1000), "kilobytes_per_s")


async def main() -> None:
    for units in SIZES:
        await one(units)


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
