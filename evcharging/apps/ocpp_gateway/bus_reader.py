"""What the gateway reads from the bus: commands of the last minute and from now on, every token, the site's price.

It reads without a group, each gateway everything, and commits nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from evcharging.apps.ocpp_gateway.authorization import Authorization
from evcharging.bus.consumer import Consumer, Tombstone
from evcharging.bus.protocol import Bus, Position, Since, SubscriptionHealth
from evcharging.messages.commands import LONGEST_EXPIRY_S, Command
from evcharging.messages.envelope import Received
from evcharging.messages.network import AuthToken, SiteSignal
from evcharging.messages.topics import AUTH_TOKENS, COMMANDS, SITE_SIGNALS

__all__ = ["BusReader", "SitePrice"]


class SitePrice:
    """The price that holds at the site now, for display, and what its sun gives. Nothing until the first signal."""

    def __init__(self, site_id: str) -> None:
        self._site_id = site_id
        self.per_kwh = 0.0
        self.currency = "EUR"
        self.solar_kw = 0.0

    def learn(self, signal: SiteSignal) -> None:
        """Take a signal, if it is of this site."""
        if signal.site_id == self._site_id:
            self.per_kwh, self.currency = signal.price_per_kwh, signal.currency
            self.solar_kw = signal.solar_kw or 0.0


class BusReader:
    """Reads. Enter it, then await `run` in a task of your own.

    Args:
        on_command: is given each command, also of before the start; must not wait.
    """

    def __init__(
        self,
        bus: Bus,
        authorization: Authorization,
        price: SitePrice,
        *,
        on_command: Callable[[Received[Command]], None],
        now: Callable[[], datetime],
    ) -> None:
        self._authorization = authorization
        self._price = price
        self._on_command = on_command
        self._consumer = Consumer(
            bus,
            {
                AUTH_TOKENS: Position.BEGINNING,
                SITE_SIGNALS: Position.BEGINNING,
                COMMANDS: Since(now() - timedelta(seconds=LONGEST_EXPIRY_S)),
            },
            handler=self._take,
            on_tombstone=self._take_out,
            name="gateway",
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
        """Wait until everything that was there at the start was read: tokens above all. `run` must be running."""
        await self._consumer.wait_caught_up()

    def health(self) -> SubscriptionHealth:
        """Whether reading makes progress."""
        return self._consumer.health()

    async def _take(self, batch: Sequence[Received[Any]]) -> None:
        for received in batch:
            match received.message:
                case Command():
                    self._on_command(received)
                case AuthToken() as token:
                    self._authorization.learn(token)
                case SiteSignal() as signal:
                    self._price.learn(signal)

    async def _take_out(self, tombstone: Tombstone) -> None:
        if tombstone.topic == AUTH_TOKENS.name:
            self._authorization.forget(tombstone.key.decode("utf-8", "replace"))
