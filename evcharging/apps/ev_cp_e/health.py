"""The engine over HTTP: health for monitors, readiness, metrics. It only reads.

Healthy means that commands are read and the charger talks; a charger with a fault that says so is healthy. While the
broker is out of reach there is nothing to read: that is a matter of readiness, and no fault of a charge point.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from evcharging.apps.runtime.http import metrics_response

__all__ = ["HealthView", "health_app"]

NAMED_AT_MOST: Final = 10


class HealthView(Protocol):
    """What the HTTP side asks of an engine."""

    @property
    def cp_ids(self) -> tuple[str, ...]:
        """Every charge point, in order."""
        ...

    def health_of(self, cp_id: str) -> Mapping[str, Any]:
        """``{cp_id, healthy, state, detail, price_per_kwh, rating_kw}`` of one of them."""
        ...

    def checks(self) -> Mapping[str, bool]:
        """What readiness depends on."""
        ...


def health_app(view: HealthView) -> Starlette:
    """The application, to be served."""

    async def one(request: Request) -> Response:
        cp_id = request.path_params["cp_id"]
        if cp_id not in view.cp_ids:
            return JSONResponse(
                {
                    "type": "about:blank",
                    "title": "Unknown charge point",
                    "status": 404,
                    "detail": f"no charge point {cp_id!r} is on this engine; GET /health names those there are",
                },
                404,
                media_type="application/problem+json",
            )
        return _answer(view.health_of(cp_id))

    async def every(_request: Request) -> Response:
        if len(view.cp_ids) == 1:
            return _answer(view.health_of(view.cp_ids[0]))
        return _answer(_all_of(view))

    async def ready(_request: Request) -> Response:
        checks = dict(view.checks())
        is_ready = all(checks.values())
        return JSONResponse({"ready": is_ready, "checks": checks}, 200 if is_ready else 503)

    return Starlette(
        routes=[
            Route("/health", every),
            Route("/health/{cp_id}", one),
            Route("/ready", ready),
            Route("/metrics", metrics_response),
        ]
    )


def _answer(health: Mapping[str, Any]) -> Response:
    return JSONResponse(dict(health), 200 if health["healthy"] else 503)


def _all_of(view: HealthView) -> dict[str, Any]:
    records = [view.health_of(cp_id) for cp_id in view.cp_ids]
    ailing = [record for record in records if not record["healthy"]]
    states: dict[str, int] = {}
    for record in records:
        states[record["state"]] = states.get(record["state"], 0) + 1
    detail = None
    if ailing:
        named = ", ".join(f"{record['cp_id']} ({record['detail']})" for record in ailing[:NAMED_AT_MOST])
        detail = f"{len(ailing)} of {len(records)} charge points: {named}"
    return {
        "healthy": not ailing,
        "detail": detail,
        "states": states,
        "charge_points": list(view.cp_ids),
    }
