"""Both directions of calls over one socket: one outstanding each way, the rest queued, every answer matched or ignored.

Owns no socket: texts are given to `Exchange.receive`, and leave through the function that it was made with. Calls of
the peer are handled one after the other, in the order they came.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TypeAlias

import structlog

from evcharging.ocpp.asking import Asking, Direction, ExchangeObserver, OnFrame, Payload, Then
from evcharging.ocpp.errors import CallRejected, Fault, OcppError, UnreadableFrame, error_code
from evcharging.ocpp.frames import UNKNOWN_MESSAGE_ID, Call, CallError, CallResult, encode, parse
from evcharging.ocpp.schemas import check_request
from evcharging.ocpp.versions import OcppVersion

__all__ = ["Direction", "Exchange", "ExchangeObserver", "Handler", "OnFrame", "Payload", "Then"]

log = structlog.get_logger()

MAX_WAITING_CALLS = 64
"""Calls of the peer that may wait while one is handled; a peer that follows the standard never has two."""

Handler: TypeAlias = Callable[[str, Payload], Payload | Awaitable[Payload]]


class Exchange(Asking):
    """One socket's calls; those of ours are made as `Asking` has it.

    Args:
        version: by which payloads are checked and errors are spelt.
        send: takes one text for the socket; what it raises goes to the caller of `call`.
        handle: answers a call of the peer's, at once or as an awaitable; the request is valid by its schema. A
            `CallRejected` becomes CALLERROR, any other exception InternalError.
        new_id: makes message ids, 36 characters at most.
        observer, on_frame: hear how calls end, and see each text that passes.
        validate_answers: whether a result of the peer's is held to its schema.
        tolerate_unknown: whether fields that the standard does not know are let through.
    """

    __slots__ = ("_handle", "_handling", "_in_progress", "_waiting")

    def __init__(
        self,
        version: OcppVersion,
        *,
        send: Callable[[bytes], None],
        handle: Handler,
        new_id: Callable[[], str],
        observer: ExchangeObserver | None = None,
        on_frame: OnFrame | None = None,
        validate_answers: bool = True,
        tolerate_unknown: bool = False,
    ) -> None:
        super().__init__(
            version,
            send=send,
            new_id=new_id,
            observer=observer,
            on_frame=on_frame,
            validate_answers=validate_answers,
            tolerate_unknown=tolerate_unknown,
        )
        self._handle = handle
        self._waiting: deque[Call] | None = None
        self._in_progress: str | None = None
        self._handling: asyncio.Future[Payload] | None = None

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
        if self._on_frame is not None:
            self._on_frame("in", frame, data)
        if isinstance(frame, Call):
            self._take(frame)
        else:
            self._match(frame)

    def close(self, reason: str) -> None:
        """End every call of ours with `ConnectionLost`, and what is being handled. Idempotent."""
        if self._closed is not None:
            return
        self._waiting = None
        self._lose(reason)
        if self._handling is not None:
            self._handling.cancel()

    def _receive_unreadable(self, data: bytes | str, reason: str) -> None:
        if self._on_frame is not None:
            self._on_frame("in", None, data)
        self._ignore("unreadable")
        if self.version is not OcppVersion.V16:
            code = error_code(Fault.RPC_FRAMEWORK_ERROR, self.version)
            self._answer(CallError(UNKNOWN_MESSAGE_ID, code, reason))

    def _receive_malformed(self, data: bytes | str, error: CallRejected) -> None:
        if self._on_frame is not None:
            self._on_frame("in", None, data)
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
        if self._on_frame is not None:
            self._on_frame("out", frame, raw)
        try:
            self._send(raw)
        except (OcppError, OSError) as error:
            log.debug("an answer found no socket", reason=str(error))
