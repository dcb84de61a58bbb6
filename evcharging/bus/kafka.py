"""The bus over Kafka, with aiokafka: Apache Kafka, anything that speaks its protocol, or the embedded broker.

Delivery is at least once and ordered per key, also through outages that last longer than the library's own timeouts.
The ways out and in are in `kafka_sender` and `kafka_reader`; this puts them together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from aiokafka.errors import KafkaError

from evcharging.bus.checks import checked_starts
from evcharging.bus.kafka_cluster import create_topics
from evcharging.bus.kafka_reader import KafkaSubscription
from evcharging.bus.kafka_sender import KafkaSender
from evcharging.bus.kafka_settings import KafkaSettings
from evcharging.bus.protocol import AssignmentCallback, BusHealth, BusStopped, Start, Subscription
from evcharging.messages.envelope import Event
from evcharging.messages.topics import TOPICS

__all__ = ["KafkaBus"]

log = structlog.get_logger(__name__)

_RETRY_S = 2.0


class KafkaBus:
    """A `evcharging.bus.protocol.Bus` over the cluster that ``settings`` name.

    Raises:
        ValueError: the settings name no address, or TLS files that cannot be used.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        settings.client_options()
        self._settings = settings
        self._sender = KafkaSender(settings)
        self._stopped = False

    async def start(self) -> None:
        """See `evcharging.bus.protocol.Bus.start`."""
        await self._sender.start()
        while True:
            try:
                await create_topics(self._settings, [topic.name for topic in TOPICS])
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("topics could not be created yet", error=repr(error))
                await asyncio.sleep(_RETRY_S)
            else:
                return

    async def stop(self) -> None:
        """See `evcharging.bus.protocol.Bus.stop`."""
        self._stopped = True
        await self._sender.stop()

    async def publish(self, event: Event[Any]) -> asyncio.Future[None]:
        """See `evcharging.bus.protocol.Bus.publish`."""
        return await self._sender.accept(event.topic.name, event.key, event.body, event.headers())

    async def publish_raw(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]
    ) -> asyncio.Future[None]:
        """See `evcharging.bus.protocol.Bus.publish_raw`."""
        return await self._sender.accept(topic, key, value, list(headers))

    async def flush(self) -> None:
        """See `evcharging.bus.protocol.Bus.flush`."""
        await self._sender.flush()

    def subscribe(
        self,
        topics: Mapping[str, Start],
        *,
        group: str | None = None,
        sticky: bool = False,
        on_assignment: AssignmentCallback | None = None,
    ) -> Subscription:
        """See `evcharging.bus.protocol.Bus.subscribe`."""
        if self._stopped:
            raise BusStopped("the bus was stopped; make a new one")
        return KafkaSubscription(
            self._settings,
            checked_starts(topics, group),
            group=group,
            sticky=sticky,
            on_assignment=on_assignment,
            link=self._sender.link,
        )

    def health(self) -> BusHealth:
        """See `evcharging.bus.protocol.BusHealth`."""
        link = self._sender.link
        return BusHealth(connected=link.connected, waiting=self._sender.waiting, detail=link.detail)
