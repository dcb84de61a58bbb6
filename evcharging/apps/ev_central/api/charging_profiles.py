"""Charging profiles over HTTP: kept to be sent with SetChargingProfile."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response, status
from pydantic import TypeAdapter

from evcharging.apps.ev_central.api.dependencies import PartsOf
from evcharging.apps.ev_central.api.error_docs import errors
from evcharging.apps.ev_central.api.ocpp_models import ChargingProfileBody, ChargingProfileOut
from evcharging.apps.ev_central.api.paging import LINK_HEADER, Cursor, Limit, open_cursor, page_of
from evcharging.apps.ev_central.ocpp_errors import InvalidValue

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/charging-profiles", tags=["charging profiles"])

LARGEST_ID = 2**31 - 1
DIGITS = len(str(LARGEST_ID))
OfPath = Annotated[int, Path(ge=1, le=LARGEST_ID, description="the profile's id here", examples=[1])]
PROFILES: TypeAdapter[list[ChargingProfileOut]] = TypeAdapter(list[ChargingProfileOut])


@router.get(
    "",
    summary="List charging profiles",
    response_model=list[ChargingProfileOut],
    responses={200: {"headers": LINK_HEADER}, **errors("database_unavailable")},
)
async def list_profiles(
    parts: PartsOf,
    request: Request,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """By id."""
    after = open_cursor(cursor)
    if after is not None and not (after.isascii() and after.isdecimal() and len(after) <= DIGITS):
        raise InvalidValue("query/cursor", "expected the cursor of the page before")
    found = await parts.profiles.profiles(after=None if after is None else int(after), limit=limit + 1)
    return page_of(
        request,
        found,
        limit,
        position=lambda row: str(row.profile_id),
        encoded=lambda rows: PROFILES.dump_json([ChargingProfileOut.of(row) for row in rows]),
    )


@router.post(
    "",
    summary="Keep a charging profile",
    status_code=status.HTTP_201_CREATED,
    responses=errors("database_unavailable", writes=True),
)
async def add_profile(parts: PartsOf, body: ChargingProfileBody, response: Response) -> ChargingProfileOut:
    """Checked against the standard's schema. It limits nothing until it is sent to a charge point."""
    row = await parts.profiles.add_profile(body.description, body.profile)
    response.headers["Location"] = f"/api/v1/charging-profiles/{row.profile_id}"
    return ChargingProfileOut.of(row)


@router.get(
    "/{profile_id}",
    summary="One charging profile",
    responses=errors("unknown_charging_profile", "database_unavailable"),
)
async def one_profile(parts: PartsOf, profile_id: OfPath) -> ChargingProfileOut:
    """A charging profile that is kept."""
    return ChargingProfileOut.of(await parts.profiles.profile(profile_id))


@router.put(
    "/{profile_id}",
    summary="Replace a charging profile",
    responses=errors("unknown_charging_profile", "database_unavailable", writes=True),
)
async def change_profile(parts: PartsOf, profile_id: OfPath, body: ChargingProfileBody) -> ChargingProfileOut:
    """Charge points that were sent the old one keep it until they are sent another."""
    return ChargingProfileOut.of(await parts.profiles.change_profile(profile_id, body.description, body.profile))


@router.delete(
    "/{profile_id}",
    summary="Delete a charging profile",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=errors("unknown_charging_profile", "database_unavailable", writes=True),
)
async def delete_profile(parts: PartsOf, profile_id: OfPath) -> None:
    """Charge points that were sent it keep it: ClearChargingProfile takes it from them."""
    await parts.profiles.delete_profile(profile_id)
