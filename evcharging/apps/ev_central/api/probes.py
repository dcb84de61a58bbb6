"""What watches Central: liveness, readiness, metrics."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import Gauge

from evcharging.apps.ev_central.api.dependencies import PartsOf
from evcharging.apps.ev_central.api.error_docs import errors
from evcharging.apps.ev_central.api.models import Liveness, Readiness, ReadinessCheck
from evcharging.apps.ev_central.readiness import Check
from evcharging.apps.runtime.http import metrics_response

__all__ = ["router"]

router = APIRouter(tags=["probes"])

CHECKS_TIMEOUT_S = 5.0
CHARGE_POINTS = Gauge("evcharging_charge_points", "Charge points by state", ["state"])


@router.get("/health", summary="Is the process alive", responses=errors())
async def health() -> Liveness:
    """Answers as long as the process does; whether it gets anywhere is said by `/ready`."""
    return Liveness()


@router.get(
    "/ready",
    summary="Does Central make progress",
    response_model=Readiness,
    responses={
        503: {"model": Readiness, "description": "Something it needs is away, or it is still catching up."},
        **errors(),
    },
)
async def ready(parts: PartsOf, response: Response) -> Readiness:
    """Kafka: publishing works and every reader moves. MQTT: only where it is set. Database: it answers."""
    try:
        async with asyncio.timeout(CHECKS_TIMEOUT_S):
            found = await parts.readiness.checks()
    except TimeoutError:
        found = {"checks": Check(ok=False, detail=f"no answer within {CHECKS_TIMEOUT_S:.0f} s")}
    checks = {name: ReadinessCheck(ok=check.ok, detail=check.detail) for name, check in found.items()}
    well = all(check.ok for check in checks.values())
    if not well:
        response.status_code = 503
    return Readiness(ready=well, checks=checks)


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=PlainTextResponse,
    responses={
        200: {"content": {"text/plain": {"example": 'evcharging_charge_points{state="ACTIVATED"} 3.0\n'}}},
        **errors(),
    },
)
async def metrics(parts: PartsOf) -> Response:
    """Everything that this process counts, in the text format of Prometheus."""
    for state, count in parts.view.states.items():
        CHARGE_POINTS.labels(state.value).set(count)
    return await metrics_response()
