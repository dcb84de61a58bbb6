"""OCPP charge points over HTTP: any operation of theirs, and what the gateways have of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Body, Path, Request, Response
from pydantic import TypeAdapter

from evcharging.apps.ev_central.api.dependencies import Parts, PartsOf
from evcharging.apps.ev_central.api.error_docs import errors
from evcharging.apps.ev_central.api.ocpp_models import ReservationOut, TransactionOut
from evcharging.apps.ev_central.api.ocpp_standing import StandingOut
from evcharging.apps.ev_central.api.paging import LINK_HEADER, Cursor, Limit, open_cursor, page_of
from evcharging.apps.ev_central.api.problems import Refused
from evcharging.apps.ev_central.errors import UnknownChargePoint
from evcharging.apps.ev_central.ocpp_errors import UnknownRegistration
from evcharging.messages.base import CpId
from evcharging.store.gateway import reading
from evcharging.store.gateway.standing import standing_of

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/ocpp", tags=["ocpp"])

OfPath = Annotated[CpId, Path(description="the charge point's id")]
Action = Annotated[
    str,
    Path(
        min_length=1,
        max_length=60,
        description="an operation that a central system initiates, as the charge point's version of OCPP spells it",
        examples=["Reset"],
    ),
]
Payload = Annotated[
    dict[str, Any],
    Body(description="the request's payload, as the standard spells it", examples=[{"type": "Soft"}]),
]
DIGITS = len(str(2**31))
TRANSACTIONS: TypeAdapter[list[TransactionOut]] = TypeAdapter(list[TransactionOut])
RESERVATIONS: TypeAdapter[list[ReservationOut]] = TypeAdapter(list[ReservationOut])
FOUND: dict[int | str, dict[str, Any]] = {
    200: {"headers": LINK_HEADER},
    **errors("unknown_charge_point", "database_unavailable"),
}


@router.get(
    "/{cp_id}",
    summary="What an OCPP charge point has told and was set to",
    response_model=StandingOut,
    responses=errors("unknown_charge_point", "database_unavailable"),
)
async def standing(parts: PartsOf, cp_id: OfPath) -> Response:
    """Its boot, connectors, configuration, charging profiles, local list, firmware and diagnostics, as they are kept.

    Of a charge point that was registered and never connected, and of an engine's, there is nothing.
    """
    async with parts.gateway.read() as transaction:
        found = await standing_of(transaction, cp_id)
    if not found.known:
        await _require_known(parts, cp_id)
    return Response(StandingOut.of(cp_id, found).model_dump_json(), media_type="application/json")


@router.get(
    "/{cp_id}/transactions",
    summary="OCPP transactions of a charge point",
    response_model=list[TransactionOut],
    responses=FOUND,
)
async def transactions(
    parts: PartsOf, request: Request, cp_id: OfPath, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """Newest first, as the gateways keep them; one that runs has no `stopped_at`."""
    moment, last = _position(cursor)
    before = None if moment is None else (moment, last)
    async with parts.gateway.read() as transaction:
        found = await reading.transactions_of(transaction, cp_id, before=before, limit=limit + 1)
    if not found:
        await _require_known(parts, cp_id)
    return page_of(
        request,
        found,
        limit,
        position=lambda record: f"{record.created_at.isoformat()}|{record.session_id}",
        encoded=lambda records: TRANSACTIONS.dump_json([TransactionOut.of(record) for record in records]),
    )


@router.get(
    "/{cp_id}/reservations",
    summary="Reservations at a charge point",
    response_model=list[ReservationOut],
    responses=FOUND,
)
async def reservations(
    parts: PartsOf, request: Request, cp_id: OfPath, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """Newest first: those that the charge point has accepted, for drivers and through ReserveNow."""
    moment, last = _position(cursor)
    if moment is not None and not (last.isascii() and last.isdecimal() and len(last) <= DIGITS):
        raise _not_a_cursor()
    before = None if moment is None else (moment, int(last))
    async with parts.gateway.read() as transaction:
        found = await reading.reservations_of(transaction, cp_id, now=parts.now(), before=before, limit=limit + 1)
    if not found:
        await _require_known(parts, cp_id)
    return page_of(
        request,
        found,
        limit,
        position=lambda record: f"{record.created_at.isoformat()}|{record.reservation_id}",
        encoded=lambda records: RESERVATIONS.dump_json([ReservationOut.of(record) for record in records]),
    )


@router.post(
    "/{cp_id}/{action}",
    summary="Have a charge point carry out an OCPP operation",
    response_model=dict[str, Any],
    responses={
        200: {
            "description": "The charge point's response payload, as it is.",
            "content": {"application/json": {"example": {"status": "Accepted"}}},
        },
        **errors(
            "unknown_charge_point",
            "unknown_action",
            "not_connected",
            "call_refused",
            "call_error",
            "no_answer",
            "too_many_calls",
            "database_unavailable",
            writes=True,
        ),
    },
)
async def call(parts: PartsOf, cp_id: OfPath, action: Action, payload: Payload) -> Response:
    """Any operation that OCPP lets a central system initiate: Reset, ChangeConfiguration, SetChargingProfile and so on.

    The body is checked against the schema of the charge point's version before anything is sent. The answer is the
    charge point's own, also where its status says that it refuses; it is waited for for 30 s.
    """
    return Response(orjson.dumps(await parts.calls.call(cp_id, action, payload)), media_type="application/json")


async def _require_known(parts: Parts, cp_id: str) -> None:
    """A station that was registered and has never connected is known too."""
    if cp_id not in parts.view:
        try:
            await parts.registry.station(cp_id)
        except UnknownRegistration:
            raise UnknownChargePoint(cp_id) from None


def _position(cursor: str | None) -> tuple[datetime | None, str]:
    position = open_cursor(cursor)
    if position is None:
        return None, ""
    moment, _, last = position.partition("|")
    try:
        created_at = datetime.fromisoformat(moment)
    except ValueError:
        raise _not_a_cursor() from None
    if created_at.tzinfo is None or not last:
        raise _not_a_cursor()
    return created_at, last


def _not_a_cursor() -> Refused:
    detail = "expected the cursor of the page before"
    problems = [{"pointer": "query/cursor", "detail": detail}]
    return Refused("invalid_request", f"query/cursor: {detail}", errors=problems)
