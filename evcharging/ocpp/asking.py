"""Our calls over one socket: one outstanding, the rest queued, each with its deadline, every answer matched or ignored.

The half of `evcharging.ocpp.exchange` that asks; it never handles a call of the peer's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Any, Literal, Protocol, TypeAlias

from evcharging.ocpp.errors import (
    CallFailed,
    CallRejected,
    CallTimedOut,
    ConnectionLost,
    InvalidAnswer,
    OcppError,
)
from evcharging.ocpp.frames import Call, CallError, CallResult, Frame, encode_call
from evcharging.ocpp.schemas import check_response
from evcharging.ocpp.timer_wheel import Due, TimerWheel
from evcharging.ocpp.versions import OcppVersion

__all__ = ["Asking", "Direction", "ExchangeObserver", "OnFrame", "Payload", "Then"]

Payload: TypeAlias = dict[str, Any]
Then: TypeAlias = Callable[[Payload | OcppError], None]
"""Is told the answer to a call, or what `Asking.call` would raise."""
Direction: TypeAlias = Literal["in", "out"]


OnFrame: TypeAlias = Callable[[Direction, Frame | None, bytes | str], None]
"""Is told of each text that came in or goes out; its frame is None where it could not be read. It must be quick."""


class ExchangeObserver(Protocol):
    """Hears how calls end, for metrics. Called on the hot path, so it must be quick."""

    def called(self, action: str, seconds: float | None, outcome: str) -> None:
        """A call of ours ended: ``ok``, ``timeout``, ``lost``, ``invalid``, or the error code that the peer answered.

        ``seconds`` is the time from sending to the answer, None where there was none.
        """

    def handled(self, action: str, seconds: float, outcome: str) -> None:
        """A call of the peer's was answered: ``ok`` or the error code."""

    def ignored(self, reason: str) -> None:
        """A text was not acted on: ``unreadable``, ``malformed``, ``unmatched``, ``duplicate``, ``flood``."""


