"""What the bus costs: CPU microseconds a message to publish and to consume, and messages a second, on each adapter.

The embedded broker runs in a process of its own, so the CPU time counted is that of the client alone. Messages are real
ones: ``cp.telemetry`` with its headers, encoded, and decoded by the loop that services use. The sizes fit into what the
embedded broker keeps. One JSON line a figure.

    python benchmarks/bus.py [--messages 5000 --messages 25000] [--rate 1000]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
import uvloop

from evcharging.bus.consumer import Consumer
from evcharging.bus.create import create_bus
from evcharging.bus.protocol import Bus, Position
from evcharging.messages.charge_points import Telemetry
from evcharging.messages.envelope import Event, Received, new_traceparent
from evcharging.messages.topics import TELEMETRY

SIZES = (5_000, 25_000)
CHARGE_POINTS = 500
LATENCY_MESSAGES = 2_000


def figure(name: str, value: float, unit: str, **about: object) -> None:
    print(json.dumps({"benchmark": "bus", "figure": name, "value": round(value, 2), "unit": unit, **about}), flush=True)


def event(number: int) -> Event[Telemetry]:
    now = datetime.now(UTC)
    message = Telemetry(
        ts=now,
        cp_id=f"CP-{number % CHARGE_POINTS:04}",
        session_id=f"session-{number % CHARGE_POINTS}",
        driver_id="driver-alice",
        seq=number // CHARGE_POINTS + 1,
        interval_start=now,
        interval_end=now,
        register_wh=1000.0 + number,
        energy_wh=6.1,
        grid_wh=6.1,
        kw=22.0,
        kwh=1.5,
        euros=0.45,
        soc=0.4,
        amps=32.0,
        volts=230.0,
    )
    return Event(TELEMETRY, message, message.body_id(), "benchmark", new_traceparent())


class Meter:
    """CPU and wall time of a stretch of work on so many messages."""

    def __init__(self, messages: int) -> None:
        self._messages = messages
        self._cpu_s = time.process_time()
        self._wall_s = time.perf_counter()

    def tell(self, doing: str, **about: object) -> None:
        """Print both figures of what was done."""
        cpu_us = (time.process_time() - self._cpu_s) / self._messages * 1e6
        rate = self._messages / (time.perf_counter() - self._wall_s)
        figure(f"{doing}_cpu", cpu_us, "us/message", messages=self._messages, **about)
        figure(f"{doing}_rate", rate, "messages/s", messages=self._messages, **about)


async def throughput(bus: Bus, messages: int, **about: object) -> None:
    """Publish so many, then read them with the loop that services use."""
    events = [event(number) for number in range(messages)]
    meter = Meter(messages)
    for one in events:
        await bus.publish(one)
    await bus.flush()
    meter.tell("publish", **about)

    handled = 0

    async def count(batch: Sequence[Received[Any]]) -> None:
        nonlocal handled
        handled += len(batch)

    meter = Meter(messages)
    async with Consumer(bus, {TELEMETRY: Position.BEGINNING}, handler=count) as consumer:
        reading = asyncio.create_task(consumer.run())
        await consumer.wait_caught_up()
        meter.tell("consume_and_decode", **about)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    figure("consumed", handled, "messages", messages=messages, **about)


async def latency(bus: Bus, rate: int, **about: object) -> None:
    """From publish to handler, at a steady rate."""
    sent: dict[str, float] = {}
    all_arrived = asyncio.Event()
    taken_s: list[float] = []

    async def note(batch: Sequence[Received[Any]]) -> None:
        now = time.perf_counter()
        taken_s.extend(now - sent.pop(received.id) for received in batch if received.id in sent)
        if len(taken_s) == LATENCY_MESSAGES:
            all_arrived.set()

    async with Consumer(bus, {TELEMETRY: Position.END}, handler=note) as consumer:
        reading = asyncio.create_task(consumer.run())
        cpu_s, start = time.process_time(), time.perf_counter()
        for number in range(LATENCY_MESSAGES):
            await asyncio.sleep(max(start + number / rate - time.perf_counter(), 0))
            one = event(number)
            sent[one.id] = time.perf_counter()
            await bus.publish(one)
        await all_arrived.wait()
        cpu_us = (time.process_time() - cpu_s) / LATENCY_MESSAGES * 1e6
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    percentiles = statistics.quantiles(taken_s, n=100)
    figure("latency_p50", percentiles[49] * 1e3, "ms", rate=rate, **about)
    figure("latency_p99", percentiles[98] * 1e3, "ms", rate=rate, **about)
    figure("publish_and_consume_cpu", cpu_us, "us/message", rate=rate, **about)


async def idle(bus: Bus, **about: object) -> None:
    """What a reader costs that has nothing to read."""
    async with bus.subscribe({TELEMETRY.name: Position.END}) as subscription:
        cpu_s, start = time.process_time(), time.perf_counter()
        while time.perf_counter() - start < 5:
            await subscription.getmany(timeout_s=0.25)
        share = (time.process_time() - cpu_s) / (time.perf_counter() - start)
    figure("idle_reader_cpu", share * 100, "% of a core", **about)


@contextlib.asynccontextmanager
async def embedded() -> AsyncIterator[str]:
    """``evcharging broker`` in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "evcharging.apps.broker.main", "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    try:
        told = b""
        while process.stdout is not None and not (found := re.search(rb"address=(\S+)", told)):
            told = await process.stdout.readline()
        yield found[1].decode()
    finally:
        process.terminate()
        await process.wait()


async def measure(sizes: Sequence[int], rate: int) -> None:
    for messages in sizes:
        await throughput(create_bus(f"memory://benchmark-{messages}"), messages, adapter="memory")
    for messages in sizes:
        async with embedded() as bootstrap:
            bus = create_bus(bootstrap)
            await bus.start()
            await throughput(bus, messages, adapter="embedded")
            await bus.stop()
    async with embedded() as bootstrap:
        bus = create_bus(bootstrap)
        await bus.start()
        await idle(bus, adapter="embedded")
        for steady in (rate // 10, rate):
            await latency(bus, steady, adapter="embedded")
        await bus.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--messages", type=int, action="append", help=f"sizes to measure [default {SIZES}]")
    parser.add_argument("--rate", type=int, default=1000, help="messages a second for the latency [default 1000]")
    arguments = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    uvloop.run(measure(arguments.messages or SIZES, arguments.rate))


if __name__ == "__main__":
    main()
