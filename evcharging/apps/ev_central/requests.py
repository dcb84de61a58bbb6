"""What becomes of a driver's request: denied with a reason, or accepted, with a session and a command to start."""

from __future__ import annotations

from datetime import timedelta

from evcharging.apps.ev_central.accounts import close_session, progress
from evcharging.apps.ev_central.denials import denial, deny, enter
from evcharging.apps.ev_central.driver_tokens import TokenBarred, id_tag_for
from evcharging.apps.ev_central.placement import Place, choose_place
from evcharging.apps.ev_central.reservations import cancel_reservation, reserve
from evcharging.apps.ev_central.station_policy import PolicyOf, anything_goes
from evcharging.apps.ev_central.work import Work
from evcharging.messages.charge_points import StatusSource
from evcharging.messages.commands import LONGEST_EXPIRY_S, CommandAction
from evcharging.messages.drivers import Denial, DriverRequest, DriverUpdate, RequestKind, UpdateStatus
from evcharging.messages.envelope import Received, derived_id
from evcharging.messages.topics import DRIVER_UPDATES
from evcharging.store.simulator.rows import Phase, RequestRow, SessionRow

__all__ = ["accept", "handle_request"]

DRIVER_CANCEL = "driver_cancel"


async def handle_request(
    work: Work,
    received: Received[DriverRequest],
    *,
    start_timeout_s: float,
    reservation_s: float,
    currency: str,
    policy: PolicyOf = anything_goes,
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
        await reserve(work, received, reservation_s=reservation_s)
    else:
        place = await choose_place(work, request, suits=lambda point: policy(point.cp_id) is None)
        if isinstance(place, Denial):
            deny(work, received, place)
            return
        barred = policy(place.point.cp_id)
        if barred is not None:
            deny(work, received, Denial.PAYMENT_DECLINED, barred)
            return
        try:
            await accept(
                work,
                place,
                request=request,
                cause=received.id,
                traceparent=received.traceparent,
                start_timeout_s=start_timeout_s,
                currency=currency,
            )
        except TokenBarred as barred:
            deny(work, received, Denial.INVALID_REQUEST, str(barred))


async def accept(
    work: Work,
    place: Place,
    *,
    request: DriverRequest,
    cause: str,
    traceparent: str | None,
    start_timeout_s: float,
    currency: str,
) -> tuple[SessionRow, str]:
    """Enter the request and its session, tell the driver, command the start. Returns session and command id.

    Raises:
        TokenBarred: an OCPP station would not take the driver's token; nothing was entered.
    """
    point = place.point
    of_station = point.source == StatusSource.OCPP.value
    id_tag = await id_tag_for(work, request.driver_id, kept_for=place.id_tag) if of_station else None
    session = SessionRow(
        session_id=f"session-{derived_id(request.request_id, 'session')}",
        request_id=request.request_id,
        cp_id=point.cp_id,
        connector_id=place.connector_id,
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
    work.know([session])
    work.changed(session)
    row = enter(work, request, UpdateStatus.ACCEPTED, cp_id=point.cp_id)
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
        id_tag=id_tag,
        payload={"kwh": request.kwh} if request.kwh is not None else None,
        traceparent=traceparent,
    )
    return session, command_id


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
    if session is None and await cancel_reservation(work, received, known):
        return
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
