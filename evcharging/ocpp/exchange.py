"""Both directions of calls over one socket: one outstanding each way, the rest queued, every answer matched or ignored.

Owns no socket: texts are given to `Exchange.receive`, and leave through the function that it was made with. Calls of
the peer are handled one after the other, in the order they came.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, Literal, Protocol, TypeAlias

import structlog

from evcharging.ocpp.errors import (
    CallFailed,
    CallRejected,
    CallTimedOut,
    ConnectionLost,
    Fault,
    InvalidAnswer,
    OcppError,
    UnreadableFrame,
    error_code,
)
from evcharging.ocpp.frames import UNKNOWN_MESSAGE_ID, Call, CallError, CallResult, Frame, encode, parse
from evcharging.ocpp.schemas import check_request, check_response
from evcharging.ocpp.timer_wheel import Due, TimerWheel
from evcharging.ocpp.versions import OcppVersion

__all__ = ["Direction", "Exchange", "ExchangeObserver", "Handler", "Payload", "Then"]

log = structlog.get_logger()

MAX_WAITING_CALLS = 64
"""Calls of the peer that may wait while one is handled; a peer that follows the standard never has two."""

Payload: TypeAlias = dict[str, Any]
Handler: TypeAlias = Callable[[str, Payload], Payload | Awaitable[Payload]]
Then: TypeAlias = Callable[[Payload | OcppError], None]
"""Is told the answer to a call, or what `Exchange.call` would raise."""
Direction: TypeAlias = Literal["in", "out"]


class ExchangeObserver(Protocol):
    """Sees everything that passes, for metrics and traces. Called on the hot path, so it must be quick."""

    def frame(self, direction: Direction, frame: Frame | None, raw: bytes | str) -> None:
        """A text came in or goes out; ``frame`` is None where it could not be read."""

    def called(self, action: str, seconds: float | None, outcome: str) -> None:
        """A call of ours ended: ``ok``, ``timeout``, ``lost``, ``invalid``, or the error code that the peer answered.

        ``seconds`` is the time from sending to the answer, None where there was none.
        """

    def handled(self, action: str, seconds: float, outcome: str) -> None:
        """A call of the peer's was answered: ``ok`` or the error code."""

    def ignored(self, reason: str) -> None:
        """A text was not acted on: ``unreadable``, ``malformed``, ``unmatched``, ``duplicate``, ``flood``."""


