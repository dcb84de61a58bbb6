"""``evcharging monitor``: watches one or more charge points of one engine until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence

import httpx
import structlog

from evcharging.apps.ev_cp_m.central import Central
from evcharging.apps.ev_cp_m.central_http import HttpCentral
from evcharging.apps.ev_cp_m.central_tcp import TcpCentral
from evcharging.apps.ev_cp_m.engine import Engine
from evcharging.apps.ev_cp_m.judge import HealthJudge
from evcharging.apps.ev_cp_m.monitor import ChargePointMonitor
from evcharging.apps.ev_cp_m.settings import MonitorSettings
from evcharging.apps.runtime.service import run_service, until_stopped
from evcharging.messages.control import Registration

__all__ = ["main", "monitor"]

log = structlog.get_logger()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the monitor and return its exit code: 0 stopped on request, 2 bad settings."""
    return run_service(monitor, MonitorSettings, argv)


async def monitor(settings: MonitorSettings, stop: asyncio.Event) -> None:
    """Watch the charge points of ``settings`` until ``stop`` is set."""
    monitor_id = settings.monitor_id or f"{socket.gethostname()}-{os.getpid()}"[-100:]
    # A charge point has one probe and one call to Central under way at most. Proxies of the environment are left
    # alone: the engine and Central are addressed by host and port, and a proxy's answer would be taken for theirs.
    limits = httpx.Limits(max_connections=2 * len(settings.cp_id))
    longest_s = max(settings.timeout_s, settings.central_timeout_s)
    async with (
        httpx.AsyncClient(limits=limits, timeout=longest_s, trust_env=False) as client,
        _central(settings, client) as central,
    ):
        engine = Engine(
            client,
            _url(settings.cp_e_host, settings.cp_e_port),
            timeout_s=settings.timeout_s,
            clock_s=asyncio.get_running_loop().time,
        )
        monitors = [
            ChargePointMonitor(
                Registration(
                    cp_id=cp_id,
                    location=settings.location,
                    price_per_kwh=settings.price_per_kwh,
                    rating_kw=settings.rating_kw,
                    health_url=engine.health_url(cp_id),
                ),
                engine=engine,
                central=central,
                judge=HealthJudge(settings.misses),
                interval_s=settings.interval_s,
                monitor_id=monitor_id,
            )
            for cp_id in settings.cp_id
        ]
        log.info("watching", charge_points=",".join(settings.cp_id), monitor_id=monitor_id)
        await until_stopped(stop, _run_all(monitors))


async def _run_all(monitors: Sequence[ChargePointMonitor]) -> None:
    async with asyncio.TaskGroup() as group:
        for each in monitors:
            group.create_task(each.run())


@contextlib.asynccontextmanager
async def _central(settings: MonitorSettings, client: httpx.AsyncClient) -> AsyncIterator[Central]:
    if settings.central_tcp_port is not None:
        async with TcpCentral(settings.central_host, settings.central_tcp_port) as central:
            yield central
    else:
        url = _url(settings.central_host, settings.central_port)
        yield HttpCentral(client, url, token=settings.api_token, timeout_s=settings.central_timeout_s)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


if __name__ == "__main__":
    sys.exit(main())
