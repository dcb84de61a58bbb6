"""What an engine answers over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from evcharging.apps.ev_cp_e.health import health_app


class View:
    """An engine whose charge points are as the test says."""

    def __init__(self, ailing: Mapping[str, str], *cp_ids: str, ready: bool = True) -> None:
        self._ailing = ailing
        self._cp_ids = cp_ids
        self._ready = ready

    @property
    def cp_ids(self) -> tuple[str, ...]:
        return self._cp_ids

    def health_of(self, cp_id: str) -> Mapping[str, Any]:
        detail = self._ailing.get(cp_id)
        return {
            "cp_id": cp_id,
            "healthy": detail is None,
            "state": "FAULT" if detail else "ACTIVATED",
            "detail": detail,
            "price_per_kwh": 0.3,
            "rating_kw": 22.0,
        }

    def checks(self) -> Mapping[str, bool]:
        return {"kafka": self._ready, "commands": True}


async def get(view: View, path: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(health_app(view)), base_url="http://engine") as client:
        return await client.get(path)


async def test_a_healthy_charge_point_is_200_with_all_a_monitor_needs():
    response = await get(View({}, "CP-001", "CP-002"), "/health/CP-001")
    assert response.status_code == 200
    assert response.json() == {
        "cp_id": "CP-001",
        "healthy": True,
        "state": "ACTIVATED",
        "detail": None,
        "price_per_kwh": 0.3,
        "rating_kw": 22.0,
    }


async def test_an_ailing_charge_point_is_503_and_says_why():
    response = await get(View({"CP-001": "charger_silent"}, "CP-001"), "/health/CP-001")
    assert response.status_code == 503
    assert (response.json()["healthy"], response.json()["detail"]) == (False, "charger_silent")


@pytest.mark.parametrize("cp_id", ["CP-009", "cp-001", "CP-001%00"])
async def test_an_unknown_charge_point_is_404_with_problem_details(cp_id: str):
    response = await get(View({}, "CP-001"), f"/health/{cp_id}")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == 404


async def test_for_one_charge_point_the_health_of_all_is_its_own():
    assert (await get(View({}, "CP-001"), "/health")).json()["cp_id"] == "CP-001"
    assert (await get(View({"CP-001": "starting"}, "CP-001"), "/health")).status_code == 503


async def test_all_are_healthy_if_each_is():
    response = await get(View({}, "CP-001", "CP-002"), "/health")
    assert response.status_code == 200
    assert response.json()["states"] == {"ACTIVATED": 2}


async def test_one_ailing_charge_point_is_named_among_many():
    response = await get(View({"CP-002": "charger_silent"}, "CP-001", "CP-002"), "/health")
    assert response.status_code == 503
    assert response.json()["detail"] == "1 of 2 charge points: CP-002 (charger_silent)"


async def test_readiness_is_all_its_checks():
    ready, unready = await get(View({}, "CP-001"), "/ready"), await get(View({}, "CP-001", ready=False), "/ready")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    assert (unready.status_code, unready.json()) == (
        503,
        {"ready": False, "checks": {"kafka": False, "commands": True}},
    )


async def test_metrics_are_served_without_a_label_for_each_charge_point():
    response = await get(View({}, "CP-001"), "/metrics")
    assert response.status_code == 200
    assert "evcharging_engine_telemetry_total" in response.text
    assert "CP-001" not in response.text


async def test_it_only_reads():
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(health_app(View({}, "CP-001"))), base_url="http://engine"
    ) as client:
        assert (await client.post("/health")).status_code == 405
