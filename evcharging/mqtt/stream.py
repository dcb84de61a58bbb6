"""A bounded stream of incoming messages between a connection and its reader."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping

from evcharging.mqtt.protocol import MqttMessage, QoS
from evcharging.mqtt.topics import matches

__all__ = ["MessageStream"]


class MessageStream:
    """Keeps up to ``limit`` messages for its reader; beyond that the oldest goes and is counted."""

    def __init__(
        self, filters: Mapping[str, QoS], *, limit: int, on_close: Callable[[MessageStream], None] | None = None
    ) -> None:
        self.filters = dict(filters)
        self.overrun = 0
        self._waiting: deque[MqttMessage] = deque()
        self._limit = limit
        self._fresh = asyncio.Event()
        self._on_close = on_close
        self._closed = False

    def wants(self, topic: str) -> bool:
        """Whether a topic falls under one of the filters."""
        return any(matches(topic_filter, topic) for topic_filter in self.filters)

    def offer(self, message: MqttMessage) -> None:
        """Hand a message to the reader, never blocking."""
        if self._closed:
            return
        if len(self._waiting) >= self._limit:
            self._waiting.popleft()
            self.overrun += 1
        self._waiting.append(message)
        self._fresh.set()

    def __aiter__(self) -> MessageStream:
        return self

    async def __anext__(self) -> MqttMessage:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._fresh.clear()
            await self._fresh.wait()
        return self._waiting.popleft()

    def close(self) -> None:
        """Take no more messages; those that wait can still be read. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._fresh.set()
        if self._on_close is not None:
            self._on_close(self)
