"""Breaks the protocol on purpose, at seeded rates, and judges how the CSMS takes it.

`FaultyFrames` sits between one station and its socket. Faulty frames of its own go out before a good call and are
answered to it alone, so that the station lives on and its ledger stays clean; only what a network or a bad peer does to
good frames (lost, late, twice, cut) is done to the station's own. What can be asked for is in `fault_kinds`.
"""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from collections.abc import Callable
from random import Random
from typing import Final, NamedTuple

from evcharging.ocpp.errors import CallRejected, OcppError, UnreadableFrame, error_code
from evcharging.ocpp.errors import Fault as Reason
from evcharging.ocpp.frames import UNKNOWN_MESSAGE_ID, Call, CallError, CallResult, Frame, encode, parse
from evcharging.ocpp.station.fault_kinds import (
    CLOSED,
    FAULTS,
    NO_ANSWER,
    RESULT,
    BadFaultPlan,
    FaultKind,
    FaultPlan,
    Where,
)
from evcharging.ocpp.station.interfaces import Timer
from evcharging.ocpp.station.spoiled_calls import WHOLE, spoiled, text
from evcharging.ocpp.versions import OcppVersion

__all__ = ["FAULT_ID", "BadFaultPlan", "FaultKind", "FaultPlan", "FaultyFrames", "Judgement"]

FAULT_ID: Final = "fault-"
"""What the message ids of faulty frames begin with, where they have one of their own."""
FLOOD_CALLS: Final = 100
REMEMBERED_TWICE: Final = 16
"""Calls sent twice of which the second answer may still come."""

Send = Callable[[bytes], None]
Drop = Callable[[], None]
LeftLate = Callable[[str], None]


class Judgement(NamedTuple):
    """How the CSMS took one faulty frame: ``outcome`` is a word of `fault_kinds` or an error code."""

    kind: FaultKind
    outcome: str
    as_expected: bool


