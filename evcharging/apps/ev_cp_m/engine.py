"""Probes an engine over HTTP: ``GET /health/{cp_id}``, 200 or 503 with ``{cp_id, healthy, state, detail}``.

An engine may add ``price_per_kwh`` and ``rating_kw``, with which its charge point is then registered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import quote

import httpx
from pydantic import BaseModel, Field, ValidationError

from evcharging.apps.ev_cp_m.judge import ENGINE_UNREACHABLE, Offer, Probe

__all__ = ["Engine"]

LONGEST_DETAIL = 200


class _Health(BaseModel):
    healthy: bool
    detail: str | None = None
    price_per_kwh: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    rating_kw: float | None = Field(default=None, gt=0, allow_inf_nan=False)


class Engine:
    """One engine, which may run several charge points.

    Args:
        client: shared with the rest of the process.
        url: ``http://host:port``.
        timeout_s: for a whole probe, from connecting to the last byte.
        clock_s: seconds of a steady clock, for the latency.
    """

    def __init__(self, client: httpx.AsyncClient, url: str, *, timeout_s: float, clock_s: Callable[[], float]) -> None:
        self._client = client
        self._url = url
        self._timeout_s = timeout_s
        self._clock_s = clock_s

    def health_url(self, cp_id: str) -> str:
        """Where one charge point's health is asked for."""
        return f"{self._url}/health/{quote(cp_id, safe='')}"

    async def probe(self, cp_id: str) -> Probe:
        """Ask once. Refused, too slow and cut off are all ``engine_unreachable``; nothing is raised."""
        began_s = self._clock_s()
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._client.get(self.health_url(cp_id))
        except (httpx.HTTPError, TimeoutError):
            return Probe(False, ENGINE_UNREACHABLE)
        latency_ms = round((self._clock_s() - began_s) * 1000, 3)
        return _read(response, latency_ms)


def _read(response: httpx.Response, latency_ms: float) -> Probe:
    if response.status_code == httpx.codes.NOT_FOUND:
        return Probe(False, "unknown_to_engine", latency_ms)
    if response.status_code not in (httpx.codes.OK, httpx.codes.SERVICE_UNAVAILABLE):
        return Probe(False, f"engine_answered_{response.status_code}", latency_ms)
    try:
        health = _Health.model_validate_json(response.content)
    except ValidationError:
        return Probe(False, "engine_answer_unreadable", latency_ms)
    healthy = health.healthy and response.status_code == httpx.codes.OK
    detail = health.detail[:LONGEST_DETAIL] if health.detail else None
    offer = Offer(health.price_per_kwh, health.rating_kw)
    return Probe(healthy, detail or (None if healthy else "unhealthy"), latency_ms, offer)