class Exchange:
    """One socket's calls.

    Args:
        version: by which payloads are checked and errors are spelt.
        send: takes one text for the socket; what it raises goes to the caller of `call`.
        handle: answers a call of the peer's, at once or as an awaitable; the request is valid by its schema. A
            `CallRejected` becomes CALLERROR, any other exception InternalError.
        new_id: makes message ids, 36 characters at most.
        validate_answers: whether a result of the peer's is held to its schema.
        tolerate_unknown: whether fields that the standard does not know are let through.
    """

    __slots__ = (
        "_closed",
        "_deadline",
        "_deadline_s",
        "_handle",
        "_handling",
        "_in_progress",
        "_new_id",
        "_observer",
        "_outstanding",
        "_queue",
        "_send",
        "_tolerate_unknown",
        "_validate_answers",
        "_waiting",
        "version",
    )

    def __init__(
        self,
        version: OcppVersion,
        *,
        send: Callable[[bytes], None],
        handle: Handler,
        new_id: Callable[[], str],
        observer: ExchangeObserver | None = None,
        validate_answers: bool = True,
        tolerate_unknown: bool = False,
    ) -> None:
        self.version = version
        self._send = send
        self._handle = handle
        self._new_id = new_id
        self._observer = observer
        self._validate_answers = validate_answers
        self._tolerate_unknown = tolerate_unknown
        self._outstanding: _Pending | None = None
        self._queue: list[_Pending] | None = None
        self._waiting: deque[Call] | None = None
        self._in_progress: str | None = None
        self._handling: asyncio.Future[Payload] | None = None
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

    def receive(self, data: bytes | str) -> None:
        """Take one whole text message from the socket. Never raises for what it says."""
        if self._closed is not None:
            return
        try:
            frame = parse(data)
        except UnreadableFrame as error:
            self._receive_unreadable(data, str(error))
            return
        except CallRejected as error:
            self._receive_malformed(data, error)
            return
        if self._observer is not None:
            self._observer.frame("in", frame, data)
        if isinstance(frame, Call):
            self._take(frame)
        else:
            self._match(frame)

    def left_late(self, message_id: str) -> None:
        """A call of ours left only now, after somebody on its way out held it: its ``seconds`` count from now."""
        if self._outstanding is not None and self._outstanding.message_id == message_id:
            self._outstanding.sent_at = perf_counter()

    def close(self, reason: str) -> None:
        """End every call of ours with `ConnectionLost`, and what is being handled. Idempotent."""
        if self._closed is not None:
            return
        self._closed = reason
        pending = [self._outstanding, *(self._queue or ())]
        self._outstanding = None
        self._queue = None
        self._waiting = None
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        for call in pending:
            if call is not None and not call.done:
                self._finish(call, "lost", ConnectionLost(reason))
        if self._handling is not None:
            self._handling.cancel()

    def _receive_unreadable(self, data: bytes | str, reason: str) -> None:
        if self._observer is not None:
            self._observer.frame("in", None, data)
        self._ignore("unreadable")
        if self.version is not OcppVersion.V16:
            code = error_code(Fault.RPC_FRAMEWORK_ERROR, self.version)
            self._answer(CallError(UNKNOWN_MESSAGE_ID, code, reason))

    def _receive_malformed(self, data: bytes | str, error: CallRejected) -> None:
        if self._observer is not None:
            self._observer.frame("in", None, data)
        self._ignore("malformed")
        if self.version is OcppVersion.V16 and error.fault is Fault.MESSAGE_TYPE_NOT_SUPPORTED:
            return  # OCPP-J 1.6 section 4.1.3: a message of another type is ignored
        code = error_code(error.fault, self.version)
        self._answer(CallError(error.message_id or UNKNOWN_MESSAGE_ID, code, error.description))

    def _take(self, call: Call) -> None:
        if self._in_progress is None:
            self._begin(call)
        elif call.message_id == self._in_progress or any(call.message_id == c.message_id for c in self._waiting or ()):
            self._ignore("duplicate")
        elif self._waiting is not None and len(self._waiting) >= MAX_WAITING_CALLS:
            self._ignore("flood")
        else:
            if self._waiting is None:
                self._waiting = deque()
            self._waiting.append(call)

    def _begin(self, call: Call) -> None:
        began = perf_counter()
        try:
            check_request(self.version, call.action, call.payload, tolerate_unknown=self._tolerate_unknown)
            answer = self._handle(call.action, call.payload)
        except Exception as error:  # noqa: BLE001 - whatever it is, the peer is told and only this call is lost
            self._refuse(call, error, began)
        else:
            if isinstance(answer, dict):
                self._reply(call, answer, began)
            else:
                self._in_progress = call.message_id
                self._handling = asyncio.ensure_future(answer)
                self._handling.add_done_callback(lambda handling: self._conclude(call, handling, began))

    def _conclude(self, call: Call, handling: asyncio.Future[Payload], began: float) -> None:
        self._in_progress = None
        self._handling = None
        if not handling.cancelled():
            error = handling.exception()
            if error is not None:
                self._refuse(call, error, began)
            else:
                self._reply(call, handling.result(), began)
        elif self._closed is None:
            self._refuse(call, CallRejected(Fault.INTERNAL_ERROR, "the call was given up"), began)
        while self._waiting and self._in_progress is None:
            self._begin(self._waiting.popleft())

    def _reply(self, call: Call, payload: Payload, began: float) -> None:
        if self._observer is not None:
            self._observer.handled(call.action, perf_counter() - began, "ok")
        self._answer(CallResult(call.message_id, payload))

    def _refuse(self, call: Call, error: BaseException, began: float) -> None:
        if not isinstance(error, CallRejected):
            log.error("a call could not be handled", action=call.action, exc_info=error)
            error = CallRejected(Fault.INTERNAL_ERROR, "the call could not be handled")
        code = error_code(error.fault, self.version)
        if self._observer is not None:
            self._observer.handled(call.action, perf_counter() - began, code)
        self._answer(CallError(call.message_id, code, error.description, error.details))

    def _answer(self, frame: CallResult | CallError) -> None:
        if self._closed is not None:
            return
        raw = encode(frame)
        if self._observer is not None:
            self._observer.frame("out", frame, raw)
        try:
            self._send(raw)
        except (OcppError, OSError) as error:
            log.debug("an answer found no socket", reason=str(error))

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
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + timeout_s
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
            self._watch(loop, deadline_s)
        return pending

    def _transmit(self, pending: _Pending) -> None:
        self._outstanding = pending
        frame = Call(pending.message_id, pending.action, pending.payload)
        raw = encode(frame)
        if self._observer is not None:
            self._observer.frame("out", frame, raw)
        pending.sent_at = perf_counter()
        self._send(raw)

    def _watch(self, loop: asyncio.AbstractEventLoop, deadline_s: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline_s = deadline_s
        self._deadline = TimerWheel.of(loop).call_later(deadline_s - loop.time(), self._expire)

    def _expire(self) -> None:
        """End the calls that are late, those that wait first, so that none of them is sent."""
        self._deadline = None
        loop = asyncio.get_running_loop()
        late = [call for call in self._pending() if call.deadline_s <= loop.time()]
        for call in reversed(late):
            if not call.done:
                error = CallTimedOut(f"{call.action}: no answer in {call.timeout_s:g} s")
                self._finish(call, "timeout", error)
        left = self._pending()
        if left and self._deadline is None:
            self._watch(loop, min(call.deadline_s for call in left))

    def _pending(self) -> list[_Pending]:
        return [] if self._outstanding is None else [self._outstanding, *(self._queue or ())]

    def _finish(self, pending: _Pending, outcome: str, answer: Payload | OcppError) -> None:
        pending.done = True
        if self._observer is not None:
            answered = outcome not in ("timeout", "lost")
            self._observer.called(pending.action, perf_counter() - pending.sent_at if answered else None, outcome)
        self._release(pending)
        pending.then(answer)

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
