"""What a gateway reads from the bus: every token, its site's price, commands that may still count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from evcharging.apps.ocpp_gateway.authorization import Authorization
from evcharging.apps.ocpp_gateway.bus_reader import BusReader, SitePrice
from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import MemoryLog
from evcharging.messages.commands import LONGEST_EXPIRY_S, Command, CommandAction
from evcharging.messages.envelope import Event
from evcharging.messages.network import AuthToken, SiteSignal, TokenStatus
from evcharging.messages.topics import AUTH_TOKENS, COMMANDS, SITE_SIGNALS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DEADLINE_S = 30


class Reading:
    def __init__(self, bus: MemoryBus, *, now: datetime = NOW) -> None:
        self.bus = bus
        self.heard: list[str] = []
        self.authorization = Authorization(accept_unknown=False, now=lambda: now)
        self.price = SitePrice("site-1")
        self.reader = BusReader(
            bus,
            self.authorization,
            self.price,
            on_command=lambda received: self.heard.append(received.message.command_id),
            now=lambda: now,
        )

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def reading(bus: MemoryBus, *, now: datetime = NOW) -> AsyncIterator[Reading]:
    """A reader that has caught up."""
    made = Reading(bus, now=now)
    async with made.reader:
        task = asyncio.create_task(made.reader.run())
        await asyncio.wait_for(made.reader.wait_caught_up(), DEADLINE_S)
        yield made
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def token(bus: MemoryBus, id_tag: str, **fields: Any) -> None:
    message = AuthToken(ts=NOW, id_tag=id_tag, status=TokenStatus.ACCEPTED, **fields)
    await bus.publish(Event(AUTH_TOKENS, message, f"{id_tag}-{fields}", "central"))


async def price(bus: MemoryBus, site_id: str, per_kwh: float) -> None:
    message = SiteSignal(ts=NOW, site_id=site_id, price_per_kwh=per_kwh, currency="JMD")
    await bus.publish(Event(SITE_SIGNALS, message, f"{site_id}-{per_kwh}", "central"))


async def command(bus: MemoryBus, command_id: str) -> None:
    message = Command(ts=NOW, command_id=command_id, cp_id="CP-1", action=CommandAction.STOP_CP)
    await bus.publish(Event(COMMANDS, message, command_id, "central"))


async def test_every_token_of_the_past_is_known_once_it_has_caught_up() -> None:
    bus = MemoryBus(MemoryLog())
    for number in range(50):
        await token(bus, f"TAG-{number}")
    await token(bus, "TAG-7", deleted=True)
    async with reading(bus) as read:
        assert len(read.authorization) == 49
        assert read.authorization.check("tag-8").accepted
        assert not read.authorization.check("TAG-7").accepted
        assert (read.reader.health().lag, read.reader.health().stalled_s) == (0, 0.0)


async def test_a_record_without_a_value_takes_its_token_away() -> None:
    bus = MemoryBus(MemoryLog())
    await token(bus, "TAG")
    async with reading(bus) as read:
        await bus.publish_raw(AUTH_TOKENS.name, b"TAG", None, [])
        await read.until(lambda: not read.authorization.check("TAG").accepted)


async def test_the_price_is_that_of_its_own_site_the_last_one_told() -> None:
    bus = MemoryBus(MemoryLog())
    await price(bus, "site-1", 0.25)
    async with reading(bus) as read:
        await price(bus, "site-2", 9.0)
        await price(bus, "site-1", 0.35)
        await read.until(lambda: read.price.per_kwh == 0.35)
        assert read.price.currency == "JMD"


async def test_before_the_first_signal_nothing_costs_anything() -> None:
    assert SitePrice("site-1").per_kwh == 0.0


async def test_commands_of_before_the_start_are_heard_if_they_may_still_count_and_all_that_follow() -> None:
    moments = iter([NOW, NOW + timedelta(seconds=LONGEST_EXPIRY_S), NOW + timedelta(seconds=LONGEST_EXPIRY_S + 2)])
    bus = MemoryBus(MemoryLog(), wall_clock=lambda: next(moments).timestamp())
    await command(bus, "long-ago")
    await command(bus, "just-now")
    async with reading(bus, now=NOW + timedelta(seconds=LONGEST_EXPIRY_S + 1)) as read:
        assert read.heard == ["just-now"]
        await command(bus, "next")
        await read.until(lambda: read.heard == ["just-now", "next"])


async def test_what_is_no_message_costs_only_itself() -> None:
    bus = MemoryBus(MemoryLog())
    await bus.publish_raw(AUTH_TOKENS.name, b"TAG", b"garbage", [])
    await token(bus, "TAG")
    async with reading(bus) as read:
        assert read.authorization.check("TAG").accepted
