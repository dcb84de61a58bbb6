"""Asking Central for the simulated stations of a run."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from evcharging.apps.runtime.errors import GaveUp, UsageError

__all__ = ["ask_for_stations"]

REQUEST_TIMEOUT_S = 10.0
TRY_AGAIN_S = 0.5


async def ask_for_stations(
    client: httpx.AsyncClient,
    central_url: str,
    count: int,
    *,
    profile: str,
    token: str | None,
    within_s: float = 30.0,
) -> None:
    """Have ``count`` simulated stations run; those that run already go on as they are.

    Raises:
        UsageError: Central refuses the count, the profile or the token; repeats what it said.
        GaveUp: it could not do it within ``within_s``.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    lacks = ""
    try:
        async with asyncio.timeout(within_s):
            while True:
                try:
                    response = await client.post(
                        f"{central_url}/stations/scale",
                        json={"count": count, "profile": profile},
                        headers=headers,
                        timeout=REQUEST_TIMEOUT_S,
                    )
                except httpx.HTTPError as error:
                    lacks = f"{central_url} does not answer ({type(error).__name__})"
                else:
                    if response.is_success:
                        return
                    lacks = _told(response)
                    if response.is_client_error:
                        raise UsageError(f"--stations {count}, --station-profile {profile}: {lacks}")
                await asyncio.sleep(TRY_AGAIN_S)
    except TimeoutError:
        raise GaveUp(f"{count} stations could not be asked for within {within_s:g} s: {lacks}") from None


def _told(response: httpx.Response) -> str:
    """What a problem answer says; its status where it says nothing that can be read."""
    try:
        body: Any = response.json()
    except ValueError:
        body = None
    detail = body.get("detail") or body.get("title") if isinstance(body, dict) else None
    return str(detail or f"Central answered {response.status_code}")
