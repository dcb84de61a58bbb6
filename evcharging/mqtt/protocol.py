"""An MQTT connection as services see it: publish without waiting, subscribe to a stream, ask for health.

`evcharging.mqtt.client` keeps this contract with aiomqtt. Publishing never blocks and never raises for want of a
broker: what happens to a message while there is none depends on its kind.

- QoS 0 is dropped and counted.
- Retained messages (QoS 1) are remembered, the latest per topic, and published again on every connection.
- Other QoS 1 messages wait in a bounded queue, and are dropped and counted beyond it.

Errors::

    MqttError
    ├── BadAddress        the address of the broker cannot be used; raised where it is read, never later
    └── MqttStopped       publish or subscribe after stop
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, Self

__all__ = [
    "BadAddress",
    "MqttClient",
    "MqttError",
    "MqttHealth",
    "MqttMessage",
    "MqttStopped",
    "MqttStream",
    "QoS",
    "Will",
    "total",
]

QoS = Literal[0, 1]


class MqttError(Exception):
    """The base of every error of this layer."""


class BadAddress(MqttError, ValueError):
    """The address of the broker (or its CA file) cannot be used; the message says what would do."""


class MqttStopped(MqttError):
    """The client was stopped; make a new one."""


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes, retained and at QoS 1, when the connection ends without a goodbye."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class MqttMessage:
    """A message as it came.

    ``retained`` says that it was published before this subscription; ``connection`` over which connection it came, as
    `MqttHealth.connections` counts them: when it has grown, the retained messages that follow are the broker's anew.
    """

    topic: str
    payload: bytes
    retained: bool = False
    connection: int = 0


@dataclass(frozen=True, slots=True)
class MqttHealth:
    """How a connection (or a set of them) fares.

    ``connections`` counts those made so far, so that it grows with every reconnection; ``waiting`` what was accepted
    and is not yet with the broker; ``dropped_qos0`` and ``dropped_qos1`` what was given up; ``overrun`` what came in
    faster than a stream was read. ``detail`` says why there is no connection.
    """

    connected: bool
    connections: int = 0
    waiting: int = 0
    dropped_qos0: int = 0
    dropped_qos1: int = 0
    overrun: int = 0
    detail: str | None = None


class MqttStream(Protocol):
    """The messages of some filters, in the order of their arrival. Iterate it once; close it when done."""

    def __aiter__(self) -> AsyncIterator[MqttMessage]: ...

    async def __anext__(self) -> MqttMessage:
        """The next message. Ends when the stream or its client is closed; waits while there is no broker."""
        ...

    def close(self) -> None:
        """Take no more messages. Idempotent."""
        ...


class MqttClient(Protocol):
    """One connection to a broker, kept for as long as the client is started."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def start(self) -> None:
        """Begin connecting, in the background and for ever.

        Raises:
            MqttStopped: after `stop`.
        """
        ...

    async def stop(self, *, within_s: float = 2.0) -> None:
        """Send what was accepted, as long as there is a connection and ``within_s`` lasts; disconnect. Idempotent."""
        ...

    def publish(self, topic: str, payload: bytes, *, qos: QoS = 0, retain: bool = False) -> bool:
        """Accept a message for sending, or drop it; see the module. Never blocks.

        A retained message is always sent with QoS 1. Returns whether it was accepted.

        Raises:
            MqttStopped: after `stop`.
            TopicError: no broker would take the topic.
        """
        ...

    def forget(self, topic: str) -> None:
        """Publish a retained topic no more on later connections. The broker keeps it; what waits is still sent."""
        ...

    def subscribe(self, filters: Mapping[str, QoS]) -> MqttStream:
        """Receive what matches any of ``filters`` (each with the QoS to ask for), on this and every later connection.

        A broker may drop QoS 0 messages for a reader that is slow; what must not be missed is asked for with QoS 1.

        Raises:
            MqttStopped: after `stop`.
        """
        ...

    async def wait_connected(self) -> None:
        """Return once there is a connection with every subscription confirmed; at once where there is."""
        ...

    async def flush(self) -> None:
        """Wait until nothing accepted is waiting any more. Put a limit on it: without a broker it does not return."""
        ...

    def health(self) -> MqttHealth:
        """See `MqttHealth`."""
        ...


def total(parts: list[MqttHealth]) -> MqttHealth:
    """One health for several connections: connected when all are."""
    broken = [part.detail for part in parts if not part.connected and part.detail]
    return MqttHealth(
        connected=all(part.connected for part in parts),
        connections=sum(part.connections for part in parts),
        waiting=sum(part.waiting for part in parts),
        dropped_qos0=sum(part.dropped_qos0 for part in parts),
        dropped_qos1=sum(part.dropped_qos1 for part in parts),
        overrun=sum(part.overrun for part in parts),
        detail=broken[0] if broken else None,
    )
