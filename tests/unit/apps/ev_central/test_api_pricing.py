from __future__ import annotations

import pytest


async def test_the_price_in_force(web):
    answer = await web.http.get("/pricing")
    assert answer.json() == {"price": 0.3, "currency": "EUR", "solar_price": None}


async def test_a_new_price_is_in_force_at_once_and_told_to_the_network(web):
    answer = await web.http.post("/pricing", json={"price": 0.35, "currency": "EUR", "solar_price": 0.1})
    assert (answer.status_code, answer.json()) == (200, {"price": 0.35, "currency": "EUR", "solar_price": 0.1})
    assert (await web.http.get("/pricing")).json()["price"] == 0.35
    while web.view.signal is None:
        await web.http.get("/health")
    assert (web.view.signal.price_per_kwh, web.view.signal.solar_price_per_kwh) == (0.35, 0.1)


async def test_the_currency_stays_where_none_is_named(web):
    answer = await web.http.post("/pricing", json={"price": 1})
    assert answer.json()["currency"] == "EUR"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"price": -1},
        {"price": "cheap"},
        {"price": 1e9},
        {"price": 0.1234567},
        {"price": 1, "currency": "eur"},
        {"price": 1, "currency": "EURO"},
        {"price": 1, "solar_price": -0.1},
        {"price": 1, "pricee": 2},
    ],
)
async def test_a_price_that_cannot_be_charged_is_refused(web, body):
    answer = await web.http.post("/pricing", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_currency_that_does_not_exist_is_refused(web):
    answer = await web.http.post("/pricing", json={"price": 1, "currency": "XXX"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_pricing")
    assert (await web.http.get("/pricing")).json()["currency"] == "EUR"


async def test_totals_count_energy_money_and_charge_points(web):
    await web.activated("CP-001", "CP-002")
    command = await web.supplying("CP-001")
    await web.metered(command, 1, energy_wh=2000.0, grid_wh=2000.0)
    assert (await web.http.get("/totals")).json() == {
        "energy_kwh": 2.0,
        "earnings": 0.6,
        "currency": "EUR",
        "stations": 2,
        "running": 1,
    }
