"""What browsers are told over ``/ws``: a snapshot, then only changes, five times a second at most.

Each change is encoded once, whoever listens. There is no queue per browser: changes stand in a short row that all read
from, and a browser that falls behind the row's beginning is given a fresh snapshot instead of what it missed. So a slow
browser costs nothing but its own delay.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import orjson
import structlog
from prometheus_client import Counter, Gauge

from evcharging.apps.ev_central.view import Changes, NetworkView
from evcharging.domain.states import ChargePointState
from evcharging.messages.base import rfc3339
from evcharging.messages.network import SiteSignal
from evcharging.store.database import DatabaseUnavailable
from evcharging.store.simulator.session_records import Totals

__all__ = ["LiveFeed", "TooManyBrowsers"]

log = structlog.get_logger()

TICK_S = 0.2
TICKS_KEPT = 25
TOTALS_EVERY_S = 1.0
PING_AFTER_S = 5.0
MOST_BROWSERS = 1_000
ALERTS_IN_SNAPSHOT = 50
PING = '{"type":"ping"}'

BROWSERS = Gauge("evcharging_central_browsers", "Browsers and programs on /ws")
SNAPSHOTS = Counter("evcharging_central_live_snapshots_total", "Snapshots sent over /ws", ["why"])


class TooManyBrowsers(Exception):
    """The bound on listeners is reached; try again later."""


@dataclass(frozen=True)
class Tick:
    """What changed in one interval, encoded: by charge point, and what concerns nobody in particular."""

    by_cp: dict[str, list[str]]
    general: list[str] = field(default_factory=list)

    def messages(self, cp_id: str | None) -> Sequence[str]:
        """All of it, or what concerns one charge point."""
        return self.all if cp_id is None else self.by_cp.get(cp_id, [])

    @cached_property
    def all(self) -> Sequence[str]:
        return [*(text for texts in self.by_cp.values() for text in texts), *self.general]

    @cached_property
    def batch(self) -> str:
        return f"[{','.join(self.all)}]"


class LiveFeed:
    """Turns a view's changes into messages for any number of browsers.

    Args:
        view: where changes are taken from; this must be their only taker.
        totals: energy and money so far; asked for once a second at most, while somebody listens.
        now: the clock.
        tick_s: how long changes are gathered.
    """

    def __init__(
        self,
        view: NetworkView,
        *,
        totals: Callable[[], Awaitable[Totals]],
        now: Callable[[], datetime],
        tick_s: float = TICK_S,
        ping_after_s: float = PING_AFTER_S,
    ) -> None:
        self._view = view
        self._ask_totals = totals
        self._now = now
        self._tick_s = tick_s
        self._ping_after_s = ping_after_s
        self._browsers = 0
        self._number = 0
        self._ticks: deque[Tick] = deque(maxlen=TICKS_KEPT)
        self._records: dict[str, str] = {}
        self._snapshot: tuple[int, str] | None = None
        self._sums: Totals | None = None
        self._totals: dict[str, Any] | None = None
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
            cp_id: leave out what does not concern this charge point.
            batch: changes of one interval as one JSON array (of everything; not with ``cp_id``).

        Raises:
            TooManyBrowsers: before the first message.
        """
        async with self._listening() as work:
            position = self._number
            SNAPSHOTS.labels("joined").inc()
            yield self._snapshot_for(cp_id)
            while not self._closed:
                if work.done():
                    work.result()  # a mistake of ours ends the feed for all who listen; whoever comes again starts it
                if position == self._number:
                    if not await self._wait():
                        yield PING
                    continue
                behind = self._number - position
                if behind > len(self._ticks):
                    position = self._number
                    SNAPSHOTS.labels("fell_behind").inc()
                    yield self._snapshot_for(cp_id)
                    continue
                tick = self._ticks[-behind]
                position += 1
                if batch and cp_id is None:
                    yield tick.batch
                    continue
                for text in tick.messages(cp_id):
                    yield text

    def tick(self) -> None:
        """Gather what has changed since the last tick and put it before the listeners."""
        now = self._now()
        changes = self._view.take_changes(now)
        tick = self._encode(changes, now)
        if tick.by_cp or tick.general:
            self._ticks.append(tick)
            self._number += 1
            self._announce()

    async def _working(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ticking())
            tasks.create_task(self._summing())

    async def _ticking(self) -> None:
        while True:
            await asyncio.sleep(self._tick_s)
            self.tick()

    async def _summing(self) -> None:
        while True:
            try:
                self._sums = await self._ask_totals()
            except DatabaseUnavailable as error:
                log.debug("totals stand still", error=str(error))
            await asyncio.sleep(TOTALS_EVERY_S)

    def _encode(self, changes: Changes, now: datetime) -> Tick:
        by_cp: dict[str, list[str]] = {}
        general: list[str] = []
        for cp_id in changes.charge_points:
            record = self._view.live_record(cp_id, now)
            if record is not None:
                text = self._records[cp_id] = _text(record)
                by_cp[cp_id] = [text]
        for cp_id in changes.gone:
            self._records.pop(cp_id, None)
            by_cp[cp_id] = [_text({"type": "gone", "unit_id": cp_id})]
        for alert in changes.alerts:
            text = _text({"type": "alert", **alert.model_dump(mode="json")})
            by_cp.setdefault(alert.cp_id, []).append(text)
        for reply in changes.replies:
            text = _text({"type": "reply", **reply.model_dump(mode="json", exclude={"payload"})})
            by_cp.setdefault(reply.cp_id, []).append(text)
        if changes.signal is not None:
            general.append(_text({"type": "pricing", **_pricing(changes.signal)}))
        totals = self._totals_now()
        if totals != self._totals:
            self._totals = totals
            general.append(_text({"type": "totals", **totals}))
        return Tick(by_cp, general)

    def _totals_now(self) -> dict[str, Any]:
        sums = self._sums
        return {
            "energy_kwh": None if sums is None else float(sums.energy_kwh),
            "earnings": None if sums is None else float(sums.earnings),
            "currency": self._view.currency if sums is None else sums.currency,
            "stations": len(self._view),
            "running": self._view.states[ChargePointState.SUPPLYING],
        }

    def _snapshot_for(self, cp_id: str | None) -> str:
        if cp_id is not None:
            known = self._records.get(cp_id)
            return _frame({"type": "snapshot", "ts": rfc3339(self._now())}, [] if known is None else [known])
        if self._snapshot is None or self._snapshot[0] != self._number:
            signal = self._view.signal
            head = {
                "type": "snapshot",
                "ts": rfc3339(self._now()),
                "totals": self._totals_now(),
                "pricing": None if signal is None else _pricing(signal),
                "alerts": [alert.model_dump(mode="json") for alert in self._view.alerts()[:ALERTS_IN_SNAPSHOT]],
            }
            self._snapshot = (self._number, _frame(head, self._records.values()))
        return self._snapshot[1]

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
                self._records.clear()
                self._ticks.clear()
                self._snapshot = None
                work.cancel()
                await asyncio.wait([work])

    def _begin_afresh(self) -> None:
        """Nobody listened, so nothing was encoded: encode the whole network once."""
        now = self._now()
        self._view.take_changes(now)
        for cp_id in self._view.ids():
            record = self._view.live_record(cp_id, now)
            if record is not None:
                self._records[cp_id] = _text(record)
        self._number += 1
        self._totals = None

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


def _pricing(signal: SiteSignal) -> dict[str, Any]:
    return {"price": signal.price_per_kwh, "solar_price": signal.solar_price_per_kwh, "currency": signal.currency}


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


def _frame(head: dict[str, Any], records: Iterable[str]) -> str:
    return f'{_text(head)[:-1]},"cp":[{",".join(records)}]}}'
