"""Calls with a fault in them, made from good ones: whole texts that are no calls, and payloads that break their schema.

What is made here goes over the wire beside the good call, see `evcharging.ocpp.station.faults`; nothing here sends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

import orjson

from evcharging.ocpp.errors import CallRejected
from evcharging.ocpp.frames import Call
from evcharging.ocpp.schemas import check_request
from evcharging.ocpp.station.fault_kinds import FaultKind
from evcharging.ocpp.versions import OcppVersion
from evcharging.ocpp.websocket import BinaryMessage

__all__ = ["WHOLE", "spoiled", "text"]

OVERSIZED_BYTES: Final = 2 << 20
LONG_TEXT: Final = "x" * 3000
NO_TRANSACTION: Final = 2_147_483_000


def text(message_id: str, action: str, payload: dict[str, Any]) -> bytes:
    """Return a call as it goes over the wire."""
    return orjson.dumps((2, message_id, action, payload))


WHOLE: Final[Mapping[FaultKind, Callable[[str, Call], bytes]]] = {
    FaultKind.BAD_JSON: lambda message_id, call: _half(text(message_id, call.action, call.payload)),
    FaultKind.NOT_A_FRAME: lambda message_id, call: orjson.dumps({"id": message_id, "action": call.action}),
    FaultKind.WRONG_MESSAGE_TYPE: lambda message_id, call: orjson.dumps((9, message_id, call.action, call.payload)),
    FaultKind.UNKNOWN_ACTION: lambda message_id, _call: text(message_id, "MakeCoffee", {}),
    FaultKind.NOT_UTF8: lambda message_id, call: text(message_id, call.action, call.payload)[:-2] + b"\xff\xfe]",
    FaultKind.BINARY_FRAME: lambda message_id, call: BinaryMessage(text(message_id, call.action, call.payload)),
    FaultKind.OVERSIZED_FRAME: lambda message_id, _call: text(
        message_id, "DataTransfer", {"vendorId": "evcharging", "data": "x" * OVERSIZED_BYTES}
    ),
}
"""Texts that are broken as a whole, by message id and the good call."""


def spoiled(kind: FaultKind, call: Call, *, version: OcppVersion, random: Random) -> dict[str, Any] | None:
    """Return the payload of `call` with that fault in it; None where this kind has nothing to work on there."""
    if kind is FaultKind.WRONG_TRANSACTION_ID:
        return _of_no_transaction(call.payload)
    if kind is FaultKind.UNKNOWN_FIELD:
        return {**call.payload, "askedForByTheFaultPlan": True}
    names = list(call.payload)
    random.shuffle(names)
    for name in names:
        payload = dict(call.payload)
        value = payload.pop(name)
        if kind is FaultKind.WRONG_TYPE:
            payload[name] = 17 if isinstance(value, str) else "seventeen"
        elif kind is FaultKind.TOO_LONG_VALUE:
            payload[name] = LONG_TEXT if isinstance(value, str) else value
        try:
            check_request(version, call.action, payload)
        except CallRejected:
            return payload
    return None


def _half(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


def _of_no_transaction(payload: dict[str, Any]) -> dict[str, Any] | None:
    if "transactionId" in payload:
        return {**payload, "transactionId": NO_TRANSACTION}
    info = payload.get("transactionInfo")
    if isinstance(info, dict):
        return {**payload, "transactionInfo": {**info, "transactionId": f"no-{NO_TRANSACTION}"}}
    return None
