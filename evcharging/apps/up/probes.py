"""Asking services whether they are ready. Each probe asks once and never raises for a service that is not there yet."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import httpx

from evcharging.apps.up.spec import Probe

__all__ = ["accepts_connections", "answers_ready", "charge_points_ready"]

PROBE_TIMEOUT_S = 2.0
ABLE_TO_CHARGE = frozenset({"ACTIVATED", "SUPPLYING", "STOPPED"})


def accepts_connections(host: str, port: int) -> Probe:
    """Ready when something listens there: for brokers and hubs, which listen last."""

    async def probe() -> str | None:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                _reader, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError):
            return f"nothing listens on {host}:{port}"
        writer.close()
        return None

    return probe


def answers_ready(client: httpx.AsyncClient, url: str) -> Probe:
    """Ready when ``GET url`` answers 200. Of another answer, what its ``checks`` say is missing."""

    async def probe() -> str | None:
        response = await _get(client, url)
        if isinstance(response, str):
            return response
        return None if response.status_code == httpx.codes.OK else _told(response)

    return probe


def charge_points_ready(client: httpx.AsyncClient, central_url: str, cp_ids: Collection[str]) -> Probe:
    """Ready when Central lists each of ``cp_ids`` as connected and, by its monitor, healthy."""

    async def probe() -> str | None:
        response = await _get(client, f"{central_url}/cp?limit=1000")
        if isinstance(response, str):
            return response
        if response.status_code != httpx.codes.OK:
            return _told(response)
        return _missing(response.json(), cp_ids)

    return probe


async def _get(client: httpx.AsyncClient, url: str) -> httpx.Response | str:
    try:
        return await client.get(url, timeout=PROBE_TIMEOUT_S)
    except httpx.HTTPError as error:
        return f"{url} does not answer ({type(error).__name__})"


def _missing(listed: Any, cp_ids: Collection[str]) -> str | None:
    known = {item["cp_id"]: item for item in listed} if isinstance(listed, list) else {}
    for cp_id in cp_ids:
        charge_point = known.get(cp_id)
        if charge_point is None:
            return f"{cp_id} is not registered"
        if charge_point["state"] not in ABLE_TO_CHARGE:
            return f"{cp_id} is {charge_point['state']}"
        if charge_point["healthy"] is not True:
            return f"{cp_id} is not known to be healthy"
    return None


def _told(response: httpx.Response) -> str:
    """What a readiness answer says is amiss; its status where it says nothing that can be read."""
    body = _json(response)
    checks = body.get("checks") if isinstance(body, dict) else None
    failed = [
        f"{name}: {check.get('detail') or 'not ready'}"
        for name, check in (checks.items() if isinstance(checks, dict) else ())
        if isinstance(check, dict) and check.get("ok") is not True
    ]
    return "; ".join(failed) or f"{response.url} answered {response.status_code}"


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None
