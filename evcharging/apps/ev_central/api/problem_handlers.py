"""Which problem each error becomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from evcharging.apps.ev_central.api.ocpp_problems import install_ocpp
from evcharging.apps.ev_central.api.problems import IN_DOUBT, Refused, problem_response, without_database
from evcharging.apps.ev_central.errors import (
    IdTaken,
    InvalidPricing,
    StateForbids,
    TooManyStations,
    UnknownChargePoint,
    UnknownSession,
    UnknownStation,
)
from evcharging.bus.protocol import BusError
from evcharging.domain.behaviour import UnknownProfile
from evcharging.store.database import DatabaseUnavailable
from evcharging.store.simulator.session_records import InvalidCursor

__all__ = ["install"]

log = structlog.get_logger()

RETRY_AFTER = {"Retry-After": "2"}
MOST_FIELD_PROBLEMS = 20
BY_STATUS = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 415: "unsupported_media_type"}


def install(app: FastAPI) -> None:
    """Have ``app`` answer every error with a problem."""

    def on(error_type: type[Exception], handler: object) -> None:
        app.add_exception_handler(error_type, handler)  # type: ignore[arg-type]  # each takes its own error type

    on(Refused, _refused)
    on(UnknownChargePoint, _unknown_charge_point)
    on(UnknownSession, _unknown_session)
    on(UnknownStation, _unknown_station)
    on(UnknownProfile, _unknown_profile)
    on(TooManyStations, _too_many_stations)
    on(StateForbids, _state_forbids)
    on(IdTaken, _id_taken)
    on(InvalidPricing, _invalid_pricing)
    on(InvalidCursor, _invalid_cursor)
    on(DatabaseUnavailable, _database_unavailable)
    on(BusError, _bus_unavailable)
    on(RequestValidationError, _invalid)
    on(HTTPException, _http)
    install_ocpp(on)


async def _refused(_request: Request, error: Refused) -> Response:
    return error.response()


async def _unknown_charge_point(_request: Request, error: UnknownChargePoint) -> Response:
    return problem_response("unknown_charge_point", str(error), cp_id=error.cp_id)


async def _unknown_session(_request: Request, error: UnknownSession) -> Response:
    return problem_response("unknown_session", str(error), session_id=error.session_id)


async def _unknown_station(_request: Request, error: UnknownStation) -> Response:
    return problem_response("unknown_station", str(error), station_id=error.station_id)


async def _unknown_profile(_request: Request, error: UnknownProfile) -> Response:
    return problem_response("unknown_profile", str(error), profiles=list(error.known))


async def _too_many_stations(_request: Request, error: TooManyStations) -> Response:
    return problem_response("too_many_stations", str(error), wanted=error.wanted, most=error.most)


async def _state_forbids(_request: Request, error: StateForbids) -> Response:
    state = error.state.value
    return problem_response("state_forbids", str(error), cp_id=error.cp_id, state=state, wanted=error.wanted)


async def _id_taken(_request: Request, error: IdTaken) -> Response:
    return problem_response("id_taken", str(error), cp_id=error.cp_id)


async def _invalid_pricing(_request: Request, error: InvalidPricing) -> Response:
    return problem_response("invalid_pricing", str(error))


async def _invalid_cursor(_request: Request, error: InvalidCursor) -> Response:
    problems = [{"pointer": "query/cursor", "detail": str(error)}]
    return problem_response("invalid_request", str(error), errors=problems)


async def _database_unavailable(request: Request, error: DatabaseUnavailable) -> Response:
    log.warning("a request met no database", error=str(error), in_doubt=error.in_doubt)
    setattr(request.state, IN_DOUBT, error.in_doubt)
    return without_database(error, in_doubt=error.in_doubt).response()


async def _bus_unavailable(_request: Request, error: BusError) -> Response:
    log.warning("a request met no bus", error=str(error))
    return problem_response("bus_unavailable", str(error), headers=RETRY_AFTER)


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    if isinstance(error.body, bytes) and error.body:  # left unread, since it does not say that it is JSON
        sent_as = request.headers.get("content-type", "no Content-Type")[:60]
        return problem_response("unsupported_media_type", f"expected application/json, got {sent_as}")
    problems = [
        {"pointer": _pointer(problem["loc"]), "detail": _told(problem)}
        for problem in error.errors()[:MOST_FIELD_PROBLEMS]
    ]
    told = "; ".join(f"{problem['pointer']}: {problem['detail']}" for problem in problems[:3])
    return problem_response("invalid_request", told, errors=problems)


async def _http(request: Request, error: HTTPException) -> Response:
    code = BY_STATUS.get(error.status_code, "bad_request" if error.status_code < 500 else "internal_error")
    detail = f"{request.method} {request.url.path[:200]}: {error.detail}"
    return problem_response(code, detail, headers=error.headers, status=error.status_code)


def _told(problem: Mapping[str, Any]) -> str:
    where = problem["loc"]
    if problem["type"] == "json_invalid":
        return f"no JSON: {problem['ctx']['error']}, at character {where[-1]}"
    if problem["type"] == "missing" and where == ("body",):
        return "a JSON body is required, {} where there is nothing to say"
    return str(problem["msg"]).removeprefix("Value error, ")


def _pointer(loc: tuple[int | str, ...]) -> str:
    where, *parts = loc or ("body",)
    path = "/".join(str(part)[:60] for part in parts)
    if where == "body":
        return "#/" + path if path and not isinstance(parts[0], int) else "#"
    return f"{where}/{path}"
