"""Puts a service's events on the bus, in order, and holds them while it is away.

What is held is bounded by what makes it: from `HOLD_AT` on a service closes no intervals (`congested`), so that what
is metered stays in the open ones, and nothing of it is lost.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final

import structlog

from evcharging.bus.protocol import Bus, BusOverloaded, RecordRefused
from evcharging.messages.envelope import Event, child_of

__all__ = ["HOLD_AT", "Sender"]

log = structlog.get_logger()

HOLD_AT: Final = 20_000
AT_MOST: Final = 100_000
TRY_AGAIN_S: Final = 0.2
AT_ONCE: Final = 50
"""Then others have their turn: a bus that takes everything at once would hold them up until nothing waits."""


class Sender:
    """One per process. `send` at any time; `run` for as long as there is a bus.

    Args:
        bus: where to.
        hold_at: so many events waiting, here and in the bus, are a congestion.
        at_most: beyond so many here the newest are dropped, counted and logged; `congested` keeps it from happening.
    """

    def __init__(self, bus: Bus, *, hold_at: int = HOLD_AT, at_most: int = AT_MOST) -> None:
        self._bus = bus
        self._hold_at = hold_at
        self._at_most = at_most
        self._queue: deque[Event[Any]] = deque()
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self.lost = 0

    @property
    def waiting(self) -> int:
        """Events sent and not acknowledged by the broker."""
        return len(self._queue) + self._bus.health().waiting

    @property
    def congested(self) -> bool:
        """Whether so much waits that no more telemetry should be made."""
        return self.waiting >= self._hold_at

    def send(self, event: Event[Any]) -> None:
        """Accept an event. Its ``traceparent`` is its cause's and is replaced by a child of it."""
        if len(self._queue) >= self._at_most:
            self.lost += 1
            log.error("an event is dropped: too many wait for the bus", topic=event.topic.name, lost=self.lost)
            return
        self._queue.append(Event(event.topic, event.message, event.id, event.source, child_of(event.traceparent)))
        self._empty.clear()
        self._wake.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            published = 0
            while self._queue:
                await self._publish(self._queue[0])
                self._queue.popleft()
                published += 1
                if published % AT_ONCE == 0:
                    await asyncio.sleep(0)
            self._empty.set()

    async def drain(self, timeout_s: float) -> bool:
        """Wait until the broker has everything sent so far; `run` must be running. Returns whether it has."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
                await self._bus.flush()
        except TimeoutError:
            log.error("the bus did not take what was left to say", waiting=self.waiting)  # noqa: TRY400
            return False
        return True

    async def _publish(self, event: Event[Any]) -> None:
        while True:
            try:
                await self._bus.publish(event)
            except BusOverloaded:
                await asyncio.sleep(TRY_AGAIN_S)
            except RecordRefused:
                log.exception("an event is dropped: the broker will never take it", topic=event.topic.name)
                self.lost += 1
                return
            else:
                return
