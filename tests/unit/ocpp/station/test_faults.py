"""What becomes of a station's frames under a fault plan, and how the CSMS's reactions are judged."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from evcharging.ocpp.errors import CallRejected, UnreadableFrame
from evcharging.ocpp.frames import Call, CallError, CallResult, encode, parse
from evcharging.ocpp.schemas import check_request
from evcharging.ocpp.station.clock import ManualClock
from evcharging.ocpp.station.fault_kinds import FaultKind, FaultPlan
from evcharging.ocpp.station.faults import FLOOD_CALLS, FaultyFrames, Judgement
from evcharging.ocpp.versions import OcppVersion
from evcharging.ocpp.websocket import BinaryMessage

AUTHORIZE = Call("a-1", "Authorize", {"idTag": "ABC123"})
STOP = Call("a-2", "StopTransaction", {"meterStop": 5, "timestamp": "2026-01-31T12:00:00Z", "transactionId": 7})
BOOT = Call("a-3", "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
EVENT = Call(
    "a-4",
    "TransactionEvent",
    {
        "eventType": "Updated",
        "timestamp": "2026-01-31T12:00:00Z",
        "triggerReason": "MeterValuePeriodic",
        "seqNo": 3,
        "transactionInfo": {"transactionId": "t"},
    },
)


class Wire:
    """A station on one side, a CSMS on the other, faults between."""

    def __init__(self, plan: str, *, version: OcppVersion = OcppVersion.V16, seed: int = 1) -> None:
        self.clock = ManualClock()
        self.sent: list[bytes] = []
        self.received: list[bytes] = []
        self.left_late: list[str] = []
        self.drops = 0
        self.noted: list[FaultKind] = []
        self.judgements: list[Judgement] = []
        self.faults = FaultyFrames(
            FaultPlan.parse(plan),
            version=version,
            seed=seed,
            call_later=self.clock.call_later,
            on_fault=self.noted.append,
            on_judgement=self.judgements.append,
        )
        self.send: Callable[[bytes], None] = self.sent.append

    def drop(self) -> None:
        self.drops += 1

    def station_says(self, frame: Call | CallResult | CallError) -> None:
        self.faults.outgoing(encode(frame), self.send, self.drop, self.left_late.append)

    def csms_says(self, frame: Call | CallResult | CallError) -> None:
        self.faults.incoming(encode(frame), self.received.append, self.drop)

    def frames(self) -> list[Any]:
        return [json.loads(text) for text in self.sent]


def test_frames_pass_untouched_where_nothing_is_asked_for() -> None:
    wire = Wire("")
    wire.station_says(AUTHORIZE)
    wire.csms_says(CallResult("a-1", {}))
    wire.faults.incoming(b"no frame", wire.received.append, wire.drop)
    assert wire.sent == [encode(AUTHORIZE)]
    assert wire.received == [encode(CallResult("a-1", {})), b"no frame"]


def test_the_same_seed_gives_the_same_faults() -> None:
    def run(seed: int) -> list[bytes]:
        wire = Wire("unknown-action=0.3,duplicate-call=0.3", seed=seed)
        for n in range(40):
            wire.station_says(Call(f"c-{n}", "Heartbeat", {}))
        return wire.sent

    assert run(5) == run(5)
    assert run(5) != run(6)


def test_a_rate_is_met() -> None:
    wire = Wire("duplicate-call=0.25")
    for n in range(2000):
        wire.station_says(Call(f"c-{n}", "Heartbeat", {}))
    assert 400 < wire.faults.done[FaultKind.DUPLICATE_CALL] < 600


class TestFaultyCallsOfTheirOwn:
    def test_go_out_before_the_good_call_which_follows_their_answer(self) -> None:
        wire = Wire("unknown-action=1")
        wire.station_says(AUTHORIZE)
        [[kind, message_id, action, _]] = wire.frames()
        assert (kind, action) == (2, "MakeCoffee")
        assert message_id != "a-1"
        wire.csms_says(CallError(message_id, "NotImplemented"))
        assert wire.sent[1:] == [encode(AUTHORIZE)]
        assert wire.received == []
        assert wire.judgements == [Judgement(FaultKind.UNKNOWN_ACTION, "NotImplemented", True)]

    async def test_are_given_up_after_a_while_and_the_good_call_goes_out(self) -> None:
        wire = Wire("unknown-action=1")
        wire.station_says(AUTHORIZE)
        await wire.clock.advance(1.9)
        assert len(wire.sent) == 1
        await wire.clock.advance(0.2)
        assert wire.sent[1:] == [encode(AUTHORIZE)]
        assert wire.judgements == [Judgement(FaultKind.UNKNOWN_ACTION, "no answer", False)]
        wire.csms_says(CallResult("a-1", {}))
        assert wire.received == [encode(CallResult("a-1", {}))]

    async def test_say_when_a_good_call_that_waited_leaves_so_that_the_wait_is_nobodys_latency(self) -> None:
        wire = Wire("unknown-action=1")
        wire.station_says(AUTHORIZE)
        assert wire.left_late == []
        await wire.clock.advance(2.1)
        assert wire.left_late == ["a-1"]
        plain = Wire("duplicate-call=1")
        plain.station_says(AUTHORIZE)
        assert plain.left_late == []

    def test_hold_back_calls_but_no_answers(self) -> None:
        wire = Wire("unknown-action=1")
        wire.station_says(AUTHORIZE)
        wire.station_says(CallResult("csms-1", {"status": "Accepted"}))
        wire.csms_says(Call("csms-2", "Reset", {"type": "Soft"}))
        assert wire.sent[1:] == [encode(CallResult("csms-1", {"status": "Accepted"}))]
        assert parse(wire.received[0]) == Call("csms-2", "Reset", {"type": "Soft"})

    def test_are_forgotten_with_their_connection(self) -> None:
        wire = Wire("binary-frame=1")
        wire.station_says(AUTHORIZE)
        again: list[bytes] = []
        wire.send = again.append
        wire.station_says(BOOT)
        assert wire.judgements == [Judgement(FaultKind.BINARY_FRAME, "connection closed", True)]
        assert encode(AUTHORIZE) not in again

    @pytest.mark.parametrize(
        ("kind", "call", "code"),
        [
            (FaultKind.WRONG_TYPE, AUTHORIZE, "TypeConstraintViolation"),
            (FaultKind.WRONG_TYPE, STOP, "TypeConstraintViolation"),
            (FaultKind.WRONG_TYPE, EVENT, "TypeConstraintViolation"),
            (FaultKind.MISSING_FIELD, STOP, "OccurrenceConstraintViolation"),
            (FaultKind.UNKNOWN_FIELD, AUTHORIZE, "FormatViolation"),
            (FaultKind.TOO_LONG_VALUE, BOOT, "PropertyConstraintViolation"),
        ],
    )
    def test_break_the_schema_in_the_way_they_are_named_for(self, kind: FaultKind, call: Call, code: str) -> None:
        version = OcppVersion.V201 if call is EVENT else OcppVersion.V16
        for seed in range(8):
            wire = Wire(f"{kind}=1", version=version, seed=seed)
            wire.station_says(call)
            [[_, _, action, payload]] = wire.frames()
            with pytest.raises(CallRejected) as refused:
                check_request(version, action, payload)
            assert refused.value.fault.value == code

    @pytest.mark.parametrize("kind", [FaultKind.MISSING_FIELD, FaultKind.WRONG_TYPE, FaultKind.WRONG_TRANSACTION_ID])
    def test_spare_a_call_that_has_nothing_to_spoil(self, kind: FaultKind) -> None:
        wire = Wire(f"{kind}=1")
        wire.station_says(Call("h", "Heartbeat", {}))
        assert wire.sent == [encode(Call("h", "Heartbeat", {}))]
        assert wire.noted == []

    @pytest.mark.parametrize(("call", "version"), [(STOP, OcppVersion.V16), (EVENT, OcppVersion.V201)])
    def test_name_a_transaction_that_never_was_in_a_valid_call(self, call: Call, version: OcppVersion) -> None:
        wire = Wire("wrong-transaction-id=1", version=version)
        wire.station_says(call)
        [[_, message_id, action, payload]] = wire.frames()
        check_request(version, action, payload)
        assert payload != call.payload
        wire.csms_says(CallError(message_id, "PropertyConstraintViolation"))
        assert wire.judgements == [Judgement(FaultKind.WRONG_TRANSACTION_ID, "PropertyConstraintViolation", False)]

    @pytest.mark.parametrize("kind", [FaultKind.BAD_JSON, FaultKind.NOT_A_FRAME])
    async def test_may_be_no_frame_at_all(self, kind: FaultKind) -> None:
        wire = Wire(f"{kind}=1")
        wire.station_says(AUTHORIZE)
        with pytest.raises(UnreadableFrame):
            parse(wire.sent[0])
        await wire.clock.advance(2.0)
        assert wire.judgements == [Judgement(kind, "no answer", True)]

    def test_without_an_id_are_answered_under_none_in_201(self) -> None:
        wire = Wire("bad-json=1", version=OcppVersion.V201)
        wire.station_says(EVENT)
        wire.csms_says(CallError("-1", "RpcFrameworkError"))
        assert wire.judgements == [Judgement(FaultKind.BAD_JSON, "RpcFrameworkError", True)]
        assert wire.sent[1:] == [encode(EVENT)]

    def test_may_be_of_another_kind_of_message(self) -> None:
        kinds = ("binary-frame", "not-utf8", "wrong-message-type", "long-message-id", "oversized-frame")
        binary, broken, typed, long_id, big = (Wire(f"{kind}=1") for kind in kinds)
        for wire in (binary, broken, typed, long_id, big):
            wire.station_says(AUTHORIZE)
        assert type(binary.sent[0]) is BinaryMessage
        with pytest.raises(UnicodeDecodeError):
            broken.sent[0].decode()
        assert typed.frames()[0][0] == 9
        assert len(long_id.frames()[0][1]) == 100
        assert len(big.sent[0]) > 2 << 20

    def test_may_use_the_last_id_again(self) -> None:
        wire = Wire("reused-id=1")
        wire.station_says(AUTHORIZE)
        assert wire.sent == [encode(AUTHORIZE)]
        wire.csms_says(CallResult("a-1", {}))
        wire.station_says(STOP)
        assert wire.frames()[1][1] == "a-1"
        wire.csms_says(CallResult("a-1", {}))
        assert wire.sent[2:] == [encode(STOP)]

    def test_may_be_a_flood_whose_answers_the_station_never_sees(self) -> None:
        wire = Wire("flood=1")
        wire.station_says(AUTHORIZE)
        assert len(wire.sent) == FLOOD_CALLS
        for _, message_id, _, _ in wire.frames()[:FLOOD_CALLS]:
            wire.csms_says(CallResult(message_id, {"currentTime": "2026-01-31T12:00:00Z"}))
        assert wire.received == []
        assert wire.sent[FLOOD_CALLS:] == [encode(AUTHORIZE)]


class TestTheStationsOwnCalls:
    def test_may_go_out_twice_and_are_answered_to_the_station_once(self) -> None:
        wire = Wire("duplicate-call=1")
        wire.station_says(AUTHORIZE)
        assert wire.sent == [encode(AUTHORIZE)] * 2
        wire.csms_says(CallResult("a-1", {"transactionId": 1}))
        wire.csms_says(CallResult("a-1", {"transactionId": 2}))
        assert wire.received == [encode(CallResult("a-1", {"transactionId": 1}))]
        assert wire.judgements == [Judgement(FaultKind.DUPLICATE_CALL, "CALLRESULT", False)]

    def test_may_be_their_sockets_last(self) -> None:
        wire = Wire("dropped-socket=1")
        wire.station_says(AUTHORIZE)
        assert (wire.sent, wire.drops) == ([encode(AUTHORIZE)], 1)

    def test_may_lose_their_answer(self) -> None:
        wire = Wire("lost-answer=1")
        wire.station_says(AUTHORIZE)
        wire.csms_says(CallResult("a-1", {}))
        assert wire.received == []
        assert wire.noted == [FaultKind.LOST_ANSWER]


class TestAnswers:
    ANSWER = CallResult("csms-1", {"status": "Accepted"})

    def told(self, plan: str) -> list[Any]:
        wire = Wire(plan)
        wire.station_says(self.ANSWER)
        return wire.frames()

    def test_may_never_come(self) -> None:
        assert self.told("missing-answer=1") == []

    def test_may_come_twice(self) -> None:
        assert self.told("duplicate-answer=1") == [[3, "csms-1", {"status": "Accepted"}]] * 2

    def test_may_be_refusals(self) -> None:
        [[kind, message_id, code, *_]] = self.told("error-answer=1")
        assert (kind, message_id, code) == (4, "csms-1", "InternalError")

    def test_may_break_their_schema(self) -> None:
        [[kind, message_id, payload]] = self.told("bad-answer=1")
        assert (kind, message_id) == (3, "csms-1")
        assert payload["status"] == 17

    def test_may_name_an_id_that_nobody_asked_under(self) -> None:
        [[kind, message_id, payload]] = self.told("wrong-answer-id=1")
        assert (kind, payload) == (3, {"status": "Accepted"})
        assert message_id != "csms-1"

    async def test_may_come_late(self) -> None:
        wire = Wire("late-answer=1")
        wire.station_says(self.ANSWER)
        await wire.clock.advance(39.0)
        assert wire.sent == []
        await wire.clock.advance(2.0)
        assert wire.sent == [encode(self.ANSWER)]
