"""Tokens over HTTP: the idTags that gateways answer for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response, status
from pydantic import TypeAdapter

from evcharging.apps.ev_central.api.dependencies import PartsOf
from evcharging.apps.ev_central.api.error_docs import errors
from evcharging.apps.ev_central.api.ocpp_models import IdTag, TokenBody, TokenChange, TokenOut
from evcharging.apps.ev_central.api.paging import LINK_HEADER, Cursor, Limit, open_cursor, page_of
from evcharging.apps.ev_central.ocpp_errors import InvalidValue
from evcharging.store.simulator.tokens import folded

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/tokens", tags=["tokens"])

OfPath = Annotated[IdTag, Path()]
TOKENS: TypeAdapter[list[TokenOut]] = TypeAdapter(list[TokenOut])


@router.get(
    "",
    summary="List tokens",
    response_model=list[TokenOut],
    responses={200: {"headers": LINK_HEADER}, **errors("database_unavailable")},
)
async def list_tokens(
    parts: PartsOf,
    request: Request,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """By idTag, those included that Central made for drivers who had none."""
    found = await parts.registry.tokens(after=open_cursor(cursor), limit=limit + 1)
    return page_of(
        request,
        found,
        limit,
        position=lambda row: row.id_tag,
        encoded=lambda rows: TOKENS.dump_json([TokenOut.of(row) for row in rows]),
    )


@router.post(
    "",
    summary="Add a token",
    status_code=status.HTTP_201_CREATED,
    responses=errors("already_there", "database_unavailable", writes=True),
)
async def add_token(parts: PartsOf, body: TokenBody, response: Response) -> TokenOut:
    """Gateways know it at once. Sessions begun with it are its driver's, where one is named."""
    row = await parts.registry.add_token(
        body.id_tag,
        status=body.status.value,
        expires_at=body.expires_at,
        parent_id_tag=body.parent_id_tag,
        driver_id=body.driver_id,
    )
    response.headers["Location"] = f"/api/v1/tokens/{row.id_tag}"
    return TokenOut.of(row)


@router.get("/{id_tag}", summary="One token", responses=errors("unknown_token", "database_unavailable"))
async def one_token(parts: PartsOf, id_tag: OfPath) -> TokenOut:
    """A token as gateways know it."""
    return TokenOut.of(await parts.registry.token(id_tag))


@router.put(
    "/{id_tag}", summary="Change a token", responses=errors("unknown_token", "database_unavailable", writes=True)
)
async def change_token(parts: PartsOf, id_tag: OfPath, body: TokenChange) -> TokenOut:
    """Says anew what it may do: fields that are left out are taken away. Running transactions go on."""
    if body.id_tag is not None and folded(body.id_tag) != folded(id_tag):
        raise InvalidValue("#/id_tag", f"got another idTag than the path's, expected {id_tag}")
    row = await parts.registry.change_token(
        id_tag,
        status=body.status.value,
        expires_at=body.expires_at,
        parent_id_tag=body.parent_id_tag,
        driver_id=body.driver_id,
    )
    return TokenOut.of(row)


@router.delete(
    "/{id_tag}",
    summary="Delete a token",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=errors("unknown_token", "database_unavailable", writes=True),
)
async def delete_token(parts: PartsOf, id_tag: OfPath) -> None:
    """It is unknown from now on. A driver without any is given another at the next request."""
    await parts.registry.delete_token(id_tag)
