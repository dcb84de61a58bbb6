"""What the routes are given: the application's parts, and the checks that every route shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from fastapi.routing import APIRoute

from evcharging.apps.ev_central.api.problems import Refused
from evcharging.apps.ev_central.charging_profiles import ChargingProfiles
from evcharging.apps.ev_central.live import LiveFeed
from evcharging.apps.ev_central.ocpp_calls import OcppCalls
from evcharging.apps.ev_central.ocpp_registry import OcppRegistry
from evcharging.apps.ev_central.operations import Operations
from evcharging.apps.ev_central.readiness import Readiness
from evcharging.apps.ev_central.swarm import Swarm
from evcharging.apps.ev_central.swarm_view import SwarmView
from evcharging.apps.ev_central.view import NetworkView
from evcharging.store.database import Database

__all__ = ["Parts", "PartsOf", "known_parameters"]

MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the HTTP layer is made of."""

    operations: Operations
    view: NetworkView
    swarm: Swarm
    swarm_view: SwarmView
    history: Database
    gateway: Database
    calls: OcppCalls
    registry: OcppRegistry
    profiles: ChargingProfiles
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
    route: APIRoute = request.scope["route"]
    known = {field.alias for field in route.dependant.query_params}
    unknown = [name[:60] for name in request.query_params if name not in known]
    if unknown:
        detail = f"no such parameter; there are: {', '.join(sorted(known)) or 'none'}"
        problems = [{"pointer": f"query/{name}", "detail": detail} for name in unknown[:MOST_PROBLEMS]]
        raise Refused("invalid_request", f"query/{unknown[0]}: {detail}", errors=problems)
