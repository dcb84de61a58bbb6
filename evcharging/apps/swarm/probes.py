"""The swarm worker over HTTP: health, readiness, metrics. It only reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from evcharging.apps.runtime.http import metrics_response

__all__ = ["probes_app"]


def probes_app(checks: Callable[[], Mapping[str, str | None]]) -> Starlette:
    """The application, to be served.

    Args:
        checks: what readiness depends on, each with what it lacks; None: nothing.
    """

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_request: Request) -> Response:
        made = {
            name: {"ok": lacks is None, **({} if lacks is None else {"detail": lacks})}
            for name, lacks in checks().items()
        }
        is_ready = all(check["ok"] for check in made.values())
        return JSONResponse({"ready": is_ready, "checks": made}, 200 if is_ready else 503)

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/ready", ready),
            Route("/metrics", metrics_response),
        ]
    )
