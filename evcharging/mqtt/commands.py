"""Commands that come in over MQTT, answered once each.

`CommandDesk` reads a command, refuses what is malformed, expired or replayed by the broker, hands the rest to the
service one at a time per unit, and makes the acknowledgement. It knows no connection: messages are handed in,
acknowledgements are handed out.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from pydantic import JsonValue

from evcharging.messages.base import rfc3339
from evcharging.messages.commands import CommandOutcome
from evcharging.mqtt.payloads import PayloadError, UnitAck, UnitCommand, read_unit
from evcharging.mqtt.protocol import MqttMessage
from evcharging.mqtt.topics import CommandTopic

__all__ = ["CommandAnswer", "CommandCounts", "CommandDesk", "CommandHandler"]

REMEMBERED = 4_096
OUTSTANDING_LIMIT = 1_000
ANSWER_LIMIT_S = 30.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CommandAnswer:
    """What a service says to a command: a code where it refuses (``busy``), words for people beside it."""

    outcome: CommandOutcome = CommandOutcome.ACCEPTED
    payload: dict[str, JsonValue] | None = None
    error_code: str | None = None
    error_description: str | None = None


CommandHandler = Callable[[CommandTopic, UnitCommand], Awaitable[CommandAnswer]]
"""Carries out a command. It may take up to 30 s; what it raises is answered REJECTED and logged."""


@dataclass(slots=True)
class CommandCounts:
    """What came in and did not reach the handler."""

    malformed: int = 0
    expired: int = 0
    repeated: int = 0
    retained: int = 0
    refused: int = 0


class CommandDesk:
    """Takes commands for any number of units.

    Args:
        handler: carries commands out.
        clock: the time in UTC, for expiry and acknowledgements.
        publish_ack: sends an acknowledgement.
    """

    def __init__(
        self,
        handler: CommandHandler,
        *,
        clock: Callable[[], datetime],
        publish_ack: Callable[[CommandTopic, UnitAck], object],
    ) -> None:
        self.counts = CommandCounts()
        self._handler = handler
        self._clock = clock
        self._publish_ack = publish_ack
        self._answers: OrderedDict[tuple[str, str], UnitAck | None] = OrderedDict()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, topic: CommandTopic, message: MqttMessage) -> None:
        """Deal with one command, in the background."""
        if message.retained:  # a retained command would come again with every reconnection
            self.counts.retained += 1
            log.warning("ignored a retained command", unit_id=topic.unit_id, verb=topic.verb)
            return
        now = self._clock()
        try:
            command = read_unit(UnitCommand, message.payload, unit_id=topic.unit_id, received_at=now)
        except PayloadError as error:
            self.counts.malformed += 1
            self._refuse(topic, None, "invalid_payload", str(error))
            return
        if self._is_repeat(topic, command):
            return
        if len(self._tasks) >= OUTSTANDING_LIMIT:
            self.counts.refused += 1
            self._refuse(topic, command, "overloaded", f"{OUTSTANDING_LIMIT} commands wait already; try again later")
            return
        task = asyncio.create_task(self._carry_out(topic, command), name=f"mqtt-command:{topic.unit_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up what is still being carried out."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _is_repeat(self, topic: CommandTopic, command: UnitCommand) -> bool:
        if command.command_id is None:
            return False
        key = (topic.unit_id, command.command_id)
        if key in self._answers:
            self.counts.repeated += 1
            known = self._answers[key]
            if known is not None:
                self._publish_ack(topic, known)
            return True
        self._answers[key] = None
        if len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)
        return False

    async def _carry_out(self, topic: CommandTopic, command: UnitCommand) -> None:
        async with self._turns[topic.unit_id]:
            expires_at = command.expires_at
            if expires_at is not None and self._clock() >= expires_at:
                self.counts.expired += 1
                answer = CommandAnswer(CommandOutcome.EXPIRED, error_description=f"expired at {rfc3339(expires_at)}")
            else:
                answer = await self._ask(topic, command)
            self._acknowledge(topic, command, answer)

    async def _ask(self, topic: CommandTopic, command: UnitCommand) -> CommandAnswer:
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                return await self._handler(topic, command)
        except TimeoutError:
            return CommandAnswer(CommandOutcome.TIMEOUT, error_description=f"not carried out within {ANSWER_LIMIT_S} s")
        except Exception as error:
            log.exception("a command failed", unit_id=topic.unit_id, verb=topic.verb)
            return CommandAnswer(
                CommandOutcome.REJECTED, error_code="internal_error", error_description=type(error).__name__
            )

    def _refuse(self, topic: CommandTopic, command: UnitCommand | None, code: str, description: str) -> None:
        answer = CommandAnswer(CommandOutcome.REJECTED, error_code=code, error_description=description)
        self._acknowledge(topic, command, answer)

    def _acknowledge(self, topic: CommandTopic, command: UnitCommand | None, answer: CommandAnswer) -> None:
        command_id = command.command_id if command else None
        ack = UnitAck(
            ts=self._clock(),
            unit_id=topic.unit_id,
            verb=topic.verb,
            command_id=command_id,
            outcome=answer.outcome,
            payload=answer.payload,
            error_code=answer.error_code,
            error_description=answer.error_description,
        )
        if command_id is not None:
            self._answers[topic.unit_id, command_id] = ack
        self._publish_ack(topic, ack)
