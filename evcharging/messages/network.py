"""What concerns a whole site, the swarm, tokens and raw OCPP frames."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from evcharging.messages.base import CpId, Message, UtcTime

__all__ = [
    "AuthToken",
    "OcppConfig",
    "OcppFrame",
    "SiteSignal",
    "SwarmDesired",
    "SwarmLog",
    "SwarmStatus",
    "TokenStatus",
]


class SiteSignal(Message):
    """Price, sun and limits that hold at a site from now on."""

    site_id: str = Field(min_length=1)
    price_per_kwh: float = Field(ge=0)
    solar_price_per_kwh: float | None = Field(default=None, ge=0)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    solar_kw: float | None = Field(default=None, ge=0)
    grid_limit_kw: float | None = Field(default=None, ge=0)
    carbon_g_per_kwh: float | None = Field(default=None, ge=0)
    simulated_time: UtcTime | None = None
    time_scale: float | None = Field(default=None, gt=0)


class SwarmDesired(Message):
    """What a simulated station is meant to be doing."""

    station_id: CpId
    running: bool
    profile: str = "default"
    csms_url: str | None = None


class SwarmStatus(Message):
    """What a simulated station does."""

    station_id: CpId
    state: str
    profile: str
    kw: float = 0.0
    kwh: float = 0.0
    register_wh: float = Field(default=0.0, ge=0)
    transaction_id: int | str | None = None


class SwarmLog(Message):
    """One line of a simulated station's log."""

    station_id: CpId
    line: str


class TokenStatus(StrEnum):
    """OCPP's AuthorizationStatus."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    EXPIRED = "Expired"
    INVALID = "Invalid"
    CONCURRENT_TX = "ConcurrentTx"


class AuthToken(Message):
    """An idTag and what it may do. ``deleted`` takes it out of every gateway's memory."""

    id_tag: str = Field(min_length=1, max_length=20)
    status: TokenStatus
    expires_at: UtcTime | None = None
    parent_id_tag: str | None = Field(default=None, max_length=20)
    deleted: bool = False


class OcppConfig(Message):
    """A station's registration: credentials (hashed), security profile, boot answer, configuration."""

    cp_id: CpId
    password_hash: str | None = Field(default=None, repr=False)
    security_profile: int = Field(default=0, ge=0, le=3)
    boot_status: Literal["Accepted", "Pending", "Rejected"] = "Accepted"
    heartbeat_interval_s: int | None = Field(default=None, ge=1)
    configuration: dict[str, str] | None = None
    deleted: bool = False


class OcppFrame(Message):
    """One frame on a station's socket, as it was; ``frame`` is what its JSON said, which may be null."""

    cp_id: CpId
    direction: Literal["in", "out"]
    message_type: int | None = None
    action: str | None = None
    message_id: str | None = None
    frame: Any = None
