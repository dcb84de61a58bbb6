"""``evcharging broker``: the embedded Kafka alone, until it is stopped. What it holds ends with it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import structlog

from evcharging.apps.broker.relay import relaying
from evcharging.apps.broker.settings import BrokerSettings
from evcharging.apps.runtime.errors import GaveUp
from evcharging.apps.runtime.http import bind
from evcharging.apps.runtime.service import run_service
from evcharging.bus.embedded import EMBEDDED_NOTICE, EmbeddedKafka
from evcharging.bus.protocol import BusUnavailable

__all__ = ["main"]

HOST = "127.0.0.1"

log = structlog.get_logger()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the broker and return its exit code: 0 stopped on request, 2 bad settings or a taken port, 1 gave up."""
    return run_service(_run, BrokerSettings, argv)


async def _run(settings: BrokerSettings, stop: asyncio.Event) -> None:
    sock = bind(HOST, settings.port, flag="--port")
    with sock:
        try:
            async with EmbeddedKafka() as broker, relaying(sock, broker.address) as address:
                log.info(EMBEDDED_NOTICE)
                log.info("Kafka bootstrap is ready", address=f"{address[0]}:{address[1]}")
                await stop.wait()
        except BusUnavailable as error:
            raise GaveUp(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
