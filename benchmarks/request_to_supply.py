"""How long a driver waits from the request to the word that energy flows, on a network of real processes.

Starts `evcharging up` with the embedded brokers and no drivers, then asks one charge point after the other and takes
the time until the update that says SUPPLYING (the first IN_PROGRESS). Wall-clock time, so it depends on what else the
machine does: look at the ratios. One JSON line a figure.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import uvloop

from evcharging.bus.create import create_bus
from evcharging.bus.protocol import Bus, Position, Subscription
from evcharging.messages.drivers import DriverRequest, UpdateStatus
from evcharging.messages.envelope import Event, decode
from evcharging.messages.topics import DRIVER_REQUESTS, DRIVER_UPDATES

SIZES = ((4, 60), (20, 100))
SESSION_S = "1"
READY_WITHIN_S = 90


@contextlib.asynccontextmanager
async def network(charge_points: int) -> AsyncIterator[str]:
    """A running network; gives the broker's address."""
    with tempfile.TemporaryDirectory() as folder:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "evcharging.apps.up.main", "--no-drivers", "--data-dir", folder),
            *("--charge-points", str(charge_points)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "CP_ENGINE_SESSION_SECONDS": SESSION_S},
        )
        try:
            assert process.stdout is not None  # noqa: S101 - asked for above
            async with asyncio.timeout(READY_WITHIN_S):
                while b"READY" not in (line := await process.stdout.readline()):
                    if not line:
                        raise SystemExit("the network did not come up")
            drain = asyncio.create_task(process.stdout.read())
            yield json.loads((Path(folder) / "addresses.json").read_text())["kafka"]
            drain.cancel()
        finally:
            process.terminate()
            await process.wait()


async def wait_for(updates: Subscription, request_id: str, wanted: Sequence[UpdateStatus]) -> UpdateStatus:
    while True:
        for record in await updates.getmany():
            update = decode(
                DRIVER_UPDATES,
                body=record.value,
                headers=record.headers,
                partition=record.partition,
                offset=record.offset,
            ).message
            if update.request_id == request_id and update.status in wanted:
                return update.status


async def ask(bus: Bus, updates: Subscription, cp_id: str) -> float:
    """Seconds from the request to the supply."""
    request = DriverRequest(ts=datetime.now(UTC), request_id=f"req-{uuid4().hex}", driver_id="driver-1", cp_id=cp_id)
    began = time.perf_counter()
    await bus.publish(Event(DRIVER_REQUESTS, request, request.request_id, "benchmark"))
    status = await wait_for(updates, request.request_id, [UpdateStatus.IN_PROGRESS, UpdateStatus.DENIED])
    if status is UpdateStatus.DENIED:
        raise SystemExit(f"{cp_id} was denied: give sessions more time to end")
    return time.perf_counter() - began


async def measure(charge_points: int, requests: int) -> None:
    async with network(charge_points) as kafka:
        bus = create_bus(kafka, client_id="benchmark")
        await bus.start()
        times_s = []
        async with bus.subscribe({DRIVER_UPDATES.name: Position.END}) as updates:
            for number in range(requests):
                times_s.append(await ask(bus, updates, f"CP-{number % charge_points + 1:03}"))
                await asyncio.sleep(1.6 / charge_points)  # the session before on this charge point ends meanwhile
        await bus.stop()
    quantiles = statistics.quantiles(times_s, n=100, method="inclusive")
    for name, value in (("p50", quantiles[49]), ("p99", quantiles[98]), ("max", max(times_s))):
        figure = {
            "benchmark": "request_to_supply",
            "charge_points": charge_points,
            "requests": requests,
            "figure": name,
            "ms": round(value * 1000, 1),
        }
        print(json.dumps(figure), flush=True)


async def main() -> None:
    for charge_points, requests in SIZES:
        await measure(charge_points, requests)


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
