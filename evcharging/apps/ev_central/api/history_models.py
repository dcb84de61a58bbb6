"""What answers about the past look like."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from evcharging.messages.base import UtcTime

__all__ = ["FrameRecord", "HistoryRecord", "SnapshotRecord"]


class SnapshotRecord(BaseModel):
    """What was drawn at a moment, and the energy of the session until then. ``ts`` is when that was read."""

    ts: UtcTime
    kw: float = Field(examples=[7.36])
    kwh: float = Field(examples=[12.5])


class HistoryRecord(BaseModel):
    """What a station, or a charge point, was up to; both lists newest first."""

    station_id: str = Field(examples=["PY-SIM-0001"])
    logs: list[str] = Field(examples=[["[12:06:02] Charging started (price: 18.50 INR)"]])
    snapshots: list[SnapshotRecord]


class FrameRecord(BaseModel):
    """One frame on a charge point's socket."""

    ts: UtcTime
    cp_id: str = Field(examples=["PY-SIM-0001"])
    direction: Literal["in", "out"] = Field(description="`in`: from the charge point")
    message_type: int | None = Field(description="2 call, 3 its result, 4 its error; null: unreadable", examples=[2])
    action: str | None = Field(examples=["Heartbeat"])
    message_id: str | None = Field(examples=["19223201"])
    frame: Any = Field(description="what its JSON said", examples=[[2, "19223201", "Heartbeat", {}]])
