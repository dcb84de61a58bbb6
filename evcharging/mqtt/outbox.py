"""What waits to be sent on one connection: bounded, in order, and clear about what an outage costs.

`Outbox` knows no network, no clock and no task: a client takes messages, says which arrived, and says when the
connection is lost. It keeps

- retained messages for good, the latest per topic, to publish them again on every connection;
- other QoS 1 messages until they are acknowledged;
- QoS 0 messages only while there is a connection.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from evcharging.mqtt.protocol import QoS

__all__ = ["Outbox", "Outgoing"]


@dataclass(slots=True, eq=False)
class Outgoing:
    """A message on its way out."""

    topic: str
    payload: bytes
    qos: QoS
    retain: bool


class Outbox:
    """A queue of at most ``limit`` messages, and as many retained topics as there are."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queue: OrderedDict[object, Outgoing] = OrderedDict()
        self._in_flight: dict[int, Outgoing] = {}
        self._retained: OrderedDict[str, Outgoing] = OrderedDict()
        self._transient = 0
        self._connected = False
        self.dropped_qos0 = 0
        self.dropped_qos1 = 0

    def put(self, topic: str, payload: bytes, *, qos: QoS, retain: bool) -> bool:
        """Accept a message or drop it; returns whether it was accepted.

        A retained one takes the place of an older one of its topic that still waits.
        """
        if retain:
            message = Outgoing(topic, payload, 1, retain=True)
            self._retained[topic] = message
            self._queue[topic] = message
            self._queue.move_to_end(topic)
            return True
        if qos == 0 and (not self._connected or self._transient >= self._limit):
            self.dropped_qos0 += 1
            return False
        if self._transient >= self._limit:
            self.dropped_qos1 += 1
            return False
        message = Outgoing(topic, payload, qos, retain=False)
        self._queue[id(message)] = message
        self._transient += 1
        return True

    def forget(self, topic: str) -> None:
        """Publish a retained topic no more on later connections. What waits is still sent."""
        self._retained.pop(topic, None)

    def take(self, most: int) -> list[Outgoing]:
        """Up to ``most`` messages, oldest first. Each is in flight until `arrived` or `connection_lost`."""
        taken: list[Outgoing] = []
        while self._queue and len(taken) < most:
            _, message = self._queue.popitem(last=False)
            self._in_flight[id(message)] = message
            taken.append(message)
        return taken

    def arrived(self, message: Outgoing) -> None:
        """The broker has it (QoS 1), or the network does (QoS 0)."""
        if self._in_flight.pop(id(message), None) is not None and not message.retain:
            self._transient -= 1

    def connection_made(self) -> None:
        """Have every retained message published first."""
        self._connected = True
        for topic, message in reversed(self._retained.items()):
            self._queue[topic] = message
            self._queue.move_to_end(topic, last=False)

    def connection_lost(self) -> None:
        """Drop what was QoS 0, keep the rest, in its order, for the next connection."""
        self._connected = False
        unsent = [*self._in_flight.values(), *self._queue.values()]
        self._in_flight.clear()
        self._queue.clear()
        self._transient = 0
        for message in unsent:
            if message.retain:
                if self._retained.get(message.topic, message) is message:
                    self._queue[message.topic] = message
            elif message.qos == 0:
                self.dropped_qos0 += 1
            else:
                self._queue[id(message)] = message
                self._transient += 1

    def __len__(self) -> int:
        """How many wait or are in flight."""
        return len(self._queue) + len(self._in_flight)
