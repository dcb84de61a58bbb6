"""What was, over HTTP: a station's log and energy, and OCPP frames. Newest first; pages of JSON, or whole as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from evcharging.apps.ev_central.api.backwards import ROWS_A_READ, Backwards
from evcharging.apps.ev_central.api.dependencies import PartsOf
from evcharging.apps.ev_central.api.error_docs import errors
from evcharging.apps.ev_central.api.exports import EXPORTED, Form, Pages, exported
from evcharging.apps.ev_central.api.history_models import FrameRecord, HistoryRecord
from evcharging.apps.ev_central.api.paging import LINK_HEADER, Cursor, next_link, open_cursor, sealed_cursor
from evcharging.apps.ev_central.api.problems import Refused
from evcharging.apps.ev_central.errors import UnknownChargePoint, UnknownStation
from evcharging.messages.base import CpId, UtcTime, rfc3339
from evcharging.store.database import Database
from evcharging.store.history import reading
from evcharging.store.history.rows import FrameRow, LogRow, SnapshotRow

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["history"])

DEFAULT_LIMIT = 100
MOST_IN_A_PAGE = 1_000
HISTORY_COLUMNS = ("type", "ts", "line", "kw", "kwh")
FRAME_COLUMNS = ("ts", "cp_id", "direction", "message_type", "action", "message_id", "frame")

OfPath = Annotated[CpId, Path(description="the id of a station or charge point")]
Limit = Annotated[
    int | None,
    Query(ge=1, le=1_000_000, description="most entries of each kind: 100 where it is left out; all in an export"),
]
Since = Annotated[UtcTime | None, Query(description="only from this moment on, RFC 3339")]
Until = Annotated[UtcTime | None, Query(description="only before this moment, RFC 3339")]
FOUND: dict[int | str, dict[str, Any]] = {200: {"headers": LINK_HEADER, "content": EXPORTED}}


@router.get(
    "/history/{station_id}",
    summary="The history of a station",
    response_model=HistoryRecord,
    responses={**FOUND, **errors("unknown_station", "database_unavailable")},
)
async def history(
    parts: PartsOf,
    request: Request,
    station_id: OfPath,
    limit: Limit = None,
    since: Since = None,
    until: Until = None,
    cursor: Cursor = None,
    form: Form = "json",
) -> Response:
    """Lines of its log, and what it drew every few seconds while that changed; a charge point has only the latter.

    As a file the two are one list, told apart by `type` (`log`, `snapshot`).
    """
    log_position, snapshot_position = _positions(cursor)
    past = _Past(parts.history, station_id, since, until)
    most = (min(limit or DEFAULT_LIMIT, MOST_IN_A_PAGE)) if form == "json" else limit
    logs = Backwards(past.logs, before=log_position, most=most)
    snapshots = Backwards(past.snapshots, before=snapshot_position, most=most)
    nothing = await logs.head() is None and await snapshots.head() is None
    if nothing and station_id not in parts.view and station_id not in parts.swarm_view:
        raise UnknownStation(station_id)
    if form != "json":
        return exported(form, _merged(logs, snapshots), columns=HISTORY_COLUMNS, name="history")
    lines, energy = await logs.rest(), await snapshots.rest()
    body = {
        "station_id": station_id,
        "logs": [row.line for row in lines],
        "snapshots": [{"ts": rfc3339(row.ts), "kw": row.kw, "kwh": row.kwh} for row in energy],
    }
    more = None
    if logs.more or snapshots.more:
        more = sealed_cursor(f"{logs.position}.{snapshots.position}")
    return Response(orjson.dumps(body), media_type="application/json", headers=next_link(request, more))


@router.get(
    "/ocpp/{cp_id}/frames",
    tags=["ocpp"],
    summary="OCPP frames of a charge point",
    response_model=list[FrameRecord],
    responses={**FOUND, **errors("unknown_charge_point", "database_unavailable")},
)
async def frames(
    parts: PartsOf,
    request: Request,
    cp_id: Annotated[CpId, Path(description="the charge point's id")],
    limit: Limit = None,
    cursor: Cursor = None,
    form: Form = "json",
) -> Response:
    """What went over its socket in both directions, where the gateway traces frames."""
    position, _ = _positions(cursor)
    most = (min(limit or DEFAULT_LIMIT, MOST_IN_A_PAGE)) if form == "json" else limit

    async def read(limit: int, before: int | None) -> Sequence[FrameRow]:
        async with parts.history.read() as transaction:
            return await reading.frames(transaction, cp_id, limit=limit, before=before)

    found = Backwards(read, before=position, most=most)
    if await found.head() is None and cp_id not in parts.view:
        raise UnknownChargePoint(cp_id)
    if form != "json":
        return exported(form, _frames(found, as_text=form == "csv"), columns=FRAME_COLUMNS, name="frames")
    body = [_frame(row) for row in await found.rest()]
    more = sealed_cursor(f"{found.position}.0") if found.more else None
    return Response(orjson.dumps(body), media_type="application/json", headers=next_link(request, more))


class _Past:
    """One station's rows within a time."""

    def __init__(self, database: Database, station_id: str, since: datetime | None, until: datetime | None) -> None:
        self._database = database
        self._station_id = station_id
        self._within = {"since": since, "until": until}

    async def logs(self, limit: int, before: int | None) -> Sequence[LogRow]:
        async with self._database.read() as transaction:
            return await reading.logs(transaction, self._station_id, limit=limit, before=before, **self._within)

    async def snapshots(self, limit: int, before: int | None) -> Sequence[SnapshotRow]:
        async with self._database.read() as transaction:
            return await reading.snapshots(transaction, self._station_id, limit=limit, before=before, **self._within)


async def _merged(logs: Backwards[LogRow], snapshots: Backwards[SnapshotRow]) -> Pages:
    while True:
        page: list[dict[str, Any]] = []
        while len(page) < ROWS_A_READ:
            line, snapshot = await logs.head(), await snapshots.head()
            if line is not None and (snapshot is None or line.ts >= snapshot.ts):
                page.append({"type": "log", "ts": rfc3339(line.ts), "line": logs.take().line})
            elif snapshot is not None:
                snapshots.take()
                page.append({"type": "snapshot", "ts": rfc3339(snapshot.ts), "kw": snapshot.kw, "kwh": snapshot.kwh})
            else:
                break
        if not page:
            return
        yield page


async def _frames(found: Backwards[FrameRow], *, as_text: bool) -> Pages:
    while await found.head() is not None:
        page: list[dict[str, Any]] = []
        while len(page) < ROWS_A_READ and await found.head() is not None:
            frame = _frame(found.take())
            page.append({**frame, "frame": orjson.dumps(frame["frame"]).decode()} if as_text else frame)
        yield page


def _frame(row: FrameRow) -> dict[str, Any]:
    frame = asdict(row)
    del frame["position"]
    return {**frame, "ts": rfc3339(row.ts)}


def _positions(cursor: str | None) -> tuple[int | None, int | None]:
    """Where each of two lists goes on; 0: it has ended."""
    position = open_cursor(cursor)
    if position is None:
        return None, None
    first, _, second = position.partition(".")
    if not all(number.isdecimal() and len(number) <= MOST_DIGITS for number in (first, second)):
        detail = "expected the cursor of the page before"
        raise Refused(
            "invalid_request", f"query/cursor: {detail}", errors=[{"pointer": "query/cursor", "detail": detail}]
        )
    return int(first), int(second)


MOST_DIGITS = 18
"""Of a position, so that it fits a database's integers."""
