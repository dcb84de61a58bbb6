"""What the site says, as the stations' policies ask for it: price, hour, carbon, and how full the connection is.

The hour is the site's simulated one where the site has one, else the local wall clock's. The connection's load is
known only where the site has a grid limit: the power of this worker's stations over that limit and what the sun adds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import structlog

from evcharging.bus.consumer import Consumer
from evcharging.bus.protocol import Bus, Position
from evcharging.messages.envelope import Received
from evcharging.messages.network import SiteSignal
from evcharging.messages.topics import SITE_SIGNALS
from evcharging.ocpp.station.environment import SharedEnvironment

__all__ = ["FIRST_CURRENCY", "FIRST_PRICE", "Surroundings"]

log = structlog.get_logger()

FIRST_PRICE: Final = 0.30
FIRST_CURRENCY: Final = "EUR"
"""What Central begins with; stations that run before it has said so go by it."""
LOOK_EVERY_S: Final = 1.0
LOAD_STEPS: Final = 20
"""The load is told in twentieths: every change wakes every station."""


class _Guarded(SharedEnvironment):
    """What one station makes of a change costs no other one its news."""

    def watch(self, on_change: Callable[[], None]) -> Callable[[], None]:
        def heard() -> None:
            try:
                on_change()
            except Exception:
                log.exception("a station failed over a change of its surroundings")

        return super().watch(heard)


class Surroundings:
    """The site of one worker's stations; ``environment`` is what those are given.

    Args:
        bus: where the site's signals are read, without a group.
        site_id: whose signals count.
        now: the time, local to the site.
        power_kw: what all stations here draw.
    """

    def __init__(self, bus: Bus, *, site_id: str, now: Callable[[], datetime], power_kw: Callable[[], float]) -> None:
        self.environment: SharedEnvironment = _Guarded(price=FIRST_PRICE, currency=FIRST_CURRENCY, hour=now().hour)
        self._site_id = site_id
        self._now = now
        self._power_kw = power_kw
        self._signal: SiteSignal | None = None
        self._consumer = Consumer(bus, {SITE_SIGNALS: Position.BEGINNING}, handler=self._take, name="swarm site")

    async def run(self) -> None:
        """Follow the signals and the clock for ever."""
        async with self._consumer, asyncio.TaskGroup() as group:
            group.create_task(self._consumer.run())
            while True:
                self.look()
                await asyncio.sleep(LOOK_EVERY_S)

    async def wait_known(self) -> None:
        """Wait until what the site has said so far is in force. `run` must be running."""
        await self._consumer.wait_caught_up()

    def progressing(self) -> bool:
        """Whether reading makes progress."""
        return self._consumer.health().progressing

    def take(self, signal: SiteSignal) -> None:
        """Put a signal of this site into force; the stations hear of it before this returns."""
        if signal.site_id == self._site_id:
            self._signal = signal
            self.look()

    def look(self) -> None:
        """See what is so now."""
        signal = self._signal
        if signal is None:
            self.environment.change(hour=self._now().hour)
            return
        self.environment.change(
            price=signal.price_per_kwh,
            currency=signal.currency,
            hour=self._hour(signal),
            carbon_intensity=signal.carbon_g_per_kwh,
            grid_load=self._load(signal),
        )

    async def _take(self, batch: Sequence[Received[Any]]) -> None:
        for received in batch:
            self.take(received.message)

    def _hour(self, signal: SiteSignal) -> int:
        if signal.simulated_time is None:
            return self._now().hour
        return (signal.simulated_time + (self._now() - signal.ts) * (signal.time_scale or 1.0)).hour

    def _load(self, signal: SiteSignal) -> float | None:
        if signal.grid_limit_kw is None:
            return None
        limit_kw = signal.grid_limit_kw + (signal.solar_kw or 0.0)
        if limit_kw <= 0.0:
            return 1.0
        return round(min(self._power_kw() / limit_kw, 2.0) * LOAD_STEPS) / LOAD_STEPS
