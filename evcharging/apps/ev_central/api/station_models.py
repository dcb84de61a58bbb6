"""Bodies of requests and answers about simulated stations, beside what a station looks like (`swarm_station`)."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from evcharging.domain.behaviour import DEFAULT_PROFILE
from evcharging.messages.base import CpId
from evcharging.messages.network import StationVersion

__all__ = ["LogRecord", "ScaleBody", "ScaleRecord", "StationBody"]

ProfileName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9_.-]+$",
        description="`default`, `busy`, `idle`, `no-transactions`, `flaky`, or one of your own",
        examples=["default"],
    ),
]


Version = Annotated[
    StationVersion | None,
    Field(
        description="the OCPP it speaks: `1.6` or `2.0.1`; left out, what it spoke before, else what its worker does"
    ),
]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ScaleBody(_Body):
    """How many stations are to run, and how those that are started behave."""

    count: int = Field(ge=0, le=1_000_000, examples=[10])
    profile: ProfileName = DEFAULT_PROFILE
    ocpp_version: Version = None


class StationBody(_Body):
    """Which station, and how it is to behave."""

    station_id: Annotated[CpId, Field(examples=["PY-SIM-0099"])]
    profile: ProfileName | None = None
    ocpp_version: Version = None


class ScaleRecord(BaseModel):
    """What is wanted now; workers follow within seconds."""

    count: int = Field(description="stations that are to run, of those with a number", examples=[10])
    profile: str = Field(examples=["default"])
    started: int = Field(examples=[10])
    stopped: int = Field(examples=[0])


class LogRecord(BaseModel):
    """The end of a station's log."""

    station_id: str = Field(examples=["PY-SIM-0001"])
    logs: list[str] = Field(description="newest last", examples=[["[12:05:32] BootNotification sent"]])
    count: int = Field(examples=[1])
