"""The record of a driver's request, and the word that it is refused."""

from __future__ import annotations

from datetime import datetime

from evcharging.apps.ev_central.work import Work
from evcharging.messages.drivers import Denial, DriverRequest, DriverUpdate, UpdateStatus
from evcharging.messages.envelope import Received
from evcharging.messages.topics import DRIVER_UPDATES
from evcharging.store.simulator.rows import RequestRow

__all__ = ["denial", "deny", "enter"]


def denial(request: DriverRequest, reason: Denial, *, now: datetime, detail: str | None = None) -> DriverUpdate:
    """The word to a driver whose request is refused."""
    return DriverUpdate(
        ts=now,
        request_id=request.request_id,
        driver_id=request.driver_id,
        cp_id=request.cp_id,
        status=UpdateStatus.DENIED,
        reason=reason.value,
        detail=detail,
    )


def enter(work: Work, request: DriverRequest, status: UpdateStatus, *, cp_id: str) -> RequestRow:
    """Enter a request that was decided, or is about to be."""
    row = RequestRow(
        request_id=request.request_id,
        driver_id=request.driver_id,
        cp_id=cp_id,
        connector_id=request.connector_id,
        kwh=request.kwh,
        created_at=work.now,
        status=status.value,
    )
    work.requests[row.request_id] = row
    work.changed(row)
    return row


def deny(work: Work, received: Received[DriverRequest], reason: Denial, detail: str | None = None) -> None:
    """Enter a request as refused, and tell the driver."""
    request = received.message
    row = enter(work, request, UpdateStatus.DENIED, cp_id=request.cp_id)
    row.reason, row.ended_at = reason.value, work.now
    work.send(
        DRIVER_UPDATES,
        denial(request, reason, now=work.now, detail=detail),
        cause=received.id,
        kind="driver-update:denied",
        traceparent=received.traceparent,
    )
