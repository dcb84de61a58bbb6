"""Rows of the history as values. ``position`` is a row's number, which only grows; 0 until it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

__all__ = ["FrameRow", "LogRow", "SnapshotRow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One line of a station's log, as the station wrote it."""

    station_id: str
    ts: datetime
    line: str
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRow:
    """What a station drew at a moment, that of its last reading, and the energy of its session until then."""

    station_id: str
    ts: datetime
    kw: float
    kwh: float
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRow:
    """One frame on a station's socket; ``frame`` is what its JSON said."""

    cp_id: str
    ts: datetime
    direction: str
    message_type: int | None
    action: str | None
    message_id: str | None
    frame: Any
    position: int = 0
