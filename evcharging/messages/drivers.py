"""What drivers ask of Central and what they hear back."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from evcharging.messages.base import ConnectorId, CpId, Message

__all__ = [
    "ANY_CHARGE_POINT",
    "Denial",
    "DriverId",
    "DriverRequest",
    "DriverUpdate",
    "RequestKind",
    "UpdateStatus",
]

ANY_CHARGE_POINT = "any"
"""As ``cp_id``: Central chooses."""

DriverId = Annotated[str, Field(min_length=1, max_length=64, examples=["driver-alice"])]


class RequestKind(StrEnum):
    """What a driver wants."""

    CHARGE = "CHARGE"
    CANCEL = "CANCEL"
    RESERVE = "RESERVE"


class DriverRequest(Message):
    """A driver's request. A repeat with the same ``request_id`` is the same request."""

    request_id: str = Field(min_length=1, max_length=64, examples=["req-abc123"])
    driver_id: DriverId
    kind: RequestKind = RequestKind.CHARGE
    cp_id: CpId
    connector_id: ConnectorId | None = None
    kwh: float | None = Field(default=None, gt=0, le=1000)

    def body_id(self) -> str:
        """Request and kind: cancelling a request is another event than making it."""
        return self.request_id if self.kind is RequestKind.CHARGE else f"{self.request_id}:{self.kind.value}"


class UpdateStatus(StrEnum):
    """Where a request stands. DENIED, COMPLETED, FAILED and CANCELLED are final."""

    ACCEPTED = "ACCEPTED"
    DENIED = "DENIED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        """Whether nothing follows."""
        return self not in (UpdateStatus.ACCEPTED, UpdateStatus.IN_PROGRESS)


class Denial(StrEnum):
    """Why a request was refused."""

    UNKNOWN_CHARGE_POINT = "unknown_charge_point"
    BUSY = "busy"
    STOPPED = "stopped"
    FAULTED = "faulted"
    DISCONNECTED = "disconnected"
    RESERVED = "reserved"
    PAYMENT_DECLINED = "payment_declined"
    """The price in force is none that the station charges at; the detail has both."""
    NO_FREE_CHARGE_POINT = "no_free_charge_point"
    INVALID_REQUEST = "invalid_request"
    DATABASE_UNAVAILABLE = "database_unavailable"


class DriverUpdate(Message):
    """What Central tells a driver of one request. ``euros`` is the cost so far, in ``currency`` (ISO 4217)."""

    request_id: str
    driver_id: DriverId
    cp_id: CpId
    status: UpdateStatus
    reason: str | None = None
    detail: str | None = None
    kw: float | None = None
    kwh: float | None = None
    euros: float | None = None
    session_id: str | None = None
    currency: str | None = None
