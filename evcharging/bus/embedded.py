"""A Kafka broker without a download: librdkafka's mock cluster, from the confluent-kafka wheel.

It speaks Kafka's protocol to any client, keeps everything in memory (about 5 MiB or 100,000 records a partition; what
is older is dropped without a word) and has four partitions a topic. It cannot create topics on request, look offsets
up by time, or survive its process. It serves one copy of each service, for development and demonstration.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from evcharging.bus.protocol import BusUnavailable

__all__ = ["EMBEDDED_NOTICE", "EmbeddedKafka"]

EMBEDDED_NOTICE = (
    "embedded Kafka: for one copy of each service, development and demonstration; nothing is kept on disk, and a "
    "partition keeps its last 5 MiB"
)
START_TIMEOUT_S = 10.0


class EmbeddedKafka:
    """One broker on a free port of the loopback interface, alive as long as this object is entered."""

    def __init__(self) -> None:
        self._cluster: AdminClient | None = None
        self._address: tuple[str, int] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the broker.

        Raises:
            BusUnavailable: it did not come up.
        """
        self._cluster = AdminClient({"test.mock.num.brokers": 1, "client.id": "embedded", "log_level": 3})
        try:
            metadata = await asyncio.to_thread(self._cluster.list_topics, timeout=START_TIMEOUT_S)
        except KafkaException as error:
            raise BusUnavailable(f"the embedded Kafka did not come up in {START_TIMEOUT_S:.0f} s: {error}") from error
        broker = next(iter(metadata.brokers.values()))
        self._address = (str(broker.host), int(broker.port))

    async def stop(self) -> None:
        """Stop the broker and forget what it held. Idempotent."""
        cluster, self._cluster = self._cluster, None
        if cluster is not None:
            await asyncio.to_thread(lambda held: held.clear(), [cluster])

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on."""
        if self._address is None:
            raise BusUnavailable("the embedded Kafka was not started; call start() first")
        return self._address

    @property
    def bootstrap(self) -> str:
        """The address as clients want it."""
        host, port = self.address
        return f"{host}:{port}"
