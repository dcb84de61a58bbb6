"""``/ws``: the live feed to browsers and programs.

One JSON object a frame; ``?batch=true`` packs the changes of an interval into one JSON array, which is what a page with
thousands of charge points wants. What a peer sends is read and dropped.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing

from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from evcharging.apps.ev_central.api.dependencies import Parts
from evcharging.apps.ev_central.api.guards import is_same_origin
from evcharging.apps.ev_central.api.problems import Refused
from evcharging.apps.ev_central.live import LiveFeed, TooManyBrowsers

__all__ = ["router"]

router = APIRouter()

STATION_ID = re.compile(r"[A-Za-z0-9_.:@|=*-]{1,48}")
GOING_AWAY = 1001
TRY_AGAIN_LATER = 1013
PARAMETERS = {"station_id", "batch"}


@router.websocket("/ws")
async def live(websocket: WebSocket) -> None:
    """Send a snapshot, then changes, until either side leaves."""
    parts: Parts = websocket.app.state.parts
    try:
        station_id, batch = _asked(websocket)
    except Refused as refused:
        await websocket.send_denial_response(refused.response())
        return
    await websocket.accept()
    tasks = {
        asyncio.create_task(_send(websocket, parts.feed, station_id, batch=batch), name="ws:send"),
        asyncio.create_task(_until_gone(websocket), name="ws:receive"),
    }
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception) and not isinstance(error, WebSocketDisconnect):
            raise error


def _asked(websocket: WebSocket) -> tuple[str | None, bool]:
    if not is_same_origin(websocket.headers):
        raise Refused("cross_origin", "the Origin header names another host than the one that was called")
    query = websocket.query_params
    unknown = sorted(set(query) - PARAMETERS)
    station_id, batch = query.get("station_id"), query.get("batch", "false")
    for name, bad in (
        (unknown[0][:60] if unknown else "", bool(unknown)),
        ("station_id", station_id is not None and STATION_ID.fullmatch(station_id) is None),
        ("batch", batch not in ("true", "false")),
    ):
        if bad:
            detail = "expected station_id (a charge point's id) or batch (true or false)"
            raise Refused(
                "invalid_request", f"query/{name}: {detail}", errors=[{"pointer": f"query/{name}", "detail": detail}]
            )
    return station_id, batch == "true"


async def _send(websocket: WebSocket, feed: LiveFeed, station_id: str | None, *, batch: bool) -> None:
    try:
        async with aclosing(feed.messages(station_id, batch=batch)) as messages:
            async for text in messages:
                await websocket.send_text(text)
    except TooManyBrowsers as error:
        await websocket.close(TRY_AGAIN_LATER, str(error))
    else:
        await websocket.close(GOING_AWAY, "Central is stopping")


async def _until_gone(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass
