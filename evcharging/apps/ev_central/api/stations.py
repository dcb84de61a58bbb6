"""Simulated stations over HTTP: how many run, which, and the end of their logs. Workers elsewhere run them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from evcharging.apps.ev_central.api.dependencies import Parts, PartsOf
from evcharging.apps.ev_central.api.error_docs import errors
from evcharging.apps.ev_central.api.paging import LINK_HEADER, Cursor, open_cursor, page_of
from evcharging.apps.ev_central.api.station_models import LogRecord, ScaleBody, ScaleRecord, StationBody
from evcharging.apps.ev_central.errors import UnknownStation
from evcharging.apps.ev_central.swarm_station import LOG_LINES, StationRecord
from evcharging.messages.base import CpId
from evcharging.store.database import DatabaseUnavailable
from evcharging.store.history import reading

__all__ = ["router"]

router = APIRouter(prefix="/stations", tags=["stations"])

StationId = Annotated[CpId, Path(description="the station's id", examples=["PY-SIM-0001"])]
Limit = Annotated[int, Query(ge=1, le=100_000, description="most entries in the answer")]


@router.get(
    "",
    summary="List simulated stations",
    response_model=list[StationRecord],
    responses={200: {"headers": LINK_HEADER}, **errors()},
)
async def list_stations(parts: PartsOf, request: Request, limit: Limit = 10_000, cursor: Cursor = None) -> Response:
    """Every station that was ever started, by id, as it is now."""
    view = parts.swarm_view
    view.expire(parts.now())
    ids = view.ids(after=open_cursor(cursor))
    return page_of(
        request,
        ids,
        limit,
        position=str,
        encoded=lambda shown: b"[" + b",".join(view.encoded(shown)) + b"]",
    )


@router.post(
    "/scale",
    summary="Have so many stations run",
    responses=errors("unknown_profile", "too_many_stations", "database_unavailable", writes=True),
)
async def scale(parts: PartsOf, body: ScaleBody) -> ScaleRecord:
    """Stations are PY-SIM-0001 and on.

    Those that run go on as they are; the lowest numbers that do not are started with the profile, the highest that do
    are stopped, which ends their transactions first.
    """
    scaled = await parts.swarm.scale(body.count, body.profile, body.ocpp_version)
    return ScaleRecord(count=scaled.running, profile=body.profile, started=scaled.started, stopped=scaled.stopped)


@router.post(
    "/start",
    summary="Start one station",
    responses=errors("unknown_profile", "too_many_stations", "id_taken", "database_unavailable", writes=True),
)
async def start(parts: PartsOf, body: StationBody) -> StationRecord:
    """Of any name. One that runs takes on profile and version; left out, they are what the station had before."""
    await parts.swarm.start(body.station_id, body.profile, body.ocpp_version)
    return _record(parts, body.station_id)


@router.post(
    "/stop",
    summary="Stop one station",
    responses=errors("unknown_station", "database_unavailable", writes=True),
)
async def stop(parts: PartsOf, body: StationBody) -> StationRecord:
    """Its transaction is ended first. It stays stopped until it is started again, or a scale needs its number."""
    await parts.swarm.stop(body.station_id)
    return _record(parts, body.station_id)


@router.get("/{station_id}", summary="One simulated station", responses=errors("unknown_station"))
async def one_station(parts: PartsOf, station_id: StationId) -> StationRecord:
    """A station as it is now."""
    parts.swarm_view.expire(parts.now())
    return _record(parts, station_id)


@router.get("/{station_id}/logs", summary="The last lines of a station's log", responses=errors("unknown_station"))
async def logs(parts: PartsOf, station_id: StationId) -> LogRecord:
    """The last 50, newest last. What is older is in the history."""
    lines = parts.swarm_view.lines(station_id)
    if not lines:
        lines = await _remembered(parts, station_id)
    if not lines and station_id not in parts.swarm_view:
        raise UnknownStation(station_id)
    return LogRecord(station_id=station_id, logs=lines, count=len(lines))


async def _remembered(parts: Parts, station_id: str) -> list[str]:
    """What the history has, for a station that has said nothing since Central was started."""
    try:
        async with parts.history.read() as transaction:
            rows = await reading.logs(transaction, station_id, limit=LOG_LINES)
    except DatabaseUnavailable:
        return []
    return [row.line for row in reversed(rows)]


def _record(parts: Parts, station_id: str) -> StationRecord:
    record = parts.swarm_view.record(station_id)
    if record is None:
        raise UnknownStation(station_id)
    return record
