"""``evcharging swarm-worker``: simulated OCPP stations, as many as swarm.desired asks for and Kafka deals out."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Sequence

import structlog

from evcharging.apps.runtime.behaviour_profiles import load_profiles
from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.runtime.garbage import collected_seldom
from evcharging.apps.runtime.http import bind, is_loopback, serving
from evcharging.apps.runtime.service import run_service
from evcharging.apps.swarm.probes import probes_app
from evcharging.apps.swarm.settings import SwarmSettings
from evcharging.apps.swarm.worker import SwarmWorker
from evcharging.domain.behaviour import ProfileError
from evcharging.ocpp.client_tls import BadTlsFile, client_tls
from evcharging.ocpp.station.dialing import TooManyStations, make_room_for
from evcharging.ocpp.station.station import Station
from evcharging.ocpp.websocket_client import dial

__all__ = ["main", "swarm_worker"]

log = structlog.get_logger()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the worker and return its exit code: 0 stopped on request, 2 bad settings or a taken port."""
    return run_service(swarm_worker, SwarmSettings, argv)


async def swarm_worker(settings: SwarmSettings, stop: asyncio.Event) -> None:
    """Run the stations that are this worker's until ``stop`` is set."""
    try:
        most_stations = make_room_for(settings.max_stations)
    except TooManyStations as error:
        raise UsageError(f"--max-stations {settings.max_stations}: {error}") from None
    try:
        profiles = load_profiles(settings.profiles_dir)
    except ProfileError as error:
        raise UsageError(f"--profiles-dir: {error}") from None
    ssl_context, bus = _tls(settings), settings.create_bus(settings.name)
    sock = bind(settings.host, settings.metrics_port, flag="--metrics-port")
    host, port = sock.getsockname()[:2]
    if not is_loopback(settings.host):
        log.warning("health and metrics can be read by everybody who reaches this address", host=settings.host)
    worker = SwarmWorker(
        settings,
        bus=bus,
        make_station=Station,
        dial=dial,
        profiles=profiles,
        most_stations=most_stations,
        ssl_context=ssl_context,
    )
    async with serving(probes_app(worker.checks), sock, name="swarm-worker"):
        log.info("metrics are served", url=f"http://{host}:{port}/metrics")
        with collected_seldom():
            await worker.run(stop)


def _tls(settings: SwarmSettings) -> ssl.SSLContext | None:
    if settings.csms_ca_file is None:
        return None
    try:
        return client_tls(ca_file=settings.csms_ca_file)
    except BadTlsFile as error:
        raise UsageError(f"--csms-ca-file: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
