"""``evcharging engine``: charge points on CAN, obeying Central over Kafka."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from evcharging.apps.charger.keyboard import keys_heard
from evcharging.apps.ev_cp_e.effects import Moment
from evcharging.apps.ev_cp_e.health import health_app
from evcharging.apps.ev_cp_e.host import EngineHost
from evcharging.apps.ev_cp_e.keys import LEGEND, EngineKeys
from evcharging.apps.ev_cp_e.settings import EngineSettings
from evcharging.apps.runtime.http import bind, is_loopback, serving
from evcharging.apps.runtime.service import run_service

__all__ = ["engine", "main"]

log = structlog.get_logger()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the engine and return its exit code: 0 stopped on request, 2 bad settings or a taken port."""
    return run_service(engine, EngineSettings, argv)


async def engine(settings: EngineSettings, stop: asyncio.Event) -> None:
    """Run the charge points of ``settings`` until ``stop`` is set."""
    sock = bind(settings.host, settings.health_port, flag="--health-port")
    host, port = sock.getsockname()[:2]
    if not is_loopback(settings.host):
        log.warning("health and metrics can be read by everybody who reaches this address", host=settings.host)
    bus = settings.create_bus(settings.name)
    charge_points = EngineHost(settings, bus=bus, clock=_now, boot_id=secrets.token_hex(8))
    keys = EngineKeys(charge_points.units, stop.set)
    async with serving(health_app(charge_points), sock, name="engine"):
        log.info("health is served", url=f"http://{host}:{port}/health")
        with keys_heard(keys.press) as has_keys:
            if has_keys:
                log.info(LEGEND)
            await charge_points.run(stop)


def _now() -> Moment:
    return Moment(datetime.now(UTC), time.monotonic())


if __name__ == "__main__":
    sys.exit(main())
