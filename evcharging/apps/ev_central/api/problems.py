"""Errors as RFC 9457 problem details, one kind for each thing a caller can do about it.

A problem's ``type`` is the place in ``/docs`` that explains it; its last part is repeated as ``code`` for programs.
What a caller sent is never repeated whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from evcharging.store.database import DatabaseBusy, DatabaseUnavailable

__all__ = ["IN_DOUBT", "KINDS", "FieldProblem", "Kind", "Problem", "Refused", "problem_response", "without_database"]

MEDIA_TYPE = "application/problem+json"
AWAY_RETRY_S = 2
BUSY_RETRY_S = 5
"""Longer: who comes back at once is one of those who keep it busy."""
IN_DOUBT = "in_doubt"
"""Set in a request's state where the database went away while storing, so that nobody knows whether it had effect."""


class FieldProblem(BaseModel):
    """What is wrong with one part of a request."""

    pointer: str = Field(description="where: `#/kwh` in the body, `query/limit`, `path/cp_id`", examples=["#/kwh"])
    detail: str = Field(examples=["Input should be greater than 0"])


class Problem(BaseModel):
    """RFC 9457 problem details."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="where the problem is explained", examples=["/docs#state_forbids"])
    title: str = Field(examples=["The state does not allow it"])
    status: int = Field(examples=[409])
    detail: str = Field(examples=["CP-001 is STOPPED: cannot start a session (stopped)"])
    code: str = Field(description="the kind of problem, for programs", examples=["state_forbids"])
    errors: list[FieldProblem] | None = Field(default=None, description="with `invalid_request`: one a field")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: what it is called, and what to do about it."""

    code: str
    status: int
    title: str
    remedy: str


def _kinds(*kinds: Kind) -> Mapping[str, Kind]:
    return {kind.code: kind for kind in kinds}


KINDS = _kinds(
    Kind("bad_request", 400, "The request cannot be read", "Send well-formed HTTP and JSON."),
    Kind("unauthorized", 401, "A token is needed", "Send `Authorization: Bearer <CENTRAL_API_TOKEN>` with writes."),
    Kind("cross_origin", 403, "The request comes from another site", "Writes and /ws are for this page and programs."),
    Kind("not_found", 404, "There is nothing here", "See /docs for the paths there are."),
    Kind("unknown_charge_point", 404, "No such charge point", "GET /cp lists those there are; POST /cp/register adds."),
    Kind("unknown_session", 404, "No such session", "GET /api/v1/sessions lists those there are."),
    Kind("unknown_station", 404, "No such station", "GET /stations lists those there are; POST /stations/start adds."),
    Kind("unknown_token", 404, "No such token", "GET /api/v1/tokens lists those there are; POST adds."),
    Kind("unknown_registration", 404, "No such registration", "GET /api/v1/ocpp-stations lists those there are."),
    Kind("unknown_charging_profile", 404, "No such charging profile", "GET /api/v1/charging-profiles lists them."),
    Kind("unknown_action", 404, "No such OCPP operation", "The detail names those of the charge point's version."),
    Kind("method_not_allowed", 405, "The path does not take this method", "See the Allow header, or /docs."),
    Kind("slow_request", 408, "The body did not come in time", "Send it within 30 s."),
    Kind("state_forbids", 409, "The state does not allow it", "Wait, or change the charge point's state first."),
    Kind("already_there", 409, "There is one already", "Change it with PUT."),
    Kind("id_taken", 409, "An engine has that id", "Give the station another id; GET /cp names what runs each."),
    Kind("not_connected", 409, "The charge point is not connected", "Wait until GET /cp/{cp_id} says otherwise."),
    Kind("call_refused", 409, "The gateway would not send the call", "The detail says what stands in the way."),
    Kind("in_progress", 409, "The same request is being carried out", "Wait a moment, then repeat it with its key."),
    Kind(
        "outcome_unknown",
        409,
        "The same request was cut short",
        "Look whether it had its effect; then use a new Idempotency-Key if it had not.",
    ),
    Kind("too_large", 413, "The body is too large", "Send at most 64 KiB."),
    Kind("unsupported_media_type", 415, "The body is of the wrong type", "Send Content-Type: application/json."),
    Kind("invalid_request", 422, "The request is not valid", "`errors` names each part and what is expected."),
    Kind("invalid_pricing", 422, "The price cannot be charged", "Send a price of 0 or more and an ISO 4217 currency."),
    Kind("unknown_profile", 422, "No such behaviour profile", "The detail names those there are."),
    Kind(
        "too_many_stations",
        422,
        "More stations than may run",
        "Ask for fewer, or start Central with a higher --swarm-most-stations.",
    ),
    Kind("key_reused", 422, "The Idempotency-Key belongs to another request", "Make a new key for each new request."),
    Kind(
        "internal_error",
        500,
        "Central made a mistake",
        "It is in Central's log; look whether the request had its effect.",
    ),
    Kind("call_error", 502, "The charge point answered with an error", "`error_code` is OCPP's own word for it."),
    Kind(
        "database_unavailable",
        503,
        "The database is away or busy",
        "Nothing was done unless `in_doubt` says otherwise; send it again after the seconds in `Retry-After`.",
    ),
    Kind("bus_unavailable", 503, "The message bus cannot be reached", "Try again shortly; see GET /ready."),
    Kind("too_many_calls", 503, "Too many calls are under way", "Try again when some were answered."),
    Kind(
        "no_answer",
        504,
        "The charge point did not answer in time",
        "`in_doubt` says whether it may have had its effect; if so, look before you ask again.",
    ),
)


class Refused(Exception):
    """Raised by the HTTP layer itself to answer with a problem.

    Args:
        code: a key of `KINDS`.
        detail: what was got and what was expected.
        headers: more headers for the answer.
        extensions: more members for the problem.
    """

    def __init__(self, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **extensions: Any) -> None:
        super().__init__(detail)
        self.kind = KINDS[code]
        self.detail = detail
        self.headers = dict(headers or {})
        self.extensions = extensions

    def response(self) -> Response:
        """The answer."""
        return problem_response(self.kind.code, self.detail, headers=self.headers, **self.extensions)


def without_database(error: DatabaseUnavailable, *, in_doubt: bool) -> Refused:
    """What to answer where the database was not there, or had no time: what became of the request, and what to do."""
    after_s = BUSY_RETRY_S if isinstance(error, DatabaseBusy) else AWAY_RETRY_S
    if in_doubt:
        detail = "the database went away while storing; look whether this had its effect before you send it again"
    elif isinstance(error, DatabaseBusy):
        detail = f"the database is busy ({error}), and nothing was done; send it again in {after_s} s"
    else:
        detail = f"the database cannot be reached, and nothing was done; send it again in {after_s} s"
    return Refused("database_unavailable", detail, headers={"Retry-After": str(after_s)}, in_doubt=in_doubt)


def problem_response(
    code: str, detail: str, *, headers: Mapping[str, str] | None = None, status: int | None = None, **extensions: Any
) -> Response:
    """One problem of the kind ``code``. Written in ASCII, so that no odd character of the request can break it."""
    kind = KINDS[code]
    body = {
        "type": f"/docs#{code}",
        "title": kind.title,
        "status": status or kind.status,
        "detail": detail,
        "code": code,
        **extensions,
    }
    return Response(
        json.dumps(body, separators=(",", ":")),
        status_code=status or kind.status,
        headers=dict(headers or {}),
        media_type=MEDIA_TYPE,
    )
