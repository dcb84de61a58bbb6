"""Alerts over HTTP: the newest from memory, so that they are there at once and without a database, then the history."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from evcharging.apps.ev_central.api.dependencies import Parts, PartsOf
from evcharging.apps.ev_central.api.error_docs import errors
from evcharging.apps.ev_central.api.models import AlertRecord
from evcharging.apps.ev_central.api.paging import LINK_HEADER, Cursor, Limit, array_of, open_cursor, page_of
from evcharging.messages.base import CpId
from evcharging.messages.charge_points import Alert
from evcharging.store.database import DatabaseUnavailable
from evcharging.store.history import reading

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["alerts"])


@router.get(
    "/alerts",
    summary="List alerts",
    response_model=list[AlertRecord],
    responses={200: {"headers": LINK_HEADER}, **errors("database_unavailable")},
)
async def list_alerts(
    parts: PartsOf,
    request: Request,
    station_id: Annotated[CpId | None, Query(description="only of this charge point")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Newest first, as far back as the history goes. A cursor whose alert has gone meanwhile ends the list."""
    alerts = await _after(parts, station_id, open_cursor(cursor), limit + 1)
    return page_of(request, alerts, limit, position=lambda alert: alert.alert_id, encoded=array_of)


async def _after(parts: Parts, station_id: str | None, after: str | None, limit: int) -> list[Alert]:
    """The alerts after that of id ``after``: those in memory, then those that only the history still has."""
    recent = [alert for alert in parts.view.alerts() if station_id in (None, alert.cp_id)]
    place = -1 if after is None else next((i for i, alert in enumerate(recent) if alert.alert_id == after), None)
    found = [] if place is None else recent[place + 1 : place + 1 + limit]
    if len(found) >= limit:
        return found
    known = {alert.alert_id for alert in recent}
    try:
        async with parts.history.read() as transaction:
            before = None
            if place is None and after is not None:
                before = await reading.alert_position(transaction, after)
                if before is None:
                    return []
            wanted = limit - len(found) + len(known)
            older = await reading.alerts(transaction, cp_id=station_id, limit=wanted, before=before)
    except DatabaseUnavailable:
        if place is None:
            raise
        return found  # what is in memory is what an operator has to see now
    return [*found, *(alert for _, alert in older if alert.alert_id not in known)][:limit]
