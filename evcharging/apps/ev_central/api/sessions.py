"""Sessions over HTTP: pages of JSON, or the whole list as CSV or JSON lines."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response, status
from pydantic import TypeAdapter

from evcharging.apps.ev_central.api.dependencies import Parts, PartsOf
from evcharging.apps.ev_central.api.error_docs import errors
from evcharging.apps.ev_central.api.exports import EXPORTED, Form, Pages, exported
from evcharging.apps.ev_central.api.models import Accepted, SessionOut
from evcharging.apps.ev_central.api.paging import LINK_HEADER, Cursor, next_link, open_cursor
from evcharging.messages.base import CpId
from evcharging.store.simulator.session_records import Page, SessionRecord

__all__ = ["router"]

router = APIRouter(prefix="/api/v1")

DEFAULT_LIMIT = 100
ROWS_A_READ = 500

SessionId = Annotated[str, Path(pattern=r"^[\x21-\x7e]{1,64}$", description="the session's id")]
StationFilter = Annotated[CpId | None, Query(description="only of this charge point")]
DriverFilter = Annotated[
    str | None, Query(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$", description="only of this driver")
]
StatusFilter = Annotated[
    Literal["ACTIVE", "COMPLETED", "FAILED", "CANCELLED"] | None,
    Query(alias="status", description="only in this state"),
]
SESSIONS: TypeAdapter[list[SessionOut]] = TypeAdapter(list[SessionOut])


@router.get(
    "/sessions",
    tags=["sessions"],
    summary="List sessions",
    response_model=list[SessionOut],
    responses={
        200: {"headers": LINK_HEADER, "content": EXPORTED},
        **errors("database_unavailable"),
    },
)
async def list_sessions(
    parts: PartsOf,
    request: Request,
    station_id: StationFilter = None,
    driver_id: DriverFilter = None,
    state: StatusFilter = None,
    limit: Annotated[
        int | None, Query(ge=1, le=1_000_000, description="100 where it is left out; all in an export")
    ] = None,
    cursor: Cursor = None,
    form: Form = "json",
) -> Response:
    """Newest first. ``csv`` and ``jsonl`` give everything that fits (or ``limit``) in one answer."""
    open_cursor(cursor)  # it is the store's own; no database takes one that hides odd characters
    wanted = _Wanted(parts, station_id, driver_id, state)
    if form == "json":
        page = await wanted.page(min(limit or DEFAULT_LIMIT, 1_000), cursor)
        body = SESSIONS.dump_json([SessionOut.of(record) for record in page.items])
        return Response(body, media_type="application/json", headers=next_link(request, page.next_cursor))
    first = await wanted.page(min(limit or ROWS_A_READ, ROWS_A_READ), cursor)
    pages = wanted.pages(first, limit)
    return exported(form, pages, columns=list(SessionOut.model_fields), name="sessions")


@router.get(
    "/sessions/{session_id}",
    tags=["sessions"],
    summary="One session",
    responses=errors("unknown_session", "database_unavailable"),
)
async def one_session(parts: PartsOf, session_id: SessionId) -> SessionOut:
    """A session, running or ended."""
    return SessionOut.of(await parts.operations.session(session_id))


@router.post(
    "/sessions/{session_id}/stop",
    tags=["sessions"],
    summary="End a session",
    status_code=status.HTTP_202_ACCEPTED,
    responses=errors("unknown_session", "state_forbids", "database_unavailable", writes=True),
)
async def stop_session(parts: PartsOf, session_id: SessionId) -> Accepted:
    """STOP_SUPPLY; the charge point stays in service."""
    return Accepted(command_id=await parts.operations.stop_session(session_id), session_id=session_id)


class _Wanted:
    """Which sessions were asked for, and how to read them piece by piece."""

    def __init__(self, parts: Parts, station_id: str | None, driver_id: str | None, state: str | None) -> None:
        self._operations = parts.operations
        self._filter = {"station_id": station_id, "driver_id": driver_id, "status": state}

    async def page(self, limit: int, cursor: str | None) -> Page[SessionRecord]:
        return await self._operations.sessions(**self._filter, limit=limit, cursor=cursor)

    async def pages(self, first: Page[SessionRecord], limit: int | None) -> Pages:
        page, given = first, 0
        while True:
            yield [SessionOut.of(record).model_dump(mode="json") for record in page.items]
            given += len(page.items)
            left = ROWS_A_READ if limit is None else min(limit - given, ROWS_A_READ)
            if page.next_cursor is None or left <= 0:
                return
            page = await self.page(left, page.next_cursor)
