"""Drivers' reservations at OCPP stations: ReserveNow and CancelReservation, and what becomes of them.

A reservation is a request of its own: ACCEPTED once the station has taken it, COMPLETED when its driver charges there,
CANCELLED when the driver gives it up or its time is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from evcharging.apps.ev_central.denials import deny, enter
from evcharging.apps.ev_central.driver_tokens import TokenBarred, id_tag_for
from evcharging.apps.ev_central.placement import choose_place
from evcharging.apps.ev_central.work import Work
from evcharging.domain.states import ChargePointState
from evcharging.messages.base import rfc3339
from evcharging.messages.charge_points import Status, StatusSource
from evcharging.messages.commands import LONGEST_EXPIRY_S, CommandAction, CommandOutcome, Reply
from evcharging.messages.drivers import Denial, DriverRequest, DriverUpdate, UpdateStatus
from evcharging.messages.envelope import Received, derived_id
from evcharging.messages.topics import DRIVER_UPDATES
from evcharging.store.simulator import reservations
from evcharging.store.simulator.rows import ChargePointRow, RequestRow, ReservationRow, ReservationStatus

__all__ = [
    "RESERVATION_S",
    "answer_reservations",
    "cancel_reservation",
    "lapse",
    "reserve",
    "use_reservations",
]

RESERVATION_S = 900.0
FIRST_WIRE_ID = 1_000_000_000
"""Central's reservation ids on the wire begin here, out of the way of those that operators choose over HTTP."""
ANSWERED_WITHIN = timedelta(seconds=LONGEST_EXPIRY_S + 30)
STATIONS_ONLY = "reservations are made at OCPP charge points only"

REFUSED = {
    "Occupied": Denial.BUSY,
    "Faulted": Denial.FAULTED,
    "Unavailable": Denial.STOPPED,
    "Rejected": Denial.INVALID_REQUEST,
}
"""ReservationStatus (1.6, section 7.34; 2.0.1 ReserveNowStatusEnumType). Rejected: it takes no reservations."""


async def reserve(work: Work, received: Received[DriverRequest], *, reservation_s: float) -> None:
    """Ask a station to keep a connector for the driver; the driver hears when it has answered."""
    request = received.message
    point = work.charge_points.get(request.cp_id)
    if point is not None and not _is_station(point):
        deny(work, received, Denial.INVALID_REQUEST, STATIONS_ONLY)
        return
    place = await choose_place(work, request, suits=_is_station)
    if isinstance(place, Denial):
        deny(work, received, place)
        return
    point, connector_id = place.point, place.connector_id
    standing = await reservations.standing_at(work.transaction, [point.cp_id])
    if any(row.driver_id == request.driver_id and row.connector_id == connector_id for row in standing):
        deny(work, received, Denial.RESERVED, f"connector {connector_id} is reserved for this driver already")
        return
    try:
        id_tag = await id_tag_for(work, request.driver_id)
    except TokenBarred as barred:
        deny(work, received, Denial.INVALID_REQUEST, str(barred))
        return
    cause = f"{request.request_id}:reserve"
    row = await reservations.add(
        work.transaction,
        ReservationRow(
            request_id=request.request_id,
            command_id=derived_id(cause, CommandAction.OCPP_CALL.value),
            driver_id=request.driver_id,
            cp_id=point.cp_id,
            connector_id=connector_id,
            id_tag=id_tag,
            status=ReservationStatus.REQUESTED,
            created_at=work.now,
            expires_at=work.now + timedelta(seconds=reservation_s),
        ),
    )
    enter(work, request, UpdateStatus.IN_PROGRESS, cp_id=point.cp_id)
    work.order(
        CommandAction.OCPP_CALL,
        point.cp_id,
        cause=cause,
        valid_s=LONGEST_EXPIRY_S,
        connector_id=connector_id,
        payload={"action": "ReserveNow", "payload": _reserve_now(point, row)},
        traceparent=received.traceparent,
    )


async def cancel_reservation(work: Work, received: Received[DriverRequest], request: RequestRow) -> bool:
    """Give a reservation up at the driver's wish. False where the request is none, or has ended."""
    row = await reservations.of_request(work.transaction, request.request_id)
    if row is None or row.ended_at is not None:
        return False
    await _end(work, row, request, ReservationStatus.CANCELLED, UpdateStatus.CANCELLED, "driver_cancel")
    work.order(
        CommandAction.OCPP_CALL,
        row.cp_id,
        cause=f"{row.request_id}:cancel",
        valid_s=LONGEST_EXPIRY_S,
        connector_id=row.connector_id,
        payload={"action": "CancelReservation", "payload": {"reservationId": FIRST_WIRE_ID + row.reservation_id}},
        traceparent=received.traceparent,
    )
    return True


