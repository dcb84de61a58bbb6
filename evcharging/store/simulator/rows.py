"""Rows of Central's database as values that a transaction loads, changes and saves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from evcharging.domain.states import ChargePointState

__all__ = [
    "ChargePointRow",
    "CommandRow",
    "ConnectorValue",
    "Phase",
    "RequestRow",
    "ReservationRow",
    "ReservationStatus",
    "SessionRow",
    "TariffRow",
]

ZERO = Decimal(0)


class ConnectorValue(NamedTuple):
    """What was last said of a connector, and who said it (`engine`, `ocpp`, `mqtt`, `central`)."""

    state: ChargePointState
    source: str
    ocpp_status: str | None = None
    """The station's own word, where it says more: ``Reserved`` is ACTIVATED for everybody but one."""
    reserved_for: str | None = None
    """That one's idTag, where it is known."""


@dataclass(slots=True, kw_only=True)
class ChargePointRow:
    """A charge point as last reported, and whether an operator has stopped it."""

    cp_id: str
    registered_at: datetime
    state: ChargePointState = ChargePointState.DISCONNECTED
    """Rolled up from the connectors."""
    state_reason: str | None = None
    connectors: dict[int, ConnectorValue] = field(default_factory=dict)
    """The last word on each; 0 is the whole charge point."""
    ocpp_version: str | None = None
    administrative_stop: bool = False
    source: str | None = None
    location: str | None = None
    price_per_kwh: Decimal | None = None
    rating_kw: float | None = None
    health_url: str | None = None
    last_seen_at: datetime | None = None
    last_assigned_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class RequestRow:
    """A driver's request and where it stands."""

    request_id: str
    driver_id: str
    cp_id: str
    created_at: datetime
    status: str
    connector_id: int | None = None
    kwh: float | None = None
    reason: str | None = None
    session_id: str | None = None
    ended_at: datetime | None = None


class Phase(StrEnum):
    """How far a session has come."""

    STARTING = "STARTING"
    """Commanded; the charge point has not said yet that energy flows."""
    SUPPLYING = "SUPPLYING"
    ENDING = "ENDING"
    """The charge point has ended it, and intervals may still be on their way; or, without `expected_seq`, its connector
    has another session, and word of its end may."""
    CLOSED = "CLOSED"


@dataclass(slots=True, kw_only=True)
class SessionRow:
    """A charging session with its running sums. Energy in Wh; ``cost`` is not rounded until the session is closed."""

    session_id: str
    request_id: str
    cp_id: str
    connector_id: int
    driver_id: str
    source: str
    status: str
    phase: Phase
    created_at: datetime
    start_deadline: datetime
    currency: str
    reason: str | None = None
    target_kwh: float | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    closed_at: datetime | None = None
    last_contact_at: datetime | None = None
    last_seq: int = 0
    missing_seqs: list[list[int]] = field(default_factory=list)
    """Half-open ranges of interval numbers that have not come though a higher one has."""
    expected_seq: int | None = None
    energy_wh: Decimal = ZERO
    solar_wh: Decimal = ZERO
    grid_wh: Decimal = ZERO
    register_start_wh: Decimal | None = None
    register_end_wh: Decimal | None = None
    cost: Decimal = ZERO
    amended_at: datetime | None = None


class ReservationStatus(StrEnum):
    """Where a driver's reservation stands."""

    REQUESTED = "REQUESTED"
    """Asked of the charge point, which has not answered yet."""
    ACTIVE = "ACTIVE"
    USED = "USED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REFUSED = "REFUSED"


@dataclass(slots=True, kw_only=True)
class ReservationRow:
    """A connector kept for a driver until ``expires_at``. ``reservation_id`` is 0 until it is entered."""

    request_id: str
    command_id: str
    driver_id: str
    cp_id: str
    connector_id: int
    id_tag: str
    status: ReservationStatus
    created_at: datetime
    expires_at: datetime
    reservation_id: int = 0
    ended_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class CommandRow:
    """A command that was sent, and its answer."""

    command_id: str
    cp_id: str
    action: str
    created_at: datetime
    session_id: str | None = None
    expires_at: datetime | None = None
    outcome: str | None = None
    error_code: str | None = None
    error_description: str | None = None
    answered_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class TariffRow:
    """A price from a moment on."""

    valid_from: datetime
    price_per_kwh: Decimal
    solar_price_per_kwh: Decimal | None
    currency: str