class Asking:
    """The calls that one side makes. See `evcharging.ocpp.exchange.Exchange` for the arguments."""

    __slots__ = (
        "_closed",
        "_deadline",
        "_deadline_s",
        "_new_id",
        "_observer",
        "_on_frame",
        "_outstanding",
        "_queue",
        "_send",
        "_tolerate_unknown",
        "_validate_answers",
        "version",
    )

    def __init__(
        self,
        version: OcppVersion,
        *,
        send: Callable[[bytes], None],
        new_id: Callable[[], str],
        observer: ExchangeObserver | None,
        on_frame: OnFrame | None,
        validate_answers: bool,
        tolerate_unknown: bool,
    ) -> None:
        self.version = version
        self._send = send
        self._new_id = new_id
        self._observer = observer
        self._on_frame = on_frame
        self._validate_answers = validate_answers
        self._tolerate_unknown = tolerate_unknown
        self._outstanding: _Pending | None = None
        self._queue: list[_Pending] | None = None
        self._closed: str | None = None
        self._deadline: Due | None = None
        """One for all calls: it looks who is late, and comes back for the next."""
        self._deadline_s = 0.0

    @property
    def idle(self) -> bool:
        """Whether no call of ours is under way or waiting."""
        return self._outstanding is None

    async def call(self, action: str, payload: Payload, *, timeout_s: float) -> Payload:
        """Ask the peer, after the calls that wait already, and return its answer.

        ``timeout_s`` counts from now, waiting included. Our own payload is not checked here.

        Raises:
            CallFailed: answered with CALLERROR.
            InvalidAnswer: the answer breaks its schema.
            CallTimedOut: no answer in time; a later one is ignored.
            ConnectionLost: the exchange was closed before or meanwhile.
        """
        answer: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()

        def settle(outcome: Payload | OcppError) -> None:
            if answer.done():
                return
            if isinstance(outcome, OcppError):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)

        pending = self._ask(action, payload, timeout_s, settle)
        try:
            return await answer
        finally:
            if not pending.done:  # cancelled: an answer to it is nobody's
                pending.done = True
                self._release(pending)

    def ask(self, action: str, payload: Payload, *, timeout_s: float, then: Then) -> None:
        """As `call`, for who does not wait: ``then`` is told the outcome, in the turn of the loop that it comes in.

        What it raises goes to whoever brought the outcome: `receive` or `close`.

        Raises:
            ConnectionLost: the exchange is closed; ``then`` is told nothing.
        """
        self._ask(action, payload, timeout_s, then)

    def left_late(self, message_id: str) -> None:
        """A call of ours left only now, after somebody on its way out held it: its ``seconds`` count from now."""
        if self._outstanding is not None and self._outstanding.message_id == message_id:
            self._outstanding.sent_at = perf_counter()

    def _lose(self, reason: str) -> None:
        """End every call with `ConnectionLost`, and those to come."""
        self._closed = reason
        lost = self._pending()
        self._outstanding = None
        self._queue = None
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        for call in lost:
            if not call.done:
                self._finish(call, "lost", ConnectionLost(reason))

    def _match(self, frame: CallResult | CallError) -> None:
        pending = self._outstanding
        if pending is None or frame.message_id != pending.message_id:
            self._ignore("unmatched")
            return
        if isinstance(frame, CallError):
            self._finish(pending, frame.code, CallFailed(frame.code, frame.description, frame.details))
            return
        if self._validate_answers:
            try:
                check_response(self.version, pending.action, frame.payload, tolerate_unknown=self._tolerate_unknown)
            except CallRejected as error:
                self._finish(pending, "invalid", InvalidAnswer(error.description, frame.payload))
                return
        self._finish(pending, "ok", frame.payload)

    def _ask(self, action: str, payload: Payload, timeout_s: float, then: Then) -> _Pending:
        if self._closed is not None:
            raise ConnectionLost(self._closed)
        deadline_s = perf_counter() + timeout_s
        pending = _Pending(self._new_id(), action, payload, then, deadline_s, timeout_s)
        if self._outstanding is None:
            try:
                self._transmit(pending)
            except BaseException:
                self._release(pending)
                raise
        else:
            if self._queue is None:
                self._queue = []
            self._queue.append(pending)
        if self._deadline is None or deadline_s < self._deadline_s:
            self._watch(deadline_s)
        return pending

    def _watch(self, deadline_s: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline_s = deadline_s
        wheel = TimerWheel.of(asyncio.get_running_loop())
        self._deadline = wheel.call_later(deadline_s - perf_counter(), self._expire)

    def _expire(self) -> None:
        """End the calls that are late, those that wait first, so that none of them is sent."""
        self._deadline = None
        now_s = perf_counter()
        late = [call for call in self._pending() if call.deadline_s <= now_s]
        for call in reversed(late):
            if not call.done:
                error = CallTimedOut(f"{call.action}: no answer in {call.timeout_s:g} s")
                self._finish(call, "timeout", error)
        left = self._pending()
        if left and self._deadline is None:
            self._watch(min(call.deadline_s for call in left))

    def _pending(self) -> list[_Pending]:
        return [] if self._outstanding is None else [self._outstanding, *(self._queue or ())]

    def _finish(self, pending: _Pending, outcome: str, answer: Payload | OcppError) -> None:
        pending.done = True
        if self._observer is not None:
            answered = outcome not in ("timeout", "lost")
            self._observer.called(pending.action, perf_counter() - pending.sent_at if answered else None, outcome)
        self._release(pending)
        pending.then(answer)

    def _transmit(self, pending: _Pending) -> None:
        self._outstanding = pending
        raw = encode_call(pending.message_id, pending.action, pending.payload)
        if self._on_frame is not None:
            self._on_frame("out", Call(pending.message_id, pending.action, pending.payload), raw)
        pending.sent_at = perf_counter()
        self._send(raw)

    def _release(self, pending: _Pending) -> None:
        """Let the next call go, now that this one is answered, given up or cancelled."""
        if self._outstanding is not pending:
            if self._queue and pending in self._queue:
                self._queue.remove(pending)
            return
        self._outstanding = None
        while self._queue and self._outstanding is None:
            following = self._queue.pop(0)
            try:
                self._transmit(following)
            except (OcppError, OSError) as error:
                self._outstanding = None
                self._finish(following, "lost", ConnectionLost(str(error)))

    def _ignore(self, reason: str) -> None:
        if self._observer is not None:
            self._observer.ignored(reason)


class _Pending:
    """A call of ours until it is answered."""

    __slots__ = ("action", "deadline_s", "done", "message_id", "payload", "sent_at", "then", "timeout_s")

    def __init__(
        self, message_id: str, action: str, payload: Payload, then: Then, deadline_s: float, timeout_s: float
    ) -> None:
        self.message_id = message_id
        self.action = action
        self.payload = payload
        self.then = then
        self.deadline_s = deadline_s
        self.timeout_s = timeout_s
        self.sent_at = 0.0
        self.done = False
