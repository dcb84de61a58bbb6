"""Publishes every frame on ``ocpp.frames``, as it was, without ever holding a socket up.

Passwords that a frame sets on a station are left out. What the bus does not take in time is dropped and counted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Any, Final, Literal

import orjson

from evcharging.apps.ocpp_gateway.metrics import GatewayMetrics
from evcharging.bus.protocol import Bus, BusError
from evcharging.messages.envelope import Event
from evcharging.messages.network import OcppFrame
from evcharging.messages.topics import OCPP_FRAMES
from evcharging.ocpp.exchange import Direction
from evcharging.ocpp.frames import Call, CallError, CallResult, Frame

__all__ = ["FrameTrace"]

AUTO_UP_TO: Final = 500
MOST_WAITING: Final = 10_000
MOST_TEXT: Final = 4096
HIDDEN: Final = "(not shown)"
SECRET_KEYS: Final = frozenset({"authorizationkey", "basicauthpassword"})


class FrameTrace:
    """Takes frames from sockets, and publishes them in a task of its own: `run`.

    Args:
        bus: where they go.
        mode: ``auto`` traces while 500 stations or fewer are connected.
        connected: how many are.
        now: the time.
        source: names this gateway.
        run_id: of this process's life, for ids that do not repeat.
        metrics: what is counted.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        mode: Literal["auto", "on", "off"],
        connected: Callable[[], int],
        now: Callable[[], datetime],
        source: str,
        run_id: str,
        metrics: GatewayMetrics,
    ) -> None:
        self._bus = bus
        self._mode = mode
        self._connected = connected
        self._now = now
        self._source = source
        self._run_id = run_id
        self._metrics = metrics
        self._numbers = count(1)
        self._waiting: deque[tuple[datetime, str, Direction, Frame | None, bytes | str]] = deque()
        self._some = asyncio.Event()

    def take(self, cp_id: str, direction: Direction, frame: Frame | None, raw: bytes | str) -> None:
        """One frame passed."""
        if self._mode == "off" or (self._mode == "auto" and self._connected() > AUTO_UP_TO):
            return
        if len(self._waiting) >= MOST_WAITING:
            self._metrics.events["frames_untraced"] += 1
            return
        self._waiting.append((self._now(), cp_id, direction, frame, raw))
        self._some.set()

    async def run(self) -> None:
        """Publish for ever."""
        while True:
            await self._some.wait()
            self._some.clear()
            while self._waiting:
                await self._publish(*self._waiting.popleft())

    async def _publish(
        self, ts: datetime, cp_id: str, direction: Direction, frame: Frame | None, raw: bytes | str
    ) -> None:
        try:
            message = _message(ts, cp_id, direction, frame, raw)
            event = Event(OCPP_FRAMES, message, f"{self._run_id}-{next(self._numbers)}", self._source)
            await self._bus.publish(event)
        except (BusError, ValueError):  # too large, too deep, or nobody takes it
            self._metrics.events["frames_untraced"] += 1
        else:
            self._metrics.events["frames_traced"] += 1


def _message(ts: datetime, cp_id: str, direction: Direction, frame: Frame | None, raw: bytes | str) -> OcppFrame:
    message_type: int | None = None
    action: str | None = None
    message_id: str | None = None
    content: Any
    match frame:
        case Call():
            message_type, message_id, action = 2, frame.message_id, frame.action
            content = [2, message_id, action, _without_secrets(frame.action, frame.payload)]
        case CallResult():
            message_type, message_id = 3, frame.message_id
            content = [3, message_id, frame.payload]
        case CallError():
            message_type, message_id = 4, frame.message_id
            content = [4, message_id, frame.code, frame.description, frame.details]
        case None:
            content = _unread(raw)
    return OcppFrame(
        ts=ts,
        cp_id=cp_id,
        direction=direction,
        message_type=message_type,
        action=action,
        message_id=message_id,
        frame=content,
    )


def _unread(raw: bytes | str) -> Any:
    """What its JSON said, else its beginning as text."""
    if len(raw) <= MOST_TEXT:
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError:
            pass
    return raw[:MOST_TEXT].decode("utf-8", "replace") if isinstance(raw, bytes) else raw[:MOST_TEXT]


def _without_secrets(action: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The payload may be anything: a station can send what only a central system should."""
    if action == "ChangeConfiguration" and _is_secret(payload.get("key")):
        return {**payload, "value": HIDDEN}
    variables = payload.get("setVariableData") if action == "SetVariables" else None
    if isinstance(variables, list):
        return {**payload, "setVariableData": [_without_secret(data) for data in variables]}
    return payload


def _without_secret(data: Any) -> Any:
    variable = data.get("variable") if isinstance(data, dict) else None
    if isinstance(variable, dict) and _is_secret(variable.get("name")):
        return {**data, "attributeValue": HIDDEN}
    return data


def _is_secret(key: Any) -> bool:
    return isinstance(key, str) and key.lower() in SECRET_KEYS
