"""OCPP-J frames: texts in, typed frames out, and back. No sockets, no schemas."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import orjson

from evcharging.ocpp.errors import CallRejected, Fault, UnreadableFrame

__all__ = ["UNKNOWN_MESSAGE_ID", "Call", "CallError", "CallResult", "Frame", "encode", "encode_call", "parse"]

CALL, CALL_RESULT, CALL_ERROR = 2, 3, 4
LONGEST_MESSAGE_ID = 36
UNKNOWN_MESSAGE_ID = "-1"
"""What an answer names when the frame's own id could not be read (OCPP 2.0.1 part 4, section 4.2.3)."""


class Call(NamedTuple):
    """``[2, message_id, action, payload]``: one side asks the other."""

    message_id: str
    action: str
    payload: dict[str, Any]


class CallResult(NamedTuple):
    """``[3, message_id, payload]``: the answer."""

    message_id: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallError:
    """``[4, message_id, code, description, details]``: the refusal."""

    message_id: str
    code: str
    description: str = ""
    details: dict[str, Any] = field(default_factory=dict)


Frame: TypeAlias = Call | CallResult | CallError


def parse(data: bytes | str) -> Frame:
    """Read one text message.

    Raises:
        UnreadableFrame: it is no frame, or one that asks for no answer is malformed.
        CallRejected: it is meant as a call and can be answered with an error; ``message_id`` says which.
    """
    try:
        frame = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UnreadableFrame(f"not JSON ({error})") from None
    if type(frame) is not list or len(frame) < 3:
        raise UnreadableFrame("not a JSON array of three elements or more")
    message_type, message_id = frame[0], frame[1]
    if type(message_id) is not str or not message_id:
        raise UnreadableFrame("the message id is no text")
    if message_type == CALL and type(message_type) is int:
        return _call(frame, message_id)
    if message_type == CALL_RESULT:
        if len(frame) != 3 or type(frame[2]) is not dict:
            raise UnreadableFrame("a CALLRESULT is [3, message id, payload object]")
        return CallResult(message_id, frame[2])
    if message_type == CALL_ERROR:
        return _call_error(frame, message_id)
    raise CallRejected(
        Fault.MESSAGE_TYPE_NOT_SUPPORTED,
        f"message type {str(message_type)[:20]}; expected 2, 3 or 4",
        message_id=message_id[:LONGEST_MESSAGE_ID],
    )


def encode_call(message_id: str, action: str, payload: dict[str, Any]) -> bytes:
    """A `Call` as it goes over the wire."""
    return orjson.dumps((CALL, message_id, action, payload))


def encode(frame: Frame) -> bytes:
    """The frame as it goes over the wire."""
    if isinstance(frame, Call):
        return encode_call(frame.message_id, frame.action, frame.payload)
    if isinstance(frame, CallResult):
        return orjson.dumps((CALL_RESULT, frame.message_id, frame.payload))
    return orjson.dumps((CALL_ERROR, frame.message_id, frame.code, frame.description[:255], frame.details))


def _call(frame: list[Any], message_id: str) -> Call:
    if len(message_id) > LONGEST_MESSAGE_ID:
        raise CallRejected(
            Fault.FORMAT_VIOLATION,
            f"a message id of {len(message_id)} characters; {LONGEST_MESSAGE_ID} at most",
            message_id=message_id[:LONGEST_MESSAGE_ID],
        )
    if len(frame) != 4 or type(frame[2]) is not str or type(frame[3]) is not dict:
        raise CallRejected(
            Fault.FORMAT_VIOLATION, "a CALL is [2, message id, action, payload object]", message_id=message_id
        )
    return Call(message_id, frame[2], frame[3])


def _call_error(frame: list[Any], message_id: str) -> CallError:
    code = frame[2]
    description = frame[3] if len(frame) > 3 else ""
    details = frame[4] if len(frame) > 4 else {}
    if type(code) is not str:
        raise UnreadableFrame("a CALLERROR is [4, message id, code, description, details object]")
    # Chargers leave details out, or say null; the code is what counts.
    return CallError(
        message_id, code, description if type(description) is str else "", details if type(details) is dict else {}
    )
