from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evcharging.messages.commands import CommandOutcome
from evcharging.mqtt import commands
from evcharging.mqtt.commands import CommandAnswer, CommandDesk
from evcharging.mqtt.payloads import UnitAck, UnitCommand
from evcharging.mqtt.protocol import MqttMessage
from evcharging.mqtt.topics import CommandTopic

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class Desk:
    """A desk whose handler says what it is told to, and what came of it."""

    def __init__(self) -> None:
        self.now = NOW
        self.handled: list[tuple[str, UnitCommand]] = []
        self.acks: asyncio.Queue[UnitAck] = asyncio.Queue()
        self.answer = CommandAnswer()
        self.failure: Exception | None = None
        self.hold: asyncio.Event | None = None
        self.desk = CommandDesk(
            self.handle, clock=lambda: self.now, publish_ack=lambda _, ack: self.acks.put_nowait(ack)
        )

    async def handle(self, topic: CommandTopic, command: UnitCommand) -> CommandAnswer:
        self.handled.append((topic.verb, command))
        if self.hold is not None:
            await self.hold.wait()
        if self.failure is not None:
            raise self.failure
        return self.answer

    def take(
        self, body: dict[str, Any] | bytes = b"", *, verb: str = "stop", unit: str = "CP-001", retained: bool = False
    ) -> None:
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        topic = CommandTopic(unit, verb)
        self.desk.take(topic, MqttMessage(str(topic), payload, retained))

    async def ack(self) -> UnitAck:
        return await asyncio.wait_for(self.acks.get(), 30)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    yield made
    await made.desk.close()


async def test_a_command_is_carried_out_and_acknowledged_with_its_id(desk: Desk) -> None:
    desk.answer = CommandAnswer(payload={"limit_a": 16})
    desk.take({"command_id": "c-1", "payload": {"amps": 16}}, verb="limit")
    ack = await desk.ack()
    assert (ack.unit_id, ack.verb, ack.command_id, ack.outcome) == ("CP-001", "limit", "c-1", CommandOutcome.ACCEPTED)
    assert ack.payload == {"limit_a": 16}
    assert [(verb, command.payload) for verb, command in desk.handled] == [("limit", {"amps": 16})]


async def test_a_command_without_a_payload_is_carried_out(desk: Desk) -> None:
    desk.take(b"")
    assert (await desk.ack()).outcome is CommandOutcome.ACCEPTED


async def test_a_repeated_command_is_answered_again_and_not_carried_out_again(desk: Desk) -> None:
    desk.take({"command_id": "c-1"})
    first = await desk.ack()
    desk.take({"command_id": "c-1"})
    assert await desk.ack() == first
    assert len(desk.handled) == 1
    assert desk.desk.counts.repeated == 1


async def test_a_repeat_while_the_first_is_carried_out_gets_one_answer(desk: Desk) -> None:
    desk.hold = asyncio.Event()
    desk.take({"command_id": "c-1"})
    desk.take({"command_id": "c-1"})
    desk.hold.set()
    await desk.ack()
    assert desk.acks.empty()
    assert len(desk.handled) == 1


async def test_the_same_id_at_another_unit_is_another_command(desk: Desk) -> None:
    desk.take({"command_id": "c-1"})
    desk.take({"command_id": "c-1"}, unit="CP-002")
    assert {(await desk.ack()).unit_id, (await desk.ack()).unit_id} == {"CP-001", "CP-002"}


async def test_an_expired_command_is_answered_and_not_carried_out(desk: Desk) -> None:
    desk.take({"command_id": "c-1", "expires_at": NOW.isoformat()})
    assert (await desk.ack()).outcome is CommandOutcome.EXPIRED
    assert desk.handled == []
    assert desk.desk.counts.expired == 1


async def test_a_command_that_expires_while_it_waits_its_turn_is_not_carried_out(desk: Desk) -> None:
    desk.hold = asyncio.Event()
    desk.take({"command_id": "c-1"})
    desk.take({"command_id": "c-2", "expires_at": (NOW + timedelta(seconds=5)).isoformat()})
    desk.now = NOW + timedelta(seconds=10)
    desk.hold.set()
    assert [(await desk.ack()).outcome for _ in range(2)] == [CommandOutcome.ACCEPTED, CommandOutcome.EXPIRED]


async def test_commands_to_one_unit_take_turns_and_to_another_do_not_wait(desk: Desk) -> None:
    desk.hold = asyncio.Event()
    desk.take(verb="start")
    desk.take(verb="stop")
    desk.take(verb="resume", unit="CP-002")
    while len(desk.handled) < 2:
        await asyncio.sleep(0)
    assert [verb for verb, _ in desk.handled] == ["start", "resume"]
    desk.hold.set()
    verbs = [(await desk.ack()).verb for _ in range(3)]
    assert verbs.index("start") < verbs.index("stop")


async def test_a_retained_command_is_ignored_and_counted(desk: Desk) -> None:
    desk.take({"command_id": "c-1"}, retained=True)
    desk.take({"command_id": "c-2"})
    assert (await desk.ack()).command_id == "c-2"
    assert desk.desk.counts.retained == 1


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"expires_at": "soon"}', b'{"unit_id": "CP-002"}', b'{"payload": 3}'])
async def test_a_malformed_command_is_refused_and_counted(desk: Desk, body: bytes) -> None:
    desk.take(body)
    ack = await desk.ack()
    assert (ack.outcome, ack.error_code) == (CommandOutcome.REJECTED, "invalid_payload")
    assert desk.handled == []
    assert desk.desk.counts.malformed == 1


async def test_a_handler_that_fails_costs_its_own_command_only(desk: Desk) -> None:
    desk.failure = RuntimeError("s3cret detail")
    desk.take({"command_id": "c-1"})
    ack = await desk.ack()
    assert (ack.outcome, ack.error_code) == (CommandOutcome.REJECTED, "internal_error")
    assert "s3cret" not in (ack.error_description or "")
    desk.failure = None
    desk.take({"command_id": "c-2"})
    assert (await desk.ack()).outcome is CommandOutcome.ACCEPTED


async def test_a_handler_that_hangs_is_answered_with_a_timeout(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "ANSWER_LIMIT_S", 0.01)
    desk.hold = asyncio.Event()
    desk.take({"command_id": "c-1"})
    assert (await desk.ack()).outcome is CommandOutcome.TIMEOUT


async def test_a_flood_is_refused_beyond_a_bound(desk: Desk) -> None:
    desk.hold = asyncio.Event()
    for number in range(commands.OUTSTANDING_LIMIT + 3):
        desk.take({"command_id": f"c-{number}"})
    for _ in range(3):
        ack = await desk.ack()
        assert (ack.outcome, ack.error_code) == (CommandOutcome.REJECTED, "overloaded")
    assert desk.desk.counts.refused == 3


async def test_closing_gives_up_what_is_carried_out(desk: Desk) -> None:
    desk.hold = asyncio.Event()
    desk.take()
    await asyncio.sleep(0)
    await asyncio.wait_for(desk.desk.close(), 30)
    assert desk.acks.empty()
