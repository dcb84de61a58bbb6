"""Registered OCPP stations over HTTP: who may connect to the gateways, and how they prove who they are."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response, status
from pydantic import TypeAdapter

from evcharging.apps.ev_central.api.dependencies import Parts, PartsOf
from evcharging.apps.ev_central.api.error_docs import errors
from evcharging.apps.ev_central.api.ocpp_models import RegistrationChange, RegistrationOut, StationRegistrationBody
from evcharging.apps.ev_central.api.paging import LINK_HEADER, Cursor, Limit, open_cursor, page_of
from evcharging.apps.ev_central.ocpp_errors import InvalidValue
from evcharging.messages.base import CpId
from evcharging.messages.charge_points import StatusSource

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/ocpp-stations", tags=["ocpp stations"])

OfPath = Annotated[CpId, Path(description="the station's id")]
STATIONS: TypeAdapter[list[RegistrationOut]] = TypeAdapter(list[RegistrationOut])


@router.get(
    "",
    summary="List registered OCPP stations",
    response_model=list[RegistrationOut],
    responses={200: {"headers": LINK_HEADER}, **errors("database_unavailable")},
)
async def list_stations(
    parts: PartsOf,
    request: Request,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """By id. Stations that an open registration let in are not listed: see `GET /cp`."""
    found = await parts.registry.stations(after=open_cursor(cursor), limit=limit + 1)
    return page_of(
        request,
        found,
        limit,
        position=lambda row: row.cp_id,
        encoded=lambda rows: STATIONS.dump_json([RegistrationOut.of(row) for row in rows]),
    )


@router.post(
    "",
    summary="Register an OCPP station",
    status_code=status.HTTP_201_CREATED,
    response_model=RegistrationOut,
    responses={
        200: {"model": RegistrationOut, "description": "It was registered; its registration is changed."},
        **errors("id_taken", "database_unavailable", writes=True),
    },
)
async def register_station(parts: PartsOf, body: StationRegistrationBody, response: Response) -> RegistrationOut:
    """Gateways know it at once, and it is a charge point that is DISCONNECTED until it connects.

    The password is stored as its argon2 hash and cannot be read again.
    """
    registration, new = await _register(parts, body.cp_id, body)
    response.headers["Location"] = f"/api/v1/ocpp-stations/{body.cp_id}"
    if not new:
        response.status_code = status.HTTP_200_OK
    return registration


@router.get(
    "/{cp_id}",
    summary="One registered OCPP station",
    responses=errors("unknown_registration", "database_unavailable"),
)
async def one_station(parts: PartsOf, cp_id: OfPath) -> RegistrationOut:
    """A registration, without its password."""
    return RegistrationOut.of(await parts.registry.station(cp_id))


@router.put(
    "/{cp_id}",
    summary="Change the registration of an OCPP station",
    responses=errors("unknown_registration", "database_unavailable", writes=True),
)
async def change_station(parts: PartsOf, cp_id: OfPath, body: RegistrationChange) -> RegistrationOut:
    """What is given holds at the station's next connection or boot; a password that is left out stays as it is.

    Keys of `configuration` that are new or changed are set at once where the station is connected.
    """
    if body.cp_id not in (None, cp_id):
        raise InvalidValue("#/cp_id", f"got another id than the path's, expected {cp_id}")
    await parts.registry.station(cp_id)
    registration, _ = await _register(parts, cp_id, body)
    return registration


@router.delete(
    "/{cp_id}",
    summary="Withdraw the registration of an OCPP station",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=errors("unknown_registration", "database_unavailable", writes=True),
)
async def delete_station(parts: PartsOf, cp_id: OfPath) -> None:
    """It may not connect again, unless registration is open. What is known of it stays, if it ever was connected."""
    if await parts.registry.delete_station(cp_id):
        parts.view.forget(cp_id)


async def _register(parts: Parts, cp_id: str, body: RegistrationChange) -> tuple[RegistrationOut, bool]:
    row, new = await parts.registry.register_station(
        cp_id,
        password=body.password,
        security_profile=body.security_profile,
        boot_status=body.boot_status,
        heartbeat_interval_s=body.heartbeat_interval_s,
        configuration=body.configuration,
    )
    parts.view.remember(cp_id, source=StatusSource.OCPP)
    return RegistrationOut.of(row), new
