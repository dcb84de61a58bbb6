"""What browsers are told over ``/ws``: a snapshot, then only changes, one to five times a second.

Each change is encoded once, whoever listens. There is no queue per browser: changes stand in a short row that all read
from, and a browser that falls behind the row's beginning is given a fresh snapshot instead of what it missed. So a slow
browser costs nothing but its own delay.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import structlog
from prometheus_client import Counter, Gauge

from evcharging.apps.ev_central.live_encoding import LiveEncoder, Tick
from evcharging.apps.ev_central.swarm_view import SwarmView
from evcharging.apps.ev_central.view import NetworkView
from evcharging.store.database import DatabaseUnavailable
from evcharging.store.simulator.session_records import Totals

__all__ = ["LiveFeed", "TooManyBrowsers", "ticks_to_rest"]

log = structlog.get_logger()

TICK_S = 0.2
CHANGES_A_TICK = 400
LONGEST_TICKS = 5
"""Where more is new at once it is gathered for longer: of thousands of charge points, each is told once a second."""
TICKS_KEPT = 25
TOTALS_EVERY_S = 1.0
TOTALS_REST = 19
"""They are added up over all sessions there ever were: for at most a twentieth of the time."""
PING_AFTER_S = 5.0
MOST_BROWSERS = 1_000
PING = '{"type":"ping"}'

BROWSERS = Gauge("evcharging_central_browsers", "Browsers and programs on /ws")
SNAPSHOTS = Counter("evcharging_central_live_snapshots_total", "Snapshots sent over /ws", ["why"])


class TooManyBrowsers(Exception):
    """The bound on listeners is reached; try again later."""


class LiveFeed:
    """Turns the changes of two views into messages for any number of browsers.

    Args:
        view, swarm: where changes are taken from; this must be their only taker.
        totals: energy and money so far; asked for once a second at most, while somebody listens.
        now: the clock.
        tick_s: how long changes are gathered.
    """

    def __init__(
        self,
        view: NetworkView,
        swarm: SwarmView,
        *,
        totals: Callable[[], Awaitable[Totals]],
        now: Callable[[], datetime],
        tick_s: float = TICK_S,
        ping_after_s: float = PING_AFTER_S,
    ) -> None:
        self._encoder = LiveEncoder(view, swarm)
        self._swarm = swarm
        self._ask_totals = totals
        self._now = now
        self._tick_s = tick_s
        self._ping_after_s = ping_after_s
        self._browsers = 0
        self._number = 0
        self._ticks: deque[Tick] = deque(maxlen=TICKS_KEPT)
        self._snapshot: tuple[int, str] | None = None
        self._news = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self._closed = False

    def close(self) -> None:
        """End every listener's messages, now and from now on."""
        self._closed = True
        self._announce()

    async def messages(self, cp_id: str | None = None, *, batch: bool = False) -> AsyncGenerator[str]:
        """A snapshot, then changes as they come, each one JSON object; ends when the feed does.

        Args:
            cp_id: leave out what does not concern this charge point or station; the last lines of its log follow the
                snapshot.
            batch: changes of one interval as one JSON array (of everything; not with ``cp_id``).

        Raises:
            TooManyBrowsers: before the first message.
        """
        async with self._listening() as work:
            position, texts = self._present(cp_id)
            SNAPSHOTS.labels("joined").inc()
            for text in texts:
                yield text
            while not self._closed:
                if work.done():
                    work.result()  # a mistake of ours ends the feed for all who listen; whoever comes again starts it
                if position == self._number:
                    if not await self._wait():
                        yield PING
                    continue
                behind = self._number - position
                if behind > len(self._ticks):
                    position, texts = self._present(cp_id)
                    SNAPSHOTS.labels("fell_behind").inc()
                    for text in texts:
                        yield text
                    continue
                tick = self._ticks[-behind]
                position += 1
                if batch and cp_id is None:
                    yield tick.batch
                    continue
                for text in tick.messages(cp_id):
                    yield text

    def tick(self) -> int:
        """Gather what has changed since the last tick and put it before the listeners; returns how many changed."""
        tick = self._encoder.tick(self._now())
        if tick:
            self._ticks.append(tick)
            self._number += 1
            self._announce()
        return len(tick.by_id)

    async def _working(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ticking())
            tasks.create_task(self._summing())

    async def _ticking(self) -> None:
        rest = 1.0
        while True:
            await asyncio.sleep(rest * self._tick_s)
            rest = ticks_to_rest(self.tick())

    async def _summing(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began_s = loop.time()
            try:
                self._encoder.sums = await self._ask_totals()
            except DatabaseUnavailable as error:
                log.debug("totals stand still", error=str(error))
            self._swarm.expire(self._now())
            await asyncio.sleep(max(TOTALS_EVERY_S, TOTALS_REST * (loop.time() - began_s)))

    def _present(self, cp_id: str | None) -> tuple[int, list[str]]:
        """How things stand, and the position from which changes follow on it."""
        if cp_id is not None:
            self.tick()  # lines that are in its log already must not follow once more
            return self._number, [
                self._encoder.snapshot_of(cp_id, self._now()),
                *self._encoder.last_lines(cp_id),
            ]
        if self._snapshot is None or self._snapshot[0] != self._number:
            self._snapshot = (self._number, self._encoder.snapshot(self._now()))
        return self._number, [self._snapshot[1]]

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[asyncio.Task[None]]:
        if self._browsers >= MOST_BROWSERS:
            raise TooManyBrowsers(f"{self._browsers} are listening already, the bound is {MOST_BROWSERS}")
        if self._work is None:
            self._begin_afresh()
            self._work = asyncio.create_task(self._working(), name="live feed")
            self._work.add_done_callback(lambda _: self._announce())
        work = self._work
        self._browsers += 1
        BROWSERS.set(self._browsers)
        try:
            yield work
        finally:
            self._browsers -= 1
            BROWSERS.set(self._browsers)
            if self._browsers == 0:
                self._work = None
                self._encoder.clear()
                self._ticks.clear()
                self._snapshot = None
                work.cancel()
                await asyncio.wait([work])

    def _begin_afresh(self) -> None:
        """Nobody listened, so nothing was encoded: encode everything once."""
        self._encoder.begin(self._now())
        self._number += 1

    async def _wait(self) -> bool:
        try:
            async with asyncio.timeout(self._ping_after_s):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _announce(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def ticks_to_rest(changes: int) -> float:
    """For how many of its shortest intervals the feed gathers after it had this many charge points to tell of."""
    return min(max(1.0, changes / CHANGES_A_TICK), LONGEST_TICKS)
