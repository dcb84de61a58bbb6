"""What the routes are given: the application's parts, and the checks that every route shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request

from evcharging.apps.ev_central.api.problems import Refused
from evcharging.apps.ev_central.live import LiveFeed
from evcharging.apps.ev_central.operations import Operations
from evcharging.apps.ev_central.readiness import Readiness
from evcharging.apps.ev_central.view import NetworkView

__all__ = ["Parts", "PartsOf", "known_parameters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the HTTP layer is made of."""

    operations: Operations
    view: NetworkView
    feed: LiveFeed
    readiness: Readiness
    now: Callable[[], datetime]


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


PartsOf = Annotated[Parts, Depends(_parts)]


def known_parameters(request: Request) -> None:
    """Refuse a query parameter that the path does not have, so that a slip of the pen is not silently ignored.

    Raises:
        Refused: 422, and names those there are.
    """
    route = request.scope.get("route")
    known = _parameters_of(request.app).get((getattr(route, "path_format", ""), request.method.lower()))
    if known is None:
        return
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        expected = ", ".join(sorted(known)) or "none"
        problems = [
            {"pointer": f"query/{name[:60]}", "detail": f"no such parameter; there are: {expected}"} for name in unknown
        ]
        raise Refused("invalid_request", f"{problems[0]['pointer']}: {problems[0]['detail']}", errors=problems[:20])


@cache
def _parameters_of(app: FastAPI) -> Mapping[tuple[str, str], frozenset[str]]:
    found: dict[tuple[str, str], frozenset[str]] = {}
    paths: dict[str, dict[str, Any]] = app.openapi()["paths"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            parameters = operation.get("parameters", [])
            found[path, method] = frozenset(p["name"] for p in parameters if p["in"] == "query")
    return found
