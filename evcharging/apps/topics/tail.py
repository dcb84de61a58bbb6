"""Following a topic: each record, as it comes, handed on decoded. Ends when it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from evcharging.apps.runtime.errors import GaveUp
from evcharging.apps.topics.reading import Reading, read_record
from evcharging.bus.create import create_bus
from evcharging.bus.kafka_cluster import why_unreachable
from evcharging.bus.kafka_settings import KafkaSettings
from evcharging.bus.protocol import Position

__all__ = ["follow"]

CONNECT_WITHIN_S = 10.0
ASK_WITHIN_S = 3.0
WAIT_S = 0.5


async def follow(
    settings: KafkaSettings, topic: str, *, start: Position, key: str | None, show: Callable[[Reading], None]
) -> None:
    """Show the records of ``topic`` from ``start`` on; with a ``key`` only those that carry it.

    Raises:
        GaveUp: no broker let us in within 10 s, and why. One that goes away later is waited for.
    """
    bus = create_bus(settings.bootstrap, client_id=settings.client_id, settings=settings)
    reader = bus.subscribe({topic: start})
    try:
        async with asyncio.timeout(CONNECT_WITHIN_S):
            await reader.__aenter__()
    except TimeoutError:
        why = await why_unreachable(replace(settings, request_timeout_s=ASK_WITHIN_S))
        raise GaveUp(
            f"no Kafka answers at {settings.bootstrap} ({why or 'it takes its time'}); start one with evcharging up, "
            "or name yours with --kafka-bootstrap and its kin"
        ) from None
    wanted = None if key is None else key.encode()
    try:
        while True:
            for record in await reader.getmany(timeout_s=WAIT_S):
                if wanted is None or record.key == wanted:
                    show(read_record(record))
    finally:
        await reader.__aexit__(None, None, None)
