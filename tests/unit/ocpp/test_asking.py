"""Asking without waiting, and one deadline for all calls; what both sides of an exchange do is in `test_exchange`."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import orjson
import pytest

from evcharging.ocpp.errors import CallFailed, CallTimedOut, ConnectionLost
from evcharging.ocpp.exchange import Exchange
from evcharging.ocpp.versions import OcppVersion

NOW = {"currentTime": "2026-01-31T12:00:00Z"}
PATIENCE_S = 30.0


class Line(Exchange):
    """An exchange whose texts are kept and whose peer is the test."""

    def __init__(self) -> None:
        ids = itertools.count(1)
        self.sent: list[list[Any]] = []
        self.calls: list[tuple[str, bool, str]] = []
        super().__init__(
            OcppVersion.V16,
            send=lambda raw: self.sent.append(orjson.loads(raw)),
            handle=lambda _action, _payload: {},
            new_id=lambda: f"id-{next(ids)}",
            observer=self,
        )

    def say(self, *frame: Any) -> None:
        self.receive(orjson.dumps(frame))

    def called(self, action: str, seconds: float | None, outcome: str) -> None:
        self.calls.append((action, seconds is not None, outcome))

    def handled(self, *_: Any) -> None: ...

    def ignored(self, *_: Any) -> None: ...


@pytest.fixture
def line() -> Line:
    return Line()


async def test_who_does_not_wait_is_told_the_answer_in_the_turn_it_comes_in(line: Line):
    told: list[Any] = []
    line.ask("Heartbeat", {}, timeout_s=PATIENCE_S, then=told.append)
    line.ask("Heartbeat", {}, timeout_s=PATIENCE_S, then=told.append)
    line.say(3, "id-1", NOW)
    assert told == [NOW]
    line.say(4, "id-2", "GenericError", "no", {})
    assert [type(one) for one in told[1:]] == [CallFailed]
    line.ask("Heartbeat", {}, timeout_s=PATIENCE_S, then=told.append)
    line.close("cut")
    assert [type(one) for one in told[2:]] == [ConnectionLost]
    with pytest.raises(ConnectionLost, match="cut"):
        line.ask("Heartbeat", {}, timeout_s=PATIENCE_S, then=told.append)


async def test_a_call_has_its_own_deadline_whatever_became_of_the_one_before(line: Line):
    ended = asyncio.get_running_loop().create_future()
    line.ask("Heartbeat", {}, timeout_s=0.02, then=lambda _: None)
    line.say(3, "id-1", NOW)
    began = asyncio.get_running_loop().time()
    line.ask("Heartbeat", {}, timeout_s=0.1, then=ended.set_result)
    async with asyncio.timeout(PATIENCE_S):
        assert isinstance(await ended, CallTimedOut)
    assert asyncio.get_running_loop().time() - began >= 0.1
    assert line.calls == [("Heartbeat", True, "ok"), ("Heartbeat", False, "timeout")]


async def test_a_call_that_waited_beyond_its_deadline_is_never_sent(line: Line):
    ended: list[Any] = []
    done = asyncio.Event()
    line.ask("Heartbeat", {}, timeout_s=0.01, then=lambda one: (ended.append(one), done.set()))
    line.ask("Heartbeat", {}, timeout_s=0.01, then=ended.append)
    async with asyncio.timeout(PATIENCE_S):
        await done.wait()
    assert [type(one) for one in ended] == [CallTimedOut, CallTimedOut]
    assert [frame[1] for frame in line.sent] == ["id-1"]
