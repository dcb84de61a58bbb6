"""``evcharging mqtt-broker``: the embedded MQTT broker alone, until it is stopped. What it holds ends with it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import structlog

from evcharging.apps.mqtt_broker.settings import MqttBrokerSettings
from evcharging.apps.runtime.http import bind
from evcharging.apps.runtime.service import run_service
from evcharging.mqtt.embedded import EmbeddedBroker

__all__ = ["main"]

log = structlog.get_logger()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the broker and return its exit code: 0 stopped on request, 2 bad settings or a taken port."""
    return run_service(_run, MqttBrokerSettings, argv)


async def _run(settings: MqttBrokerSettings, stop: asyncio.Event) -> None:
    password = settings.password.get_secret_value() if settings.password else None
    sock = bind(settings.host, settings.port, flag="--port")
    async with EmbeddedBroker(sock=sock, username=settings.username, password=password) as broker:
        log.info("MQTT broker is ready", address=broker.url, anonymous=settings.username is None)
        await stop.wait()


if __name__ == "__main__":
    sys.exit(main())
