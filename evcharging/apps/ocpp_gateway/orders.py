"""Orders to stations without a Central: commands put on the bus of a standalone gateway, and their replies awaited.

They take the same way as Central's, so that what a station does in a trial is what it does in a network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from evcharging.bus.consumer import Consumer
from evcharging.bus.protocol import Bus, Position
from evcharging.messages.commands import Command, CommandAction, CommandOutcome, Reply
from evcharging.messages.envelope import Event, Received
from evcharging.messages.topics import COMMANDS, REPLIES

__all__ = ["Orders"]


class Orders:
    """Makes commands of OCPP calls. Enter it, and have `run` in a task, before `call`.

    Args:
        bus: where the gateway reads its commands.
        source: names this gateway.
        now: the time.
        new_id: makes command ids.
        timeout_s: how long a reply is waited for; also when a command expires.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        source: str,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        timeout_s: float,
    ) -> None:
        self._bus = bus
        self._source = source
        self._now = now
        self._new_id = new_id
        self._timeout_s = timeout_s
        self._waiting: dict[str, asyncio.Future[Reply]] = {}
        self._consumer = Consumer(bus, {REPLIES: Position.END}, handler=self._take, name="orders")

    async def __aenter__(self) -> Self:
        await self._consumer.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.__aexit__(kind, error, trace)

    async def run(self) -> None:
        """Read replies for ever."""
        await self._consumer.run()

    async def call(self, cp_id: str, action: str, payload: dict[str, Any]) -> Reply:
        """Have a station asked, and return the reply; one that does not come is TIMEOUT."""
        now = self._now()
        command = Command(
            ts=now,
            command_id=self._new_id(),
            cp_id=cp_id,
            action=CommandAction.OCPP_CALL,
            payload={"action": action, "payload": payload},
            expires_at=now + timedelta(seconds=self._timeout_s),
        )
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[command.command_id] = reply
        try:
            await self._bus.publish(Event(COMMANDS, command, command.command_id, self._source))
            async with asyncio.timeout(self._timeout_s):
                return await reply
        except TimeoutError:
            return Reply(ts=self._now(), command_id=command.command_id, cp_id=cp_id, outcome=CommandOutcome.TIMEOUT)
        finally:
            del self._waiting[command.command_id]

    async def _take(self, batch: Sequence[Received[Any]]) -> None:
        for received in batch:
            waiting = self._waiting.get(received.message.command_id)
            if waiting is not None and not waiting.done():
                waiting.set_result(received.message)
