"""MQTT end to end: telemetry from `UnitPublisher` through a broker to `UnitObserver`, validated on the way out and in.

Both clients in this process, the broker in one of its own; never more in flight than a broker keeps, so that nothing
is dropped. Units have a connection each. Rates are by the wall clock, and CPU time is of this process, per message for
both clients together. One JSON line a figure; Mosquitto where it is installed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import structlog
import uvloop
from ocpp_swarm import free_port

from evcharging.domain.states import MqttStatus
from evcharging.mqtt.address import MqttAddress
from evcharging.mqtt.client import AioMqttClient
from evcharging.mqtt.observer import UnitObserver, UnitReport
from evcharging.mqtt.payloads import UnitTelemetry
from evcharging.mqtt.publisher import UnitPublisher

SIZES = ((10, 10_000), (100, 20_000))
IN_FLIGHT = 400
START_LIMIT_S = 20.0
RUN_LIMIT_S = 300.0


def now() -> datetime:
    return datetime.now(UTC)


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def programs() -> dict[str, list[str]]:
    """The command of each broker there is, but for its port."""
    found = {"amqtt": [sys.executable, "-m", "evcharging.apps.mqtt_broker.main", "--port"]}
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if mosquitto is not None:
        found["mosquitto"] = [mosquitto, "-p"]
    return found


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[MqttAddress]:
    """A broker, for as long as the block runs."""
    port = free_port()
    process = subprocess.Popen([*command, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if time.monotonic() > deadline or process.poll() is not None:
                raise SystemExit(f"{command[0]} did not start")
            time.sleep(0.05)
        yield MqttAddress("127.0.0.1", port)
    finally:
        process.kill()
        process.wait()


async def measure(address: MqttAddress, units: int, messages: int) -> dict[str, float]:
    """Send ``messages`` from ``units`` in turn, and wait until each was seen."""
    names = [f"CP-{number:03}" for number in range(units)]
    async with (
        AioMqttClient(address, client_id="observer", stream_limit=messages) as client,
        UnitPublisher(address, engine_id="bench", clock=now, expected_units=units) as publisher,
    ):
        observer = UnitObserver(client, clock=now)
        seen = 0
        room = asyncio.Event()
        online = asyncio.Event()

        async def observe() -> None:
            nonlocal seen
            async for observed in observer:
                seen += isinstance(observed, UnitReport)
                room.set()
                if len(observer.presence.online) == units:
                    online.set()
                if seen == messages:
                    return

        observing = asyncio.create_task(observe())
        for name in names:
            publisher.online(name)
        await publisher.wait_connected()
        await online.wait()
        began, cpu_before = time.perf_counter(), cpu_s()
        for seq in range(messages):
            while seq - seen >= IN_FLIGHT:
                room.clear()
                await room.wait()
            sent = publisher.telemetry(
                UnitTelemetry(
                    ts=now(),
                    seq=seq + 1,
                    unit_id=names[seq % units],
                    status=MqttStatus.CHARGING,
                    session_id="session-1",
                    power_kw=21.9,
                    energy_kwh=seq / 1000,
                    current_a=31.7,
                    voltage_v=230.2,
                    soc=0.42,
                    temperature_c=31.5,
                    solar_kw=4.0,
                    grid_kw=17.9,
                    cost=seq / 3000,
                    currency="EUR",
                )
            )
            if not sent:
                raise SystemExit("a message was dropped; the figure would not be end to end")
        await observing
        wall_s, used_s = time.perf_counter() - began, cpu_s() - cpu_before
        if observer.counts.bad_payloads or observer.counts.repeated:
            raise SystemExit(f"not every message was seen as sent: {observer.counts}")
        return {
            "messages_per_s": round(messages / wall_s),
            "clients_cpu_us_per_message": round(used_s / messages * 1e6, 1),
        }


async def main() -> None:
    for name, command in programs().items():
        for units, messages in SIZES:
            with running(command) as address:
                async with asyncio.timeout(RUN_LIMIT_S):
                    figures = await measure(address, units, messages)
            for figure, value in figures.items():
                print(
                    json.dumps(
                        {
                            "benchmark": "mqtt end to end",
                            "broker": name,
                            "units": units,
                            "messages": messages,
                            "figure": figure,
                            "value": value,
                        }
                    ),
                    flush=True,
                )


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    uvloop.run(main())
