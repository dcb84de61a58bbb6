from __future__ import annotations

import httpx
import pytest

from evcharging.apps.swarm import metrics
from evcharging.apps.swarm.probes import probes_app


async def ask(checks, path):
    transport = httpx.ASGITransport(app=probes_app(lambda: checks))
    async with httpx.AsyncClient(transport=transport, base_url="http://w") as client:
        return await client.get(path)


async def test_it_is_ready_when_nothing_lacks():
    answer = await ask({"kafka": None, "lease": None}, "/ready")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "checks": {"kafka": {"ok": True}, "lease": {"ok": True}}}


async def test_it_says_what_lacks():
    answer = await ask({"kafka": "not connected", "lease": None}, "/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"]["kafka"] == {"ok": False, "detail": "not connected"}


@pytest.mark.parametrize("path", ["/health", "/metrics"])
async def test_it_lives_whatever_lacks(path):
    assert (await ask({"kafka": "away"}, path)).status_code == 200


async def test_no_metric_has_a_label_for_a_station():
    metrics.CALLS.labels("Heartbeat", "ok").inc()
    text = (await ask({}, "/metrics")).text
    labels = [line for line in text.splitlines() if line.startswith("evcharging_swarm_")]
    assert labels
    assert not [line for line in labels if "station_id" in line or "PY-SIM" in line]
