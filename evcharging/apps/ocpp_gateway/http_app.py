"""The gateway over HTTP: health, readiness, metrics; and, of a standalone one, the OCPP paths that Central has.

Errors are RFC 9457 problem details.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from evcharging.apps.ocpp_gateway.links import Links
from evcharging.apps.runtime.http import metrics_response
from evcharging.messages.base import rfc3339
from evcharging.messages.commands import CommandOutcome, Reply
from evcharging.ocpp.errors import CallRejected, Fault
from evcharging.ocpp.schemas import check_order

__all__ = ["StandaloneApi", "gateway_app"]

MOST_BODY_BYTES: Final = 1024 * 1024
MOST_LISTED: Final = 1000
DIGITS: Final = re.compile("[0-9]{1,4}")


@dataclass(frozen=True, slots=True)
class StandaloneApi:
    """What a standalone gateway answers with.

    ``call`` asks a station, as `Orders.call`; ``transactions`` lists a station's, newest first, at most so many;
    ``known`` says whether a station was ever seen.
    """

    links: Links
    call: Callable[[str, str, dict[str, Any]], Awaitable[Reply]]
    transactions: Callable[[str, int], Awaitable[Sequence[Mapping[str, Any]]]]
    known: Callable[[str], bool]


def gateway_app(checks: Callable[[], Mapping[str, bool]], api: StandaloneApi | None = None) -> Starlette:
    """The application, to be served. ``checks`` is what readiness depends on."""

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_request: Request) -> Response:
        told = dict(checks())
        is_ready = all(told.values())
        return JSONResponse({"ready": is_ready, "checks": told}, 200 if is_ready else 503)

    routes = [Route("/health", health), Route("/ready", ready), Route("/metrics", metrics_response)]
    if api is not None:
        routes += _standalone_routes(api)
    return Starlette(routes=routes)


def _standalone_routes(api: StandaloneApi) -> list[Route]:
    async def stations(_request: Request) -> Response:
        connected = sorted(api.links, key=lambda link: link.cp_id)[:MOST_LISTED]
        return JSONResponse(
            [
                {
                    "cp_id": link.cp_id,
                    "version": link.version.value,
                    "remote": link.remote,
                    "connected_at": rfc3339(link.connected_at),
                }
                for link in connected
            ]
        )

    async def transactions(request: Request) -> Response:
        cp_id = request.path_params["cp_id"]
        limit = request.query_params.get("limit", "100")
        if DIGITS.fullmatch(limit) is None or not 1 <= int(limit) <= MOST_LISTED:
            return _problem(422, "Invalid limit", f"limit is 1 to {MOST_LISTED}, got {limit[:20]!r}")
        found = await api.transactions(cp_id, int(limit))
        if not found and not api.known(cp_id):
            return _unknown(cp_id)
        return JSONResponse(list(found))

    async def call(request: Request) -> Response:
        cp_id, action = request.path_params["cp_id"], request.path_params["action"]
        link = api.links.get(cp_id)
        if link is None:
            return _not_connected(cp_id) if api.known(cp_id) else _unknown(cp_id)
        payload = await _payload(request)
        if isinstance(payload, Response):
            return payload
        try:
            check_order(link.version, action, payload)
        except CallRejected as error:
            if error.fault is Fault.NOT_IMPLEMENTED:
                return _problem(404, "Unknown action", error.description)
            return _problem(422, "Invalid payload", error.description, error_code=error.fault.value)
        return _told(cp_id, action, await api.call(cp_id, action, payload))

    return [
        Route("/api/v1/ocpp", stations),
        Route("/api/v1/ocpp/{cp_id}/transactions", transactions),
        Route("/api/v1/ocpp/{cp_id}/{action}", call, methods=["POST"]),
    ]


async def _payload(request: Request) -> dict[str, Any] | Response:
    if "origin" in request.headers:
        return _problem(403, "Not from a page", "calls are taken from programs, not from pages in a browser")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BODY_BYTES:
            return _problem(413, "Payload too large", f"a payload has {MOST_BODY_BYTES} bytes at most")
    try:
        payload = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        return _problem(400, "Not JSON", f"the body is the request's payload, a JSON object: {error}")
    if not isinstance(payload, dict):
        return _problem(422, "Invalid payload", "the body is the request's payload, a JSON object")
    return payload


def _told(cp_id: str, action: str, reply: Reply) -> Response:
    """A reply as the HTTP answer that Central gives."""
    code, description = reply.error_code, reply.error_description or ""
    match reply.outcome:
        case CommandOutcome.CALL_RESULT | CommandOutcome.ACCEPTED:
            return JSONResponse(reply.payload or {})
        case CommandOutcome.CALL_ERROR:
            return _problem(
                502,
                "The charge point answered with an error",
                f"{cp_id} answered {action} with {code}" + (f": {description}" if description else ""),
                error_code=code,
                error_description=description,
                error_details=reply.payload or {},
            )
        case CommandOutcome.TIMEOUT | CommandOutcome.EXPIRED:
            return _problem(504, "No answer", f"{cp_id} did not answer {action} in time")
        case CommandOutcome.NOT_CONNECTED:
            return _not_connected(cp_id)
        case CommandOutcome.REJECTED if code == Fault.NOT_IMPLEMENTED.value:
            return _problem(404, "Unknown action", description)
    return _problem(409, "The gateway does not ask that now", f"{code}: {description}", error_code=code)


def _unknown(cp_id: str) -> Response:
    return _problem(404, "Unknown charge point", f"no charge point {cp_id[:48]!r} was ever here")


def _not_connected(cp_id: str) -> Response:
    return _problem(409, "Not connected", f"{cp_id} has no connection at the moment")


def _problem(status: int, title: str, detail: str, **more: Any) -> Response:
    content = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(content, status, media_type="application/problem+json")
