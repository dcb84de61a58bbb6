"""How many `cp.telemetry` records a second one core of Central consumes, validates, stores and aggregates.

Over the embedded Kafka and a SQLite file: intervals of N running sessions are published first, then Central's effects
consumer and its view read them, as in the service. CPU time of this process counts, not the wall clock. One JSON line a
figure.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import uvloop
from ocpp_swarm import free_port

from evcharging.apps.ev_central.effects import Effects
from evcharging.apps.ev_central.prices import Prices
from evcharging.apps.ev_central.transactions import Transactions
from evcharging.apps.ev_central.view import NetworkView
from evcharging.apps.runtime.garbage import collected_seldom
from evcharging.apps.runtime.relay import OutboxRelay
from evcharging.bus.consumer import Consumer
from evcharging.bus.create import create_bus
from evcharging.bus.protocol import Bus, Position
from evcharging.messages.charge_points import Telemetry
from evcharging.messages.envelope import Event
from evcharging.messages.topics import DRIVER_REQUESTS, REPLIES, STATUS, TELEMETRY
from evcharging.store.database import Database, database_url
from evcharging.store.migrate import migrate_database
from evcharging.store.simulator import network, tables
from evcharging.store.simulator.rows import Phase, SessionRow, TariffRow

SIZES = ((200, 10_000), (1_000, 20_000))
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def now() -> datetime:
    return datetime.now(UTC)


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@contextlib.contextmanager
def broker() -> Iterator[str]:
    """The embedded Kafka in a process of its own, so that its CPU time is not Central's."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "evcharging.apps.broker.main", "--port", str(port)], stdout=subprocess.DEVNULL
    )
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def telemetry(unit: int, seq: int, *, end: datetime | None = None) -> Telemetry:
    """An interval of a second; without ``end`` a session's first begins at START."""
    end = end or START + timedelta(seconds=seq)
    return Telemetry(
        ts=end,
        cp_id=f"CP-{unit:05}",
        session_id=f"session-{unit:05}",
        driver_id=f"driver-{unit:05}",
        seq=seq,
        interval_start=end - timedelta(seconds=1),
        interval_end=end,
        register_wh=round(1000 + seq * 6.1, 1),
        energy_wh=6.1,
        grid_wh=6.1,
        kw=22.0,
        kwh=round(seq * 0.0061, 4),
        euros=0.01,
        soc=0.31,
        amps=31.9,
        volts=230.0,
        temperature_c=31.0,
    )


async def publish(bootstrap: str, units: int, messages: int) -> None:
    bus = create_bus(bootstrap, client_id="load")
    await bus.start()
    for number in range(messages):
        message = telemetry(number % units, 1 + number // units)
        await bus.publish(Event(TELEMETRY, message, message.body_id(), "load"))
    await bus.flush()
    await bus.stop()


async def central_database(path: Path, units: int) -> tuple[Database, Prices]:
    database = Database(database_url(str(path)), schema=tables.SCHEMA)
    await migrate_database(database)
    first = TariffRow(valid_from=START, price_per_kwh=Decimal("0.30"), solar_price_per_kwh=None, currency="EUR")
    prices = await Prices.load(database, first=first)
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
                    created_at=START,
                    start_deadline=START,
                    currency="EUR",
                )
                for unit in range(units)
            ],
        )
    return database, prices


async def measure_effects(bus: Bus, database: Database, prices: Prices, messages: int) -> float:
    relay = OutboxRelay(bus, database, tables.outbox, owner="bench", now=now)
    transactions = Transactions(database=database, bus=bus, relay=relay, instance_id="bench", now=now)
    effects = Effects(transactions, prices, start_timeout_s=15)
    done = asyncio.Event()
    seen = 0

    async def handle(batch):  # noqa: ANN001
        nonlocal seen
        await effects.handle(batch)
        seen += len(batch)
        if seen >= messages:
            done.set()

    topics = [DRIVER_REQUESTS, STATUS, TELEMETRY, REPLIES]
    consumer = Consumer(bus, topics, group="central", handler=handle, max_records=5000)
    async with consumer:
        before = cpu_s()
        running = asyncio.create_task(consumer.run())
        await done.wait()
        spent = cpu_s() - before
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return spent


async def measure_view(bus: Bus, messages: int) -> float:
    view = NetworkView()
    done = asyncio.Event()
    seen = 0

    async def handle(batch):  # noqa: ANN001
        nonlocal seen
        for received in batch:
            view.apply(received.message, START)
        seen += len(batch)
        if seen >= messages:
            done.set()

    consumer = Consumer(bus, {TELEMETRY: Position.BEGINNING}, handler=handle, max_records=5000)
    async with consumer:
        before = cpu_s()
        running = asyncio.create_task(consumer.run())
        await done.wait()
        spent = cpu_s() - before
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return spent


async def one(units: int, messages: int) -> None:
    with tempfile.TemporaryDirectory() as folder, broker() as bootstrap:
        await publish(bootstrap, units, messages)
        database, prices = await central_database(Path(folder) / "simulator.db", units)
        bus = create_bus(bootstrap, client_id="central")
        await bus.start()
        try:
            effects_s = await measure_effects(bus, database, prices, messages)
            view_s = await measure_view(bus, messages)
        finally:
            await bus.stop()
            await database.close()
    for name, spent in (("effects", effects_s), ("view", view_s), ("effects+view", effects_s + view_s)):
        figure = {
            "benchmark": "central_telemetry",
            "part": name,
            "units": units,
            "messages": messages,
            "cpu_us_per_message": round(spent / messages * 1e6, 1),
            "messages_per_core_s": round(messages / spent),
        }
        print(json.dumps(figure), flush=True)


async def main() -> None:
    for units, messages in SIZES:
        await one(units, messages)


if __name__ == "__main__":
    with collected_seldom():  # as in the service
        sys.exit(uvloop.run(main()))
