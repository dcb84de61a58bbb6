"""How a frame is written: for people, as candump writes it with what the DBC makes of it; for programs, as JSON."""

from __future__ import annotations

import json
from typing import Any

from can import Message

from evcharging.can.dbc import decode_signals
from evcharging.can.frame_fields import FrameError
from evcharging.can.frames import decode

__all__ = ["as_json", "as_line"]


def as_line(message: Message) -> str:
    """``(1700000000.250000) CP-001 300 [4] 20 00 80 0C  MeasuredCurrent CurrentWhole=32 Current=32``."""
    can_id = f"{message.arbitration_id:08X}" if message.is_extended_id else f"{message.arbitration_id:03X}"
    data = bytes(message.data).hex(" ").upper()
    raw = f"({message.timestamp:.6f}) {message.channel} {can_id} [{len(message.data)}] {data:<23}"
    name, signals, problem = _read(message)
    said = " ".join(f"{signal}={_short(value)}" for signal, value in signals.items())
    return " ".join(part for part in (raw, name or "", said, f"! {problem}" if problem else "") if part).rstrip()


def as_json(message: Message) -> str:
    """One JSON object: ts, channel, id (hex), extended, data (hex), name, signals, and problem where it is damaged."""
    name, signals, problem = _read(message)
    document: dict[str, Any] = {
        "ts": round(message.timestamp, 6),
        "channel": message.channel,
        "id": f"{message.arbitration_id:X}",
        "extended": message.is_extended_id,
        "data": bytes(message.data).hex().upper(),
        "name": name,
        "signals": signals,
    }
    if problem is not None:
        document["problem"] = problem
    return json.dumps(document)


def _read(message: Message) -> tuple[str | None, dict[str, float | int | str], str | None]:
    """Name and signals by the DBC, and what is wrong with the frame by our own codec (a CRC, a range)."""
    try:
        name, signals = decode_signals(message)
    except FrameError as error:
        return None, {}, str(error)
    try:
        decode(message)
    except FrameError as error:
        return name, signals, str(error)
    return name, signals, None


def _short(value: float | str) -> str:
    return f"{value:.10g}" if isinstance(value, float | int) else value