class FaultyFrames:
    """The faults of one station; a `SendFilter`.

    Args:
        plan: which, and how often.
        version: of the frames.
        seed: the same seed and the same frames give the same faults.
        call_later: the station's clock.
        on_fault: told of each fault as it is done.
        on_judgement: told of each reaction that can be seen.
    """

    def __init__(
        self,
        plan: FaultPlan,
        *,
        version: OcppVersion,
        seed: int,
        call_later: Callable[[float, Callable[[], None]], Timer],
        on_fault: Callable[[FaultKind], None] | None = None,
        on_judgement: Callable[[Judgement], None] | None = None,
    ) -> None:
        self.done: Counter[FaultKind] = Counter()
        """Faults done, by kind."""
        self.judged: Counter[tuple[FaultKind, bool]] = Counter()
        """Reactions seen, by kind and whether they were as expected."""
        self._plan = plan
        self._version = version
        self._random = Random(seed)
        self._call_later = call_later
        self._on_fault = on_fault
        self._on_judgement = on_judgement
        self._send: Send | None = None
        self._probe: _Probe | None = None
        self._held: deque[tuple[bytes, Send, LeftLate]] = deque()
        self._sent = 0
        self._last_id = ""
        self._twice: dict[str, CallResult | CallError | None] = {}

    def outgoing(self, data: bytes, send: Send, drop: Drop, left_late: LeftLate) -> None:
        """Pass a frame of the station's on, or what becomes of it."""
        if send != self._send:
            self._new_connection(send)
        frame = parse(data)
        if not isinstance(frame, Call):
            self._answer(frame, data, send)
        elif self._probe is not None:
            self._held.append((data, send, left_late))
        else:
            self._call(frame, data, send, drop, left_late)
            self._last_id = frame.message_id

    def incoming(self, data: bytes, receive: Send, drop: Drop) -> None:
        """Pass a frame of the CSMS's on, unless it belongs to a fault."""
        try:
            frame = parse(data)
        except (UnreadableFrame, CallRejected):
            receive(data)
            return
        if isinstance(frame, Call):
            receive(data)
        elif self._belongs_to_probe(frame):
            self._judge(_outcome(frame))
        elif frame.message_id.startswith(_FLOOD):
            return
        elif frame.message_id in self._twice:
            self._second_answer(frame, data, receive)
        elif isinstance(frame, CallResult) and self._drawn(Where.INCOMING) is FaultKind.LOST_ANSWER:
            self._note(FaultKind.LOST_ANSWER)
        else:
            receive(data)

    def _call(self, call: Call, data: bytes, send: Send, drop: Drop, left_late: LeftLate) -> None:
        kind = self._drawn(Where.BEFORE_CALL, Where.CALL)
        faulty = None if kind is None or FAULTS[kind].where is Where.CALL else self._faulty(kind, call)
        if kind is not None and faulty is not None:
            self._note(kind)
            self._held.append((data, send, left_late))
            timer = self._call_later(self._plan.patience_s, lambda: self._judge(NO_ANSWER))
            self._probe = _Probe(kind, faulty.message_id, timer)
            for one in faulty.texts:
                send(one)
            return
        send(data)
        if kind is FaultKind.DUPLICATE_CALL:
            self._note(kind)
            while len(self._twice) >= REMEMBERED_TWICE:
                self._twice.pop(next(iter(self._twice)))
            self._twice[call.message_id] = None
            send(data)
        elif kind is FaultKind.DROPPED_SOCKET:
            self._note(kind)
            drop()

    def _answer(self, frame: Frame, data: bytes, send: Send) -> None:
        kind = self._drawn(Where.ANSWER)
        if kind is None or not isinstance(frame, CallResult):
            send(data)
            return
        self._note(kind)
        match kind:
            case FaultKind.LATE_ANSWER:
                self._call_later(self._plan.late_s, lambda: self._quietly(send, data))
            case FaultKind.DUPLICATE_ANSWER:
                send(data)
                send(data)
            case FaultKind.WRONG_ANSWER_ID:
                send(encode(CallResult(self._new_id(), frame.payload)))
            case FaultKind.ERROR_ANSWER:
                code = error_code(Reason.INTERNAL_ERROR, self._version)
                send(encode(CallError(frame.message_id, code, "asked for by the fault plan")))
            case FaultKind.BAD_ANSWER:
                send(encode(CallResult(frame.message_id, {"status": 17, "asked for": "by the fault plan"})))

    def _drawn(self, *places: Where) -> FaultKind | None:
        """The fault that befalls this frame, if any."""
        drawn = self._random.random()
        for kind, rate in self._plan.rates.items():
            if FAULTS[kind].where in places:
                drawn -= rate
                if drawn < 0.0:
                    return kind
        return None

    def _faulty(self, kind: FaultKind, call: Call) -> _Faulty | None:
        """What goes out before ``call``; None where this kind has nothing to work on there."""
        message_id = self._new_id()
        if kind is FaultKind.REUSED_ID:
            return _Faulty(self._last_id, (text(self._last_id, "Heartbeat", {}),)) if self._last_id else None
        if kind is FaultKind.FLOOD:
            beats = tuple(text(f"{_FLOOD}{message_id}-{n}", "Heartbeat", {}) for n in range(FLOOD_CALLS - 1))
            return _Faulty(message_id, (*beats, text(message_id, "Heartbeat", {})))
        if kind is FaultKind.LONG_MESSAGE_ID:
            message_id = message_id.ljust(100, "x")
            return _Faulty(message_id, (text(message_id, "Heartbeat", {}),))
        make = WHOLE.get(kind)
        if make is not None:
            return _Faulty(message_id, (make(message_id, call),))
        payload = spoiled(kind, call, version=self._version, random=self._random)
        return None if payload is None else _Faulty(message_id, (text(message_id, call.action, payload),))

    def _belongs_to_probe(self, frame: CallResult | CallError) -> bool:
        probe = self._probe
        if probe is None:
            return False
        unnamed = frame.message_id == UNKNOWN_MESSAGE_ID and isinstance(frame, CallError)
        return unnamed or frame.message_id in {probe.message_id, probe.message_id[:36]}

    def _judge(self, outcome: str) -> None:
        probe, self._probe = self._probe, None
        if probe is None:
            return
        probe.timer.cancel()
        self._tell(probe.kind, outcome, FAULTS[probe.kind].agrees(outcome, self._version))
        while self._held and self._probe is None:
            data, send, left_late = self._held.popleft()
            if send == self._send:
                # It had its fault already: another draw could go on for ever.
                self._last_id = parse(data).message_id
                left_late(self._last_id)
                self._quietly(send, data)

    def _second_answer(self, frame: CallResult | CallError, data: bytes, receive: Send) -> None:
        first = self._twice[frame.message_id]
        if first is None:
            self._twice[frame.message_id] = frame
            receive(data)
            return
        del self._twice[frame.message_id]
        refused = isinstance(frame, CallError)
        self._tell(FaultKind.DUPLICATE_CALL, _outcome(frame), refused or _transaction(frame) == _transaction(first))

    def _new_connection(self, send: Send) -> None:
        self._send = send
        self._twice.clear()
        self._judge(CLOSED)
        self._held.clear()

    def _note(self, kind: FaultKind) -> None:
        self.done[kind] += 1
        if self._on_fault is not None:
            self._on_fault(kind)

    def _tell(self, kind: FaultKind, outcome: str, as_expected: bool) -> None:
        self.judged[kind, as_expected] += 1
        if self._on_judgement is not None:
            self._on_judgement(Judgement(kind, outcome, as_expected))

    def _new_id(self) -> str:
        self._sent += 1
        return f"{FAULT_ID}{self._random.getrandbits(32):08x}-{self._sent}"

    @staticmethod
    def _quietly(send: Send, data: bytes) -> None:
        """Send from a timer, where nobody could be told that the connection is gone."""
        with contextlib.suppress(OcppError, OSError):
            send(data)


class _Probe(NamedTuple):
    kind: FaultKind
    message_id: str
    timer: Timer


class _Faulty(NamedTuple):
    message_id: str
    texts: tuple[bytes, ...]


_FLOOD: Final = "f-"


def _outcome(frame: CallResult | CallError) -> str:
    return RESULT if isinstance(frame, CallResult) else frame.code


def _transaction(frame: CallResult | CallError) -> object:
    return frame.payload.get("transactionId") if isinstance(frame, CallResult) else None
