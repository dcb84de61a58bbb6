"""Reads off a station's wire what the CSMS acknowledged of its transactions, for the ledger.

It looks at the requests that begin and end transactions and at their answers, and at nothing else; it changes nothing.
What is sent beside them as a fault on purpose is no transaction of the station's. One a station.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Final

import orjson

from evcharging.apps.load_run.ledger import Ledger
from evcharging.ocpp.station.faults import FAULT_ID

__all__ = ["WireTap"]

Payload = Mapping[str, Any]

_CALL: Final = 2
_CALL_RESULT: Final = 3
_HEAD: Final = 120
"""The action of a call stands within its first bytes: a message id has 36 characters at most."""
_REGISTER: Final = "Energy.Active.Import.Register"


class WireTap:
    """One station's ear on its own wire.

    Args:
        station_id: Whose.
        ledger: Where acknowledgements are noted.
    """

    __slots__ = ("_ledger", "_station_id", "_waiting")

    def __init__(self, station_id: str, ledger: Ledger) -> None:
        self._station_id = station_id
        self._ledger = ledger
        self._waiting: dict[str, tuple[str, Payload]] = {}

    def reconnected(self) -> None:
        """What was not answered on the last socket never will be."""
        self._waiting.clear()

    def sent(self, data: bytes) -> None:
        """Note a frame that goes out."""
        if data.find(b"Transaction", 0, _HEAD) < 0:
            return
        frame = _read(data)
        if frame is None or frame[0] != _CALL or frame[2] not in _WATCHED:
            return
        if not frame[1].startswith(FAULT_ID):
            self._waiting[frame[1]] = (frame[2], frame[3])

    def received(self, data: bytes) -> None:
        """Note a frame that came in."""
        if not self._waiting:
            return
        frame = _read(data)
        if frame is None or len(frame) < 3:
            return
        request = self._waiting.pop(frame[1], None) if isinstance(frame[1], str) and frame[0] != _CALL else None
        if request is not None and frame[0] == _CALL_RESULT:
            action, payload = request
            with contextlib.suppress(KeyError, TypeError, ValueError):  # a broken answer acknowledges nothing
                _WATCHED[action](self._ledger, self._station_id, payload, frame[2])


def _started(ledger: Ledger, station_id: str, request: Payload, answer: Payload) -> None:
    ledger.start_acknowledged(station_id, answer["transactionId"], request["meterStart"])


def _stopped(ledger: Ledger, station_id: str, request: Payload, _answer: Payload) -> None:
    ledger.end_acknowledged(station_id, request["transactionId"], request["meterStop"])


def _event(ledger: Ledger, station_id: str, request: Payload, _answer: Payload) -> None:
    transaction_id = request["transactionInfo"]["transactionId"]
    if request["eventType"] == "Started":
        ledger.start_acknowledged(station_id, transaction_id, _register_wh(request, last=False))
    elif request["eventType"] == "Ended":
        ledger.end_acknowledged(station_id, transaction_id, _register_wh(request, last=True))


_WATCHED: Final = {"StartTransaction": _started, "StopTransaction": _stopped, "TransactionEvent": _event}


def _read(data: bytes) -> list[Any] | None:
    """A frame's elements; None for what is none, such as one that was broken on purpose."""
    try:
        frame = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return frame if isinstance(frame, list) and len(frame) > 1 else None


def _register_wh(request: Payload, *, last: bool) -> int | None:
    """The first or last reading of the energy register in a TransactionEvent, in Wh."""
    readings = [
        value
        for meter_value in request.get("meterValue", ())
        for value in meter_value["sampledValue"]
        if value.get("measurand", _REGISTER) == _REGISTER and "phase" not in value
    ]
    if not readings:
        return None
    value = readings[-1 if last else 0]
    unit = value.get("unitOfMeasure", {})
    factor: float = 10 ** unit.get("multiplier", 0) * (1000 if unit.get("unit") == "kWh" else 1)
    return round(float(value["value"]) * factor)
