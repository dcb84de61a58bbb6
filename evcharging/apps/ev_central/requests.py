"""What becomes of a driver's request: denied with a reason, or accepted, with a session and a command to start."""

from __future__ import annotations

from datetime import datetime, timedelta

from evcharging.apps.ev_central.accounts import close_session, progress
from evcharging.apps.ev_central.admission import refusal
from evcharging.apps.ev_central.work import Work
from evcharging.messages.commands import LONGEST_EXPIRY_S, CommandAction
from evcharging.messages.drivers import (
    ANY_CHARGE_POINT,
    Denial,
    DriverRequest,
    DriverUpdate,
    RequestKind,
    UpdateStatus,
)
from evcharging.messages.envelope import Received, derived_id
from evcharging.messages.topics import DRIVER_UPDATES
from evcharging.store.simulator import network
from evcharging.store.simulator.rows import ChargePointRow, Phase, RequestRow, SessionRow

__all__ = ["accept", "denial", "handle_request"]

CANDIDATES = 20
DRIVER_CANCEL = "driver_cancel"


async def handle_request(
    work: Work, received: Received[DriverRequest], *, start_timeout_s: float, currency: str
) -> None:
    """Decide one request. A repeat of a request that was decided is told its standing again."""
    request = received.message
    await work.load(cp_ids=[request.cp_id], request_ids=[request.request_id])
    known = work.requests.get(request.request_id)
    if request.kind is RequestKind.CANCEL:
        await _cancel(work, received, known)
    elif known is not None:
        await _repeat(work, received, known)
    elif request.kind is RequestKind.RESERVE:
        _deny(work, received, Denial.INVALID_REQUEST, "reservations are made at OCPP charge points only")
    else:
        point, reason = await _choose(work, request)
        if point is None or reason is not None:
            _deny(work, received, reason or Denial.NO_FREE_CHARGE_POINT)
        else:
            accept(
                work,
                point,
                request=request,
                cause=received.id,
                traceparent=received.traceparent,
                start_timeout_s=start_timeout_s,
                currency=currency,
            )


def accept(
    work: Work,
    point: ChargePointRow,
    *,
    request: DriverRequest,
    cause: str,
    traceparent: str | None,
    start_timeout_s: float,
    currency: str,
) -> tuple[SessionRow, str]:
    """Enter the request and its session, tell the driver, command the start. Returns session and command id."""
    session = SessionRow(
        session_id=f"session-{derived_id(request.request_id, 'session')}",
        request_id=request.request_id,
        cp_id=point.cp_id,
        connector_id=request.connector_id or 1,
        driver_id=request.driver_id,
        source=point.source or "engine",
        status="ACTIVE",
        phase=Phase.STARTING,
        target_kwh=request.kwh,
        created_at=work.now,
        start_deadline=work.now + timedelta(seconds=start_timeout_s),
        last_contact_at=work.now,
        currency=currency,
    )
    work.sessions[session.session_id] = session
    work.changed(session)
    row = _enter(work, request, UpdateStatus.ACCEPTED, cp_id=point.cp_id)
    row.session_id = session.session_id
    point.last_assigned_at = work.now
    work.changed(point)
    update = DriverUpdate(
        ts=work.now,
        request_id=request.request_id,
        driver_id=request.driver_id,
        cp_id=point.cp_id,
        status=UpdateStatus.ACCEPTED,
        session_id=session.session_id,
    )
    work.send(DRIVER_UPDATES, update, cause=cause, kind="driver-update:accepted", traceparent=traceparent)
    command_id = work.order(
        CommandAction.START_SUPPLY,
        point.cp_id,
        cause=session.session_id,
        valid_s=start_timeout_s,
        session=session,
        payload={"kwh": request.kwh} if request.kwh is not None else None,
        traceparent=traceparent,
    )
    return session, command_id


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


async def _choose(work: Work, request: DriverRequest) -> tuple[ChargePointRow | None, Denial | None]:
    if request.cp_id != ANY_CHARGE_POINT:
        point = work.charge_points.get(request.cp_id)
        return point, refusal(point, work.active_session(request.cp_id, request.connector_id or 1))
    candidates = await network.free_charge_points(work.transaction, limit=CANDIDATES)
    await work.load(cp_ids=[point.cp_id for point in candidates])
    for candidate in candidates:
        point = work.charge_points[candidate.cp_id]
        if refusal(point, work.active_session(point.cp_id)) is None:
            return point, None
    return None, Denial.NO_FREE_CHARGE_POINT


def _enter(work: Work, request: DriverRequest, status: UpdateStatus, *, cp_id: str) -> RequestRow:
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


def _deny(work: Work, received: Received[DriverRequest], reason: Denial, detail: str | None = None) -> None:
    request = received.message
    row = _enter(work, request, UpdateStatus.DENIED, cp_id=request.cp_id)
    row.reason, row.ended_at = reason.value, work.now
    work.send(
        DRIVER_UPDATES,
        denial(request, reason, now=work.now, detail=detail),
        cause=received.id,
        kind="driver-update:denied",
        traceparent=received.traceparent,
    )


async def _repeat(work: Work, received: Received[DriverRequest], known: RequestRow) -> None:
    await work.load(session_ids=[known.session_id] if known.session_id else [])
    session = work.sessions.get(known.session_id or "")
    status = UpdateStatus(known.status)
    if session is not None:
        update = progress(session, now=work.now, status=status, reason=known.reason)
    else:
        update = DriverUpdate(
            ts=work.now,
            request_id=known.request_id,
            driver_id=known.driver_id,
            cp_id=known.cp_id,
            status=status,
            reason=known.reason,
        )
    position = f"{received.topic}-{received.partition}-{received.offset}"
    work.send(DRIVER_UPDATES, update, cause=position, kind="driver-update:again", traceparent=received.traceparent)


async def _cancel(work: Work, received: Received[DriverRequest], known: RequestRow | None) -> None:
    request = received.message
    if known is None:
        update = denial(request, Denial.INVALID_REQUEST, now=work.now, detail="there is no such request to cancel")
        work.send(DRIVER_UPDATES, update, cause=received.id, kind="driver-update:denied")
        return
    if known.driver_id != request.driver_id:
        update = denial(request, Denial.INVALID_REQUEST, now=work.now, detail="the request is another driver's")
        work.send(DRIVER_UPDATES, update, cause=received.id, kind="driver-update:denied")
        return
    await work.load(session_ids=[known.session_id] if known.session_id else [])
    session = work.sessions.get(known.session_id or "")
    if session is None or session.status != "ACTIVE":
        await _repeat(work, received, known)
        return
    if session.phase is Phase.STARTING:
        # Nothing flows yet as far as is known: the record ends now, and the stop takes back a start that came through.
        close_session(work, session, DRIVER_CANCEL, traceparent=received.traceparent)
    work.order(
        CommandAction.STOP_SUPPLY,
        session.cp_id,
        cause=received.id,
        valid_s=LONGEST_EXPIRY_S,
        session=session,
        payload={"reason": DRIVER_CANCEL},
        traceparent=received.traceparent,
    )
