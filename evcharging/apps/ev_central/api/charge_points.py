"""Charge points over HTTP: what they are, what monitors say of them, what operators have them do."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response, status

from evcharging.apps.ev_central.api.dependencies import PartsOf
from evcharging.apps.ev_central.api.error_docs import errors
from evcharging.apps.ev_central.api.models import (
    Accepted,
    AcceptedMany,
    HealthBody,
    InjectBody,
    Noted,
    Registered,
    RegistrationBody,
    StartBody,
)
from evcharging.apps.ev_central.api.paging import LINK_HEADER, Cursor, array_of, open_cursor, page_of
from evcharging.apps.ev_central.errors import UnknownChargePoint
from evcharging.apps.ev_central.view_records import ChargePointRecord
from evcharging.messages.base import CpId
from evcharging.messages.charge_points import Telemetry

__all__ = ["router"]

router = APIRouter(tags=["charge points"])

OfPath = Annotated[CpId, Path(description="the charge point's id")]
Limit = Annotated[int, Query(ge=1, le=10_000, description="most entries in the answer")]
COMMANDED: dict[str, Any] = {
    "status_code": status.HTTP_202_ACCEPTED,
    "responses": errors("unknown_charge_point", "state_forbids", "database_unavailable", writes=True),
}
COMMANDED_ALL: dict[str, Any] = {
    "status_code": status.HTTP_202_ACCEPTED,
    "responses": errors("database_unavailable", writes=True),
}


@router.get(
    "/cp",
    summary="List charge points",
    response_model=list[ChargePointRecord],
    responses={200: {"headers": LINK_HEADER}, **errors()},
)
async def list_charge_points(parts: PartsOf, request: Request, limit: Limit = 1_000, cursor: Cursor = None) -> Response:
    """Every charge point as it is now, by id."""
    records = parts.view.records(parts.now(), after=open_cursor(cursor), limit=limit + 1)
    return page_of(request, records, limit, position=lambda record: str(record["cp_id"]), encoded=orjson.dumps)


@router.get(
    "/telemetry",
    summary="Latest meter reading of each charge point",
    response_model=list[Telemetry],
    responses={200: {"headers": LINK_HEADER}, **errors()},
)
async def telemetry(parts: PartsOf, request: Request, limit: Limit = 1_000, cursor: Cursor = None) -> Response:
    """The latest `cp.telemetry` record of each charge point that has sent one, by id."""
    meters = map(parts.view.meter, parts.view.ids(after=open_cursor(cursor)))
    found = list(islice((meter for meter in meters if meter is not None), limit + 1))
    return page_of(request, found, limit, position=lambda meter: meter.cp_id, encoded=array_of)


@router.get(
    "/cp/{cp_id}",
    summary="One charge point",
    response_model=ChargePointRecord,
    responses=errors("unknown_charge_point"),
)
async def one_charge_point(parts: PartsOf, cp_id: OfPath) -> Response:
    """A charge point as it is now."""
    record = parts.view.record(cp_id, parts.now())
    if record is None:
        raise UnknownChargePoint(cp_id)
    return _json(record)


@router.post(
    "/cp/register",
    summary="Make a charge point known",
    status_code=status.HTTP_201_CREATED,
    response_model=Registered,
    responses={
        200: {"model": Registered, "description": "It was known; what was said of it is changed."},
        **errors("database_unavailable", writes=True),
    },
)
async def register(parts: PartsOf, body: RegistrationBody, response: Response) -> Registered:
    """For monitors. Fields that are left out stay as they are."""
    new = await parts.operations.register(body)
    parts.view.remember(body.cp_id)
    response.headers["Location"] = f"/cp/{body.cp_id}"
    if not new:
        response.status_code = status.HTTP_200_OK
    return Registered(cp_id=body.cp_id, new=new)


@router.post("/cp/stop", summary="Take every charge point out of service", response_model=AcceptedMany, **COMMANDED_ALL)
async def stop_all(parts: PartsOf) -> AcceptedMany:
    """STOP_CP to each whose state allows it; running sessions are ended first."""
    return _many(await parts.operations.stop_all())


@router.post(
    "/cp/resume",
    summary="Put every stopped charge point back into service",
    response_model=AcceptedMany,
    **COMMANDED_ALL,
)
async def resume_all(parts: PartsOf) -> AcceptedMany:
    """RESUME_CP to each that is stopped."""
    return _many(await parts.operations.resume_all())


@router.post(
    "/cp/{cp_id}/health",
    summary="Report a charge point's health",
    responses=errors("unknown_charge_point", "database_unavailable", "bus_unavailable", writes=True),
)
async def report_health(parts: PartsOf, cp_id: OfPath, body: HealthBody) -> Noted:
    """For monitors, each second. Not healthy becomes FAULT; healthy again takes that back."""
    await parts.operations.report_health(cp_id, body)
    return Noted(cp_id=cp_id, healthy=body.healthy)


@router.post("/cp/{cp_id}/start", summary="Start a session for a driver", **COMMANDED)
async def start(parts: PartsOf, cp_id: OfPath, body: StartBody) -> Accepted:
    """As if the driver had asked: a request and a session are entered, and START_SUPPLY is sent."""
    command_id = await parts.operations.start(
        cp_id, driver_id=body.driver_id, kwh=body.kwh, connector_id=body.connector_id
    )
    return Accepted(command_id=command_id, cp_id=cp_id)


@router.post("/cp/{cp_id}/stop", summary="Take a charge point out of service", **COMMANDED)
async def stop(parts: PartsOf, cp_id: OfPath) -> Accepted:
    """STOP_CP; a running session is ended first. It holds until it is resumed, also through faults and restarts."""
    return Accepted(command_id=await parts.operations.stop(cp_id), cp_id=cp_id)


@router.post("/cp/{cp_id}/resume", summary="Put a charge point back into service", **COMMANDED)
async def resume(parts: PartsOf, cp_id: OfPath) -> Accepted:
    """RESUME_CP."""
    return Accepted(command_id=await parts.operations.resume(cp_id), cp_id=cp_id)


@router.post("/cp/{cp_id}/inject", summary="Have a charge point act out an event", **COMMANDED)
async def inject(parts: PartsOf, cp_id: OfPath, body: InjectBody) -> Accepted:
    """For trials: the vehicle is unplugged, a fault occurs, a fault is cleared."""
    return Accepted(command_id=await parts.operations.inject(cp_id, body.kind, **body.extras), cp_id=cp_id)


def _json(value: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(value), media_type="application/json", headers=headers)


def _many(command_ids: list[str]) -> AcceptedMany:
    return AcceptedMany(command_ids=command_ids, count=len(command_ids))
