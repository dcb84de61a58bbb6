"""Central's HTTP application, put together from its parts. Binding, serving and stopping are `main`'s."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version

from fastapi import Depends, FastAPI
from fastapi.middleware import Middleware
from pydantic import SecretStr

from evcharging.apps.ev_central.api import (
    alerts,
    charge_points,
    charging_profiles,
    history,
    ocpp,
    ocpp_stations,
    pricing,
    probes,
    sessions,
    stations,
    tokens,
    websocket,
)
from evcharging.apps.ev_central.api.dependencies import Parts, known_parameters
from evcharging.apps.ev_central.api.guards import BoundedBody, Shell, Writers
from evcharging.apps.ev_central.api.idempotency import OncePerKey
from evcharging.apps.ev_central.api.openapi import describe
from evcharging.apps.ev_central.api.page import mount_page
from evcharging.apps.ev_central.api.problem_handlers import install
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

__all__ = ["DOCUMENTED", "create_app", "live_feed"]

DOCUMENTED = (
    probes,
    charge_points,
    stations,
    sessions,
    history,
    alerts,
    pricing,
    ocpp,
    tokens,
    charging_profiles,
    ocpp_stations,
)
"""The modules whose routes are in the reference, in its order."""


def create_app(
    *,
    operations: Operations,
    view: NetworkView,
    swarm: Swarm,
    swarm_view: SwarmView,
    calls: OcppCalls,
    registry: OcppRegistry,
    profiles: ChargingProfiles,
    readiness: Readiness,
    database: Database,
    history_database: Database,
    gateway_database: Database,
    api_token: SecretStr | None,
    now: Callable[[], datetime],
) -> FastAPI:
    """The ASGI application. It needs no lifespan; what it runs for /ws, it runs while somebody listens there.

    Args:
        operations: what writes do, and where sessions and prices are read.
        view: the network now; its changes are taken here and nowhere else.
        swarm: what writes about simulated stations do.
        swarm_view: the simulated stations now; its changes too are taken here alone.
        calls: operations of OCPP charge points.
        registry: tokens and registered OCPP stations.
        profiles: charging profiles that are kept.
        readiness: asked by ``GET /ready``.
        database: where idempotency keys are kept.
        history_database: where the past is read.
        gateway_database: where transactions and reservations are read.
        api_token: what every write must carry; None: nothing.
        now: the clock.
    """
    token = api_token.get_secret_value() if api_token is not None else None
    app = FastAPI(
        title="evcharging Central",
        version=version("evcharging"),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        middleware=[
            Middleware(Shell),
            Middleware(BoundedBody),
            Middleware(Writers, token=token),
            Middleware(OncePerKey, database=database, now=now),
        ],
    )
    app.state.parts = Parts(
        operations=operations,
        view=view,
        swarm=swarm,
        swarm_view=swarm_view,
        history=history_database,
        gateway=gateway_database,
        calls=calls,
        registry=registry,
        profiles=profiles,
        feed=LiveFeed(view, swarm_view, totals=operations.totals, now=now),
        readiness=readiness,
        now=now,
    )
    install(app)
    for module in DOCUMENTED:
        app.include_router(module.router, dependencies=[Depends(known_parameters)])
    app.include_router(websocket.router)
    mount_page(app)
    describe(app, guarded=token is not None)
    return app


def live_feed(app: FastAPI) -> LiveFeed:
    """What ``/ws`` is fed from; close it before the server stops, so that listeners are told why (1001)."""
    parts: Parts = app.state.parts
    return parts.feed