async def answer_reservations(work: Work, replies: Sequence[Received[Reply]]) -> None:
    """Take stations' answers to ReserveNow; replies to other calls are passed over."""
    asked = await reservations.asked_by_commands(work.transaction, [r.message.command_id for r in replies])
    for received in replies:
        row = asked.get(received.message.command_id)
        if row is None or row.status is not ReservationStatus.REQUESTED:
            continue
        await work.load(request_ids=[row.request_id])
        request = work.requests[row.request_id]
        refusal, detail = _refusal(received.message)
        if refusal is not None:
            await _end(work, row, request, ReservationStatus.REFUSED, UpdateStatus.DENIED, refusal.value, detail)
            continue
        row.status = ReservationStatus.ACTIVE
        await reservations.save(work.transaction, row)
        request.status = UpdateStatus.ACCEPTED.value
        work.changed(request)
        kept_until = f"connector {row.connector_id} is reserved until {rfc3339(row.expires_at)}"
        _tell(work, row, UpdateStatus.ACCEPTED, "reserved", kept_until)


async def use_reservations(work: Work, statuses: Sequence[Status]) -> None:
    """End the reservations whose drivers have begun to charge where they had them."""
    began = {status.session_id for status in statuses if status.session_id and _begins(status)}
    sessions = [work.sessions[session_id] for session_id in began if session_id in work.sessions]
    if not sessions:
        return
    drivers_at = {(session.cp_id, session.connector_id, session.driver_id) for session in sessions}
    for row in await reservations.standing_at(work.transaction, [session.cp_id for session in sessions]):
        if (row.cp_id, row.connector_id, row.driver_id) in drivers_at:
            await _end_of(work, row, ReservationStatus.USED, UpdateStatus.COMPLETED, "used")


async def lapse(work: Work) -> None:
    """End the reservations whose time is over, and those that nobody answered."""
    for row in await reservations.lapsed(work.transaction, work.now, asked_before=work.now - ANSWERED_WITHIN):
        if row.status is ReservationStatus.REQUESTED:
            await _end_of(work, row, ReservationStatus.REFUSED, UpdateStatus.DENIED, Denial.DISCONNECTED.value)
        else:
            await _end_of(work, row, ReservationStatus.EXPIRED, UpdateStatus.CANCELLED, "expired")


async def _end_of(
    work: Work, row: ReservationRow, status: ReservationStatus, outcome: UpdateStatus, reason: str
) -> None:
    await work.load(request_ids=[row.request_id])
    await _end(work, row, work.requests[row.request_id], status, outcome, reason)


async def _end(
    work: Work,
    row: ReservationRow,
    request: RequestRow,
    status: ReservationStatus,
    outcome: UpdateStatus,
    reason: str,
    detail: str | None = None,
) -> None:
    row.status, row.ended_at = status, work.now
    await reservations.save(work.transaction, row)
    request.status, request.reason, request.ended_at = outcome.value, reason, work.now
    work.changed(request)
    _tell(work, row, outcome, reason, detail)


def _tell(work: Work, row: ReservationRow, outcome: UpdateStatus, reason: str, detail: str | None) -> None:
    update = DriverUpdate(
        ts=work.now,
        request_id=row.request_id,
        driver_id=row.driver_id,
        cp_id=row.cp_id,
        status=outcome,
        reason=reason,
        detail=detail,
    )
    work.send(DRIVER_UPDATES, update, cause=row.request_id, kind=f"driver-update:reservation:{outcome.value}")


def _begins(status: Status) -> bool:
    ends = status.detail is not None and status.detail.last_seq is not None
    return status.source is StatusSource.OCPP and status.state is ChargePointState.SUPPLYING and not ends


def _is_station(point: ChargePointRow) -> bool:
    return point.source == StatusSource.OCPP.value


def _refusal(reply: Reply) -> tuple[Denial | None, str | None]:
    if reply.outcome is CommandOutcome.CALL_RESULT:
        status = str((reply.payload or {}).get("status"))
        if status == "Accepted":
            return None, None
        return REFUSED.get(status, Denial.INVALID_REQUEST), f"the charge point answered {status[:40]}"
    if reply.outcome is CommandOutcome.CALL_ERROR:
        return Denial.INVALID_REQUEST, f"the charge point answered {reply.error_code or 'an error'}"
    if reply.outcome is CommandOutcome.REJECTED:
        return Denial.INVALID_REQUEST, reply.error_description or reply.error_code
    return Denial.DISCONNECTED, f"the charge point could not be asked ({reply.outcome.value})"


def _reserve_now(point: ChargePointRow, row: ReservationRow) -> dict[str, Any]:
    number, until = FIRST_WIRE_ID + row.reservation_id, _seconds(row.expires_at)
    if point.ocpp_version in (None, "1.6"):
        return {
            "connectorId": row.connector_id,
            "expiryDate": until,
            "idTag": row.id_tag,
            "reservationId": number,
        }
    return {
        "id": number,
        "expiryDateTime": until,
        "idToken": {"idToken": row.id_tag, "type": "Central"},
        "evseId": row.connector_id,
    }


def _seconds(moment: datetime) -> str:
    return rfc3339(moment.replace(microsecond=0))
