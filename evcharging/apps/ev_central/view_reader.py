"""Keeps a `NetworkView` and a `SwarmView` up to date from the bus.

It reads without a group, each copy of Central all partitions, and commits nothing: compacted topics from the beginning,
alerts of the last day, logs of the last hour, the rest from now. It has no effect on anything but the views; what
cannot be decoded is passed over here, and set aside by the group that owns the topic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

import prometheus_client

from evcharging.apps.ev_central.swarm_view import SwarmView
from evcharging.apps.ev_central.view import NetworkView
from evcharging.bus.consumer import Consumer, Tombstone
from evcharging.bus.protocol import Bus, Position, Since, SubscriptionHealth
from evcharging.messages.commands import Reply
from evcharging.messages.envelope import Received
from evcharging.messages.network import SiteSignal
from evcharging.messages.topics import (
    ALERTS,
    DRIVER_UPDATES,
    HEALTH,
    REPLIES,
    SITE_SIGNALS,
    STATUS,
    SWARM_DESIRED,
    SWARM_LOG,
    SWARM_STATUS,
    TELEMETRY,
)

__all__ = ["ALERTS_REACH_BACK", "ViewReader"]

ALERTS_REACH_BACK = timedelta(days=1)
"""Alerts of this long ago are shown again after a restart; one that still stands must not vanish with the process."""

LOGS_REACH_BACK = timedelta(hours=1)
"""Lines of this long ago are shown again after a restart; what is older is in the history."""

SEEN = prometheus_client.Counter(
    "evcharging_central_view_messages_total", "Messages read into the view", ["topic", "result"]
)


class ViewReader:
    """Reads the topics the views are made of. Enter it, then await `run` in a task of your own.

    ``on_signal`` is told of each signal too: prices are kept in memory, and another copy of Central may change them.
    ``on_reply`` is told of each reply: somebody may wait for it here, whichever copy of Central sent the command.
    """

    def __init__(
        self,
        bus: Bus,
        view: NetworkView,
        swarm: SwarmView,
        *,
        now: Callable[[], datetime],
        on_signal: Callable[[SiteSignal], Awaitable[None]] | None = None,
        on_reply: Callable[[Reply], None] | None = None,
    ) -> None:
        self._view = view
        self._swarm = swarm
        self._on_signal = on_signal
        self._on_reply = on_reply
        self._now = now
        self._consumer = Consumer(
            bus,
            {
                STATUS: Position.BEGINNING,
                SITE_SIGNALS: Position.BEGINNING,
                ALERTS: Since(now() - ALERTS_REACH_BACK),
                TELEMETRY: Position.END,
                HEALTH: Position.END,
                REPLIES: Position.END,
                DRIVER_UPDATES: Position.END,
                SWARM_DESIRED: Position.BEGINNING,
                SWARM_STATUS: Position.BEGINNING,
                SWARM_LOG: Since(now() - LOGS_REACH_BACK),
            },
            handler=self._take,
            on_tombstone=self._take_out,
            name="central view",
        )

    async def __aenter__(self) -> Self:
        await self._consumer.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.__aexit__(kind, error, trace)

    async def run(self) -> None:
        """Read for ever."""
        await self._consumer.run()

    async def wait_caught_up(self) -> None:
        """Wait until the view shows everything that was there at the start. `run` must be running."""
        await self._consumer.wait_caught_up()

    def caught_up(self) -> bool:
        """Whether the view shows everything that was there at the start."""
        return self._consumer.caught_up()

    def partitions(self) -> frozenset[tuple[str, int]]:
        """Every (topic, partition) pair there is: each copy of Central reads them all."""
        return self._consumer.partitions()

    def health(self) -> SubscriptionHealth:
        """Whether reading makes progress."""
        return self._consumer.health()

    async def _take(self, batch: Sequence[Received[Any]]) -> None:
        received_at = self._now()
        results = Counter((r.topic, self._view_of(r.topic).apply(r.message, received_at)) for r in batch)
        for (topic, counted), number in results.items():
            SEEN.labels(topic, "counted" if counted else "no_news").inc(number)
        for received in batch:
            if self._on_reply is not None and isinstance(received.message, Reply):
                self._on_reply(received.message)
            elif self._on_signal is not None and isinstance(received.message, SiteSignal):
                await self._on_signal(received.message)

    async def _take_out(self, tombstone: Tombstone) -> None:
        key = tombstone.key.decode("utf-8", "replace")
        if tombstone.topic == STATUS.name:
            self._view.forget(key)
        else:
            self._swarm.forget(tombstone.topic, key)

    def _view_of(self, topic: str) -> NetworkView | SwarmView:
        return self._swarm if topic in OF_THE_SWARM else self._view


OF_THE_SWARM = frozenset({SWARM_DESIRED.name, SWARM_STATUS.name, SWARM_LOG.name})
