"""``evcharging up``: everything on this machine, each service a process of its own, until Ctrl-C.

Chooses addresses, writes them down for the other commands, and shows how the run is doing. Starting, restarting and
stopping is `evcharging.apps.up.supervisor`'s.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
from rich.console import Console

from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.runtime.service import run_service, until_stopped
from evcharging.apps.up.addresses import Addresses
from evcharging.apps.up.instance import only_run_in
from evcharging.apps.up.plan import Layout, addresses_of, charge_point_ids, plan
from evcharging.apps.up.ports import HOST, PortChooser
from evcharging.apps.up.settings import UpSettings
from evcharging.apps.up.stations import ask_for_stations
from evcharging.apps.up.status import counted, read_status
from evcharging.apps.up.supervisor import Supervisor
from evcharging.apps.up.terminal import Terminal
from evcharging.store.database import InvalidDatabaseUrl

__all__ = ["main"]

STATUS_INTERVAL_S = 1.0
PROGRESS_INTERVAL_S = 0.25
REQUESTS_FILE = Path("requests.txt")
EMBEDDED_NOTICE = (
    "Kafka is the embedded broker: for development and demonstration, one copy of each service. It keeps its records in"
    " memory; give --kafka for one that lasts."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until stopped and return the exit code: 0 stopped on request, 2 bad usage or a taken port, 1 gave up."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if "--no-drivers" in arguments:
        arguments = [argument for argument in arguments if argument != "--no-drivers"] + ["--drivers", "0"]
    return run_service(_run, UpSettings, arguments)


async def _run(settings: UpSettings, stop: asyncio.Event) -> None:
    began = time.monotonic()
    with only_run_in(settings.data_dir):
        Addresses.remove(settings.data_dir)
        log_dir = settings.data_dir / "logs"
        log_dir.mkdir(exist_ok=True)
        layout = _layout(settings)
        with Terminal(Console(), verbose=settings.verbose) as terminal:
            async with (
                httpx.AsyncClient(trust_env=False) as client,
                Supervisor(plan(layout, client), log_dir=log_dir, tell=terminal.say, show=terminal.service_line) as run,
            ):
                await until_stopped(stop, _until_ready(run, terminal, settings.ready_timeout_s))
                await until_stopped(stop, _ask_for_stations(settings, client, layout.http))
                if stop.is_set():
                    return
                addresses = addresses_of(layout, pid=os.getpid())
                addresses.write(settings.data_dir)
                try:
                    _greet(terminal, addresses, settings, seconds=time.monotonic() - began)
                    await until_stopped(stop, _watch(run, terminal, client, layout.http))
                finally:
                    Addresses.remove(settings.data_dir)
                    terminal.status("stopping")


async def _ask_for_stations(settings: UpSettings, client: httpx.AsyncClient, central_url: str) -> None:
    token = settings.api_token.get_secret_value() if settings.api_token else None
    await ask_for_stations(client, central_url, settings.stations, profile=settings.station_profile, token=token)


async def _until_ready(run: Supervisor, terminal: Terminal, timeout_s: float) -> None:
    async with asyncio.TaskGroup() as tasks:
        progress = tasks.create_task(_show_progress(run, terminal))
        await run.until_ready(timeout_s)
        progress.cancel()


async def _show_progress(run: Supervisor, terminal: Terminal) -> None:
    while True:
        terminal.status(f"starting: {', '.join(run.unready)}")
        await asyncio.sleep(PROGRESS_INTERVAL_S)


async def _watch(run: Supervisor, terminal: Terminal, client: httpx.AsyncClient, central_url: str) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run.until_failure())
        while True:
            terminal.status(await read_status(client, central_url))
            await asyncio.sleep(STATUS_INTERVAL_S)


def _greet(terminal: Terminal, addresses: Addresses, settings: UpSettings, *, seconds: float) -> None:
    terminal.say(f"READY {addresses.http}", style="bold green")
    terminal.say_table(
        {
            "dashboard": addresses.http,
            "Kafka": addresses.kafka,
            "MQTT": addresses.mqtt,
            "TCP control plane": addresses.tcp,
            "engine health": f"{addresses.engine_health}/health",
            "OCPP": f"{addresses.ocpp}/<id>",
            "swarm metrics": " ".join(addresses.swarm_metrics),
            "CAN hub": addresses.can,
            "database": addresses.database,
            "logs": str(settings.data_dir / "logs"),
        }
    )
    there = ", ".join(
        counted(number, what)
        for number, what in (
            (settings.charge_points, "charge point"),
            (settings.stations, "OCPP station"),
            (settings.drivers, "driver"),
        )
    )
    terminal.say(f"{there}; ready after {seconds:.1f} s.")
    if settings.given_kafka is None:
        terminal.say(EMBEDDED_NOTICE)
    terminal.say("Ctrl-C stops everything.")


def _layout(settings: UpSettings) -> Layout:
    chooser = PortChooser((8000, 9999, 8001, 29536, 9092, 1883, 9000, 9100, 9101))
    http_port = chooser.choose("--http-port", 8000, settings.http_port)
    listen_port = chooser.choose("--listen-port", 9999, settings.listen_port)
    health_port = chooser.choose("--health-port", 8001, settings.health_port)
    can_port = chooser.choose("--can-port", 29536, settings.can_port)
    kafka_port = None if settings.given_kafka else chooser.choose("--kafka-port", 9092, settings.kafka_port)
    mqtt_port = None if settings.mqtt else chooser.choose("--mqtt-port", 1883, settings.mqtt_port)
    ocpp_port = chooser.choose("--ws-port", 9000, settings.ws_port)
    gateway_http_port = chooser.choose("--gateway-http-port", 9101, settings.gateway_http_port)
    swarm_ports = [chooser.choose("--metrics-port", 9100, settings.metrics_port)]
    swarm_ports += [chooser.choose("--metrics-port", 9102, None) for _ in range(1, settings.swarm_workers)]
    charge_points = charge_point_ids(settings.charge_points)
    try:
        gateway_database = settings.gateway_database
    except InvalidDatabaseUrl as error:
        raise UsageError(f"--database-url: {error}") from None
    return Layout(
        http_port=http_port,
        listen_port=listen_port,
        health_port=health_port,
        can_port=can_port,
        kafka=settings.given_kafka or f"{HOST}:{kafka_port}",
        kafka_port=kafka_port,
        mqtt=settings.mqtt or f"mqtt://{HOST}:{mqtt_port}",
        mqtt_port=mqtt_port,
        database=settings.database,
        charge_points=charge_points,
        drivers=settings.drivers,
        requests_file=_requests_file(settings, charge_points),
        register_file=settings.data_dir / "registers.json",
        mqtt_interval_s=settings.mock_publish_interval,
        ocpp_port=ocpp_port,
        gateway_http_port=gateway_http_port,
        gateway_database=gateway_database,
        swarm_ports=swarm_ports,
    )


def _requests_file(settings: UpSettings, charge_points: Sequence[str]) -> Path:
    """What was asked for, else ``requests.txt`` here, else one that is written: each charge point once, then any."""
    if settings.requests_file is not None:
        if not settings.requests_file.is_file():
            raise UsageError(f"--requests-file {settings.requests_file}: there is no such file")
        return settings.requests_file
    if REQUESTS_FILE.is_file():
        return REQUESTS_FILE
    path = settings.data_dir / "requests.txt"
    path.write_text("\n".join([*charge_points, "any", ""]), encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
