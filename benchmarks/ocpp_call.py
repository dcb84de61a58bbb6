"""What one more MeterValues call costs the gateway: validated, answered, recorded in SQLite, published on the bus.

Plain sockets play stations that charge: each boots, begins a transaction and sends meter values of five measurands. The
same stations send at two paces; the slope between them is the cost of a call that comes alone, what time costs by
itself (timers, pings) left out. Then they send crowded: always some calls are under way, so that the gateway never
waits. The bus is that in memory of a standalone gateway, or with ``--kafka`` the embedded Kafka, which runs in a
process of its own. One JSON line a figure.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
import time
from datetime import UTC, datetime

import uvloop
from central_telemetry import broker
from ocpp_swarm import GatewayProcess, cpu_s, gateway

from evcharging.ocpp.station.dialing import make_room_for
from evcharging.ocpp.websocket_client import WebSocket, dial

SIZES = (500, 2_000)
BETWEEN_CALLS_S = (12.0, 2.0)
"""Of one station, at either pace; more than the gateway lets pass between two intervals, so that each is published."""
MEASURED_S = 10.0
SETTLE_S = 3.0
CROWD = 64
"""Calls under way at any moment, of as many stations."""
DIALS_AT_ONCE = 50
PUBLISHED = "evcharging_gateway_intervals_total"


class Caller:
    """A station reduced to its frames."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._socket: WebSocket | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._turn = asyncio.Lock()
        self._transaction_id = 0
        self._number = 0
        self.failures = 0

    async def begin(self, url: str) -> None:
        """Connect, boot, and begin a transaction."""
        self._socket = await dial(
            f"{url}/{self.name}",
            subprotocols=["ocpp1.6"],
            headers={},
            ssl_context=None,
            on_text=self._hear,
            on_closed=lambda _reason: None,
            max_frame_bytes=65_536,
            open_timeout_s=60.0,
        )
        await self._ask("BootNotification", {"chargePointVendor": "benchmark", "chargePointModel": "plain"})
        await self._ask("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Preparing"})
        start = {"connectorId": 1, "idTag": self.name, "meterStart": 0, "timestamp": now()}
        answer = json.loads(await self._ask("StartTransaction", start))
        self._transaction_id = answer[2]["transactionId"]

    async def meter(self) -> None:
        """Send meter values and wait for the answer."""
        self._number += 1
        kept = {"context": "Sample.Periodic", "location": "Outlet"}
        sampled = [
            {"value": f"{self._number * 7.5:.1f}", "measurand": "Energy.Active.Import.Register", "unit": "Wh", **kept},
            {"value": "7.36", "measurand": "Power.Active.Import", "unit": "kW", **kept},
            {"value": "32.0", "measurand": "Current.Import", "unit": "A", **kept},
            {"value": "230.1", "measurand": "Voltage", "unit": "V", **kept},
            {"value": "43.5", "measurand": "SoC", "unit": "Percent", "context": "Sample.Periodic", "location": "EV"},
        ]
        values = [{"timestamp": now(), "sampledValue": sampled}]
        answer = await self._ask(
            "MeterValues", {"connectorId": 1, "transactionId": self._transaction_id, "meterValue": values}
        )
        self.failures += not answer.startswith(b"[3,")

    async def _ask(self, action: str, payload: dict[str, object]) -> bytes:
        assert self._socket is not None  # noqa: S101 - it was dialled
        async with self._turn:
            self._answer = asyncio.get_running_loop().create_future()
            self._socket.send(json.dumps([2, "1", action, payload]).encode())
            return await self._answer

    def _hear(self, text: bytes) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(text)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


async def at_pace(callers: list[Caller], calls_a_second: float, seconds: float) -> list[float]:
    """Have each call in turn, at an even pace whatever the answers take; what the calls took, in s."""
    latencies: list[float] = []
    under_way: set[asyncio.Task[None]] = set()

    async def one(caller: Caller) -> None:
        began = time.perf_counter()
        await caller.meter()
        latencies.append(time.perf_counter() - began)

    began = time.perf_counter()
    for number in range(round(calls_a_second * seconds)):
        ahead_s = began + number / calls_a_second - time.perf_counter()
        if ahead_s > 0:
            await asyncio.sleep(ahead_s)
        task = asyncio.create_task(one(callers[number % len(callers)]))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    if under_way:
        await asyncio.wait(under_way)
    return latencies


async def crowded(callers: list[Caller], seconds: float) -> list[float]:
    """Have all call in turn, a crowd at once; what the calls took, in s."""
    latencies: list[float] = []
    ends = time.perf_counter() + seconds

    async def one_after_the_other(some: list[Caller]) -> None:
        for caller in itertools.cycle(some):
            began = time.perf_counter()
            if began > ends:
                return
            await caller.meter()
            latencies.append(time.perf_counter() - began)

    await asyncio.gather(*(one_after_the_other(callers[number::CROWD]) for number in range(CROWD)))
    return latencies


async def measure(csms: GatewayProcess, count: int) -> dict[str, float]:
    gate = asyncio.Semaphore(DIALS_AT_ONCE)
    callers = [Caller(f"CALL-{number:05d}") for number in range(count)]

    async def begin(caller: Caller) -> None:
        async with gate:
            await caller.begin(csms.url)

    before_s = cpu_s(csms.process)
    await asyncio.gather(*map(begin, callers))
    await asyncio.sleep(SETTLE_S)
    figures = {"begin_cpu_us_per_station": (cpu_s(csms.process) - before_s) / count * 1e6}
    paces = {
        **{f"each_{between_s:g}_s": at_pace(callers, count / between_s, MEASURED_S) for between_s in BETWEEN_CALLS_S},
        "crowded": crowded(callers, MEASURED_S),
    }
    spent: list[tuple[int, float]] = []
    for pace, calling in paces.items():
        published = csms.counted(PUBLISHED)
        before_s = cpu_s(csms.process)
        latencies = sorted(await calling)
        await asyncio.sleep(SETTLE_S)
        spent.append((len(latencies), cpu_s(csms.process) - before_s))
        figures[f"published_per_call_{pace}"] = (csms.counted(PUBLISHED) - published) / len(latencies)
        figures[f"p99_ms_{pace}"] = latencies[len(latencies) * 99 // 100] * 1e3
    (few, few_s), (many, many_s), (crowd, crowd_s) = spent
    figures["gateway_cpu_us_per_call_crowded"] = crowd_s / crowd * 1e6
    figures["gateway_cpu_us_per_call"] = (many_s - few_s) / (many - few) * 1e6
    figures["gateway_idle_core_share"] = (few_s - few * figures["gateway_cpu_us_per_call"] / 1e6) / MEASURED_S
    figures["gateway_rss_mib"] = csms.process.memory_info().rss / 2**20
    figures["failures"] = sum(caller.failures for caller in callers)
    return figures


def main(arguments: list[str]) -> None:
    sizes = [int(size) for size in arguments if size != "--kafka"] or SIZES
    for count in sizes:
        make_room_for(count)
        with contextlib.ExitStack() as stack:
            bus, flags = "memory", ["--standalone"]
            if "--kafka" in arguments:
                bus, address = "embedded kafka", stack.enter_context(broker())
                flags = ["--kafka-bootstrap", address, "--open-registration", "--accept-unknown-id-tags"]
            csms = stack.enter_context(gateway(*flags))
            for figure, value in uvloop.run(measure(csms, count)).items():
                line = {"benchmark": "ocpp_call", "bus": bus, "stations": count, "figure": figure}
                print(json.dumps({**line, "value": round(value, 3)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
