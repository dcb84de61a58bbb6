"""Orders of a standalone gateway: commands on its bus, and their replies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

from evcharging.apps.ocpp_gateway.orders import Orders
from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import MemoryLog
from evcharging.bus.protocol import Position
from evcharging.messages.commands import Command, CommandAction, CommandOutcome, Reply
from evcharging.messages.envelope import Event
from evcharging.messages.topics import COMMANDS, REPLIES

NOW = datetime(2026, 1, 31, tzinfo=UTC)
DEADLINE_S = 30


@asynccontextmanager
async def ordering(bus: MemoryBus, *, timeout_s: float = DEADLINE_S) -> AsyncIterator[Orders]:
    ids = count(1)
    orders = Orders(bus, source="test", now=lambda: NOW, new_id=lambda: f"order-{next(ids)}", timeout_s=timeout_s)
    async with orders:
        task = asyncio.create_task(orders.run())
        yield orders
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def commands(bus: MemoryBus, number: int) -> list[Command]:
    async with bus.subscribe({COMMANDS.name: Position.BEGINNING}) as reading, asyncio.timeout(DEADLINE_S):
        found: list[Command] = []
        while len(found) < number:
            found += [Command.from_json(record.value or b"") for record in await reading.getmany()]
        return found


async def reply(bus: MemoryBus, command_id: str, outcome: CommandOutcome) -> None:
    message = Reply(ts=NOW, command_id=command_id, cp_id="CP-001", outcome=outcome)
    await bus.publish(Event(REPLIES, message, message.body_id(), "gateway"))


async def test_a_call_is_a_command_that_expires_and_its_reply_is_returned() -> None:
    bus = MemoryBus(MemoryLog())
    async with ordering(bus) as orders:
        calling = asyncio.create_task(orders.call("CP-001", "Reset", {"type": "Soft"}))
        (command,) = await commands(bus, 1)
        assert (command.cp_id, command.action) == ("CP-001", CommandAction.OCPP_CALL)
        assert command.payload == {"action": "Reset", "payload": {"type": "Soft"}}
        assert command.expires_at == NOW + timedelta(seconds=DEADLINE_S)
        await reply(bus, "somebody-elses", CommandOutcome.REJECTED)
        await reply(bus, command.command_id, CommandOutcome.CALL_RESULT)
        assert (await calling).outcome is CommandOutcome.CALL_RESULT


async def test_calls_that_cross_get_each_its_own_reply() -> None:
    bus = MemoryBus(MemoryLog())
    async with ordering(bus) as orders:
        one = asyncio.create_task(orders.call("CP-001", "ClearCache", {}))
        two = asyncio.create_task(orders.call("CP-001", "ClearCache", {}))
        first, second = sorted(await commands(bus, 2), key=lambda command: command.command_id)
        await reply(bus, second.command_id, CommandOutcome.REJECTED)
        await reply(bus, first.command_id, CommandOutcome.CALL_RESULT)
        await reply(bus, first.command_id, CommandOutcome.REJECTED)
        assert (await one).outcome is CommandOutcome.CALL_RESULT
        assert (await two).outcome is CommandOutcome.REJECTED


async def test_a_reply_that_does_not_come_is_a_timeout() -> None:
    bus = MemoryBus(MemoryLog())
    async with ordering(bus, timeout_s=0.05) as orders:
        assert (await orders.call("CP-001", "ClearCache", {})).outcome is CommandOutcome.TIMEOUT
