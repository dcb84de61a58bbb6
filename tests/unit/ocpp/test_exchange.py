"""Calls over one socket: order, matching, deadlines, and what bad frames cost."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import orjson
import pytest

from evcharging.ocpp import asking
from evcharging.ocpp.errors import CallFailed, CallRejected, CallTimedOut, ConnectionLost, Fault, InvalidAnswer
from evcharging.ocpp.exchange import MAX_WAITING_CALLS, Exchange
from evcharging.ocpp.frames import Frame
from evcharging.ocpp.versions import OcppVersion

NOW = {"currentTime": "2026-01-31T12:00:00Z"}
PATIENCE_S = 30.0


class Observer:
    def __init__(self) -> None:
        self.seen: list[tuple[str, bool]] = []
        self.calls: list[tuple[str, bool, str]] = []
        self.seconds: list[float | None] = []
        self.answers: list[tuple[str, str]] = []
        self.dropped: list[str] = []

    def frame(self, direction: str, frame: Frame | None, raw: bytes | str) -> None:
        self.seen.append((direction, frame is not None))

    def called(self, action: str, seconds: float | None, outcome: str) -> None:
        self.calls.append((action, seconds is not None, outcome))
        self.seconds.append(seconds)

    def handled(self, action: str, seconds: float, outcome: str) -> None:
        self.answers.append((action, outcome))

    def ignored(self, reason: str) -> None:
        self.dropped.append(reason)


def now(_action: str, _payload: dict[str, Any]) -> Any:
    return NOW


class Rig:
    """An exchange whose texts are kept and whose peer is the test."""

    def __init__(self, version: OcppVersion = OcppVersion.V16, **more: Any) -> None:
        self.sent: list[list[Any]] = []
        self.handled: list[str] = []
        self.observer = Observer()
        ids = (f"id-{number}" for number in itertools.count(1))
        self.answer: Any = now
        self.exchange = Exchange(
            version,
            send=lambda raw: self.sent.append(orjson.loads(raw)),
            handle=self._handle,
            new_id=lambda: next(ids),
            observer=self.observer,
            on_frame=self.observer.frame,
            **more,
        )

    def _handle(self, action: str, payload: dict[str, Any]) -> Any:
        self.handled.append(action)
        return self.answer(action, payload)

    def receive(self, *frame: Any) -> None:
        self.exchange.receive(orjson.dumps(list(frame)))

    def call(self, action: str = "Heartbeat", *, timeout_s: float = PATIENCE_S) -> asyncio.Task[dict[str, Any]]:
        return asyncio.create_task(self.exchange.call(action, {}, timeout_s=timeout_s))


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_call_returns_the_peers_answer(rig):
    task = rig.call()
    await turns()
    assert rig.sent == [[2, "id-1", "Heartbeat", {}]]
    rig.receive(3, "id-1", NOW)
    assert await task == NOW
    assert rig.observer.calls == [("Heartbeat", True, "ok")]
    assert rig.exchange.idle


async def test_what_held_a_call_on_its_way_out_is_no_part_of_the_peers_latency(rig, monkeypatch):
    moments = [100.0]
    monkeypatch.setattr(asking, "perf_counter", lambda: moments[-1])
    task = rig.call()
    await turns()
    moments.append(102.0)
    rig.exchange.left_late("id-1")
    moments.append(102.25)
    rig.exchange.left_late("another")
    rig.receive(3, "id-1", NOW)
    await task
    assert rig.observer.seconds == [0.25]
    rig.exchange.left_late("id-1")


async def test_one_call_is_outstanding_and_the_rest_go_in_order(rig):
    tasks = [rig.call() for _ in range(3)]
    await turns()
    assert len(rig.sent) == 1
    for number, task in enumerate(tasks, 1):
        rig.receive(3, f"id-{number}", NOW)
        await task
    assert [frame[1] for frame in rig.sent] == ["id-1", "id-2", "id-3"]


async def test_an_error_of_the_peers_ends_the_call_and_lets_the_next_one_go(rig):
    first, second = rig.call(), rig.call()
    await turns()
    rig.receive(4, "id-1", "GenericError", "not today", {"a": 1})
    with pytest.raises(CallFailed) as caught:
        await first
    assert (caught.value.code, caught.value.description, caught.value.details) == (
        "GenericError",
        "not today",
        {"a": 1},
    )
    rig.receive(3, "id-2", NOW)
    await second
    assert [outcome for _, _, outcome in rig.observer.calls] == ["GenericError", "ok"]


async def test_a_result_that_breaks_its_schema_is_an_invalid_answer_that_is_kept(rig):
    task = rig.call()
    await turns()
    rig.receive(3, "id-1", {"currentTime": 7})
    with pytest.raises(InvalidAnswer) as caught:
        await task
    assert caught.value.payload == {"currentTime": 7}
    assert rig.observer.calls == [("Heartbeat", True, "invalid")]


async def test_answers_go_unchecked_where_that_is_asked_for():
    rig = Rig(validate_answers=False)
    task = rig.call()
    await turns()
    rig.receive(3, "id-1", {"currentTime": 7})
    assert await task == {"currentTime": 7}


async def test_a_call_without_an_answer_times_out_is_counted_apart_and_lets_the_next_one_go(rig):
    first, second = rig.call(timeout_s=0.01), rig.call()
    with pytest.raises(CallTimedOut, match="Heartbeat"):
        await first
    assert rig.observer.calls == [("Heartbeat", False, "timeout")]
    rig.receive(3, "id-1", NOW)
    assert rig.observer.dropped == ["unmatched"]
    rig.receive(3, "id-2", NOW)
    assert await second == NOW


async def test_a_deadline_counts_also_while_a_call_waits_for_its_turn(rig):
    first, second = rig.call(), rig.call(timeout_s=0.01)
    with pytest.raises(CallTimedOut):
        await second
    rig.receive(3, "id-1", NOW)
    await first
    assert len(rig.sent) == 1


async def test_a_call_that_is_cancelled_frees_its_place(rig):
    first, second = rig.call(), rig.call()
    await turns()
    first.cancel()
    await turns()
    assert [frame[1] for frame in rig.sent] == ["id-1", "id-2"]
    rig.receive(3, "id-2", NOW)
    await second


async def test_a_lost_socket_ends_every_call(rig):
    tasks = [rig.call() for _ in range(3)]
    await turns()
    rig.exchange.close("gone")
    for task in tasks:
        with pytest.raises(ConnectionLost, match="gone"):
            await task
    with pytest.raises(ConnectionLost):
        await rig.exchange.call("Heartbeat", {}, timeout_s=1)
    rig.receive(2, "m1", "Heartbeat", {})
    assert rig.handled == []


@pytest.mark.parametrize("message_id", ["id-2", "other"])
async def test_an_answer_that_matches_no_call_is_ignored(rig, message_id):
    task = rig.call()
    await turns()
    rig.receive(3, message_id, NOW)
    rig.receive(4, message_id, "GenericError", "", {})
    assert rig.observer.dropped == ["unmatched", "unmatched"]
    rig.receive(3, "id-1", NOW)
    await task
    rig.receive(3, "id-1", NOW)
    assert rig.observer.dropped == ["unmatched"] * 3


async def test_a_call_of_the_peers_is_answered(rig):
    rig.receive(2, "m1", "Heartbeat", {})
    assert rig.sent == [[3, "m1", NOW]]
    assert rig.observer.answers == [("Heartbeat", "ok")]


async def test_a_refusal_of_the_handlers_is_spelt_as_the_version_does(rig):
    def refuse(action: str, payload: dict[str, Any]) -> Any:
        raise CallRejected(Fault.OCCURRENCE_CONSTRAINT, "why", {"a": 1})

    rig.answer = refuse
    rig.receive(2, "m1", "Heartbeat", {})
    assert rig.sent == [[4, "m1", "OccurenceConstraintViolation", "why", {"a": 1}]]


async def test_a_handler_that_breaks_costs_only_that_call(rig):
    rig.answer = None
    rig.receive(2, "m1", "Heartbeat", {})
    rig.answer = now
    rig.receive(2, "m2", "Heartbeat", {})
    assert [frame[:3] for frame in rig.sent] == [[4, "m1", "InternalError"], [3, "m2", NOW]]
    assert "TypeError" not in str(rig.sent)


async def test_a_handler_that_breaks_later_costs_only_that_call(rig):
    async def broken(action: str, payload: dict[str, Any]) -> Any:
        await asyncio.sleep(0)
        raise ValueError

    rig.answer = broken
    rig.receive(2, "m1", "Heartbeat", {})
    await turns()
    assert rig.sent[0][:3] == [4, "m1", "InternalError"]


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ((2, "m1", "BrewCoffee", {}), "NotImplemented"),
        ((2, "m1", "StartTransaction", {"connectorId": 1}), "OccurenceConstraintViolation"),
        ((2, "m1", "Heartbeat", {"surprise": 1}), "FormationViolation"),
        ((2, "m1", "Heartbeat"), "FormationViolation"),
    ],
)
async def test_an_invalid_call_gets_its_error_and_reaches_no_handler(rig, frame, code):
    rig.receive(*frame)
    assert rig.sent[0][:3] == [4, "m1", code]
    assert rig.handled == []


async def test_unknown_fields_reach_the_handler_where_they_are_tolerated():
    rig = Rig(tolerate_unknown=True)
    rig.receive(2, "m1", "Heartbeat", {"surprise": 1})
    assert rig.sent == [[3, "m1", NOW]]


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'["a"]', b'[2, 1, "Heartbeat", {}]', b"\xff"])
async def test_an_unreadable_text_is_counted_and_has_no_answer_in_16(rig, raw):
    rig.exchange.receive(raw)
    assert rig.sent == []
    assert rig.observer.dropped == ["unreadable"]


async def test_an_unreadable_text_is_answered_with_id_minus_one_in_201():
    rig = Rig(OcppVersion.V201)
    rig.exchange.receive(b"{")
    assert rig.sent[0][:3] == [4, "-1", "RpcFrameworkError"]


async def test_a_message_type_that_is_none_is_ignored_in_16_and_answered_in_201(rig):
    rig.receive(9, "m1", "Heartbeat", {})
    assert (rig.sent, rig.observer.dropped) == ([], ["malformed"])
    newer = Rig(OcppVersion.V201)
    newer.receive(9, "m1", "Heartbeat", {})
    assert newer.sent[0][:3] == [4, "m1", "MessageTypeNotSupported"]


async def test_calls_of_the_peers_are_handled_one_after_the_other_and_answers_pass_them(rig):
    gates = [asyncio.Event(), asyncio.Event()]
    waiting = iter(gates)

    async def slow(action: str, payload: dict[str, Any]) -> Any:
        await next(waiting).wait()
        return NOW

    rig.answer = slow
    rig.receive(2, "m1", "Heartbeat", {})
    rig.receive(2, "m2", "Heartbeat", {})
    task = rig.call()
    await turns()
    assert rig.handled == ["Heartbeat"]
    rig.receive(3, "id-1", NOW)
    assert await task == NOW
    gates[0].set()
    await turns()
    assert rig.handled == ["Heartbeat", "Heartbeat"]
    gates[1].set()
    await turns()
    assert [frame[1] for frame in rig.sent if frame[0] == 3] == ["m1", "m2"]


async def test_a_repeated_id_is_ignored_while_it_is_handled_or_waits(rig):
    gate = asyncio.Event()

    async def slow(action: str, payload: dict[str, Any]) -> Any:
        await gate.wait()
        return NOW

    rig.answer = slow
    for message_id in ("m1", "m1", "m2", "m2"):
        rig.receive(2, message_id, "Heartbeat", {})
    assert rig.observer.dropped == ["duplicate", "duplicate"]
    gate.set()
    await turns(10)
    assert [frame[1] for frame in rig.sent] == ["m1", "m2"]


async def test_a_peer_that_does_not_wait_for_answers_fills_no_memory(rig):
    async def never(action: str, payload: dict[str, Any]) -> Any:
        await asyncio.Event().wait()

    rig.answer = never
    for number in range(MAX_WAITING_CALLS + 11):
        rig.receive(2, f"m{number}", "Heartbeat", {})
    assert rig.observer.dropped == ["flood"] * 10
    rig.exchange.close("over")
    await turns()
    assert rig.sent == []


async def test_a_socket_that_takes_nothing_more_fails_the_call(rig):
    def refuse(raw: bytes) -> None:
        raise ConnectionLost("closing")

    rig.exchange._send = refuse
    with pytest.raises(ConnectionLost):
        await rig.exchange.call("Heartbeat", {}, timeout_s=1)
    assert rig.exchange.idle


async def test_the_observer_sees_each_text_once(rig):
    rig.receive(2, "m1", "Heartbeat", {})
    rig.exchange.receive(b"{")
    assert rig.observer.seen == [("in", True), ("out", True), ("in", False)]
