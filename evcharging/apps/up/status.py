"""The line that tells how a run is doing: charge points by state, sessions, power and what was earned.

Asks Central and writes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

__all__ = ["counted", "read_status", "status_line"]

TIMEOUT_S = 2.0


async def read_status(client: httpx.AsyncClient, central_url: str) -> str:
    """One line from Central's list of charge points and its totals; says so when it does not answer."""
    try:
        charge_points = (await client.get(f"{central_url}/cp?limit=1000", timeout=TIMEOUT_S)).raise_for_status().json()
        totals = (await client.get(f"{central_url}/totals", timeout=TIMEOUT_S)).raise_for_status().json()
        return status_line(charge_points, totals)
    except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
        return f"Central does not answer as it should ({type(error).__name__})"


def status_line(charge_points: Sequence[Mapping[str, Any]], totals: Mapping[str, Any]) -> str:
    """``3 charge points: 2 SUPPLYING, 1 ACTIVATED · 2 sessions · 44.0 kW · 1.234 kWh, 0.37 EUR in all``."""
    states = Counter(str(point["state"]) for point in charge_points)
    by_state = ", ".join(f"{count} {state}" for state, count in states.most_common())
    sessions = sum(1 for point in charge_points if point.get("session_id"))
    kw = sum(float(point.get("kw") or 0) for point in charge_points)
    energy_kwh, earnings = float(totals["energy_kwh"]), float(totals["earnings"])
    return (
        f"{counted(len(charge_points), 'charge point')}: {by_state or 'none yet'} · {counted(sessions, 'session')}"
        f" · {kw:.1f} kW · {energy_kwh:.3f} kWh, {earnings:.2f} {totals['currency']} in all"
    )


def counted(count: int, noun: str) -> str:
    """``1 session``, ``2 sessions``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
