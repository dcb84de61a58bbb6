"""The simulated stations on the page at / in a real browser."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from evcharging.messages.network import SwarmLog, SwarmStatus
from evcharging.messages.topics import SWARM_LOG, SWARM_STATUS
from tests.support.central import a_moment

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

MARKUP = '<img src="x" onerror="document.title=\'owned\'">'


async def status(screen, station_id: str, state: str = "charging", **more: Any) -> None:
    values = {"ts": screen.web.clock(), "station_id": station_id, "state": state, "profile": "idle"}
    await screen.web.core.publish(SWARM_STATUS, SwarmStatus(**{**values, **more}))


async def line(screen, line: str, station_id: str = "PY-SIM-0001") -> None:
    message = SwarmLog(ts=screen.web.clock(), station_id=station_id, line=line)
    await screen.web.core.publish(SWARM_LOG, message, event_id=line)
    while screen.web.swarm_view.lines(station_id)[-1:] != [line]:
        await a_moment()


async def scale(screen, count: int, profile: str = "idle") -> None:
    form = screen.page.locator("#scale")
    await form.get_by_label("Stations").fill(str(count))
    await form.get_by_label("Profile").fill(profile)
    await form.get_by_role("button", name="Apply scaling").click()


async def test_the_swarm_is_scaled_and_seen_to_come_up(screen):
    await screen.open()
    await expect(screen.page.get_by_text("No station was ever started.")).to_be_visible()
    await scale(screen, 3)
    await expect(screen.page.locator("#message")).to_have_text("3 stations are to run: 3 started, 0 stopped")
    row = screen.row("stations", "PY-SIM-0003")
    await expect(row.locator(".badge")).to_have_text("Stopped")
    await status(screen, "PY-SIM-0003", kw=7.36, kwh=12.5, policy={"action": "charge", "reason": "Conditions OK"})
    await expect(row.locator(".badge")).to_have_text("Online")
    for text in ("idle", "7.4 kW", "12.50 / 20 kWh", "up to €18.00, not in peak hours", "Conditions OK"):
        await expect(row).to_contain_text(text)
    await expect(screen.page.locator("#stations-count")).to_have_text("1 online of 3")
    await expect(screen.page.locator("#total-running")).to_have_text("1")
    await expect(screen.page.locator("#total-power")).to_have_text("7.4 kW")


async def test_one_station_is_stopped_and_started(screen):
    await screen.open()
    form = screen.page.locator("#one-station")
    await form.get_by_label("Station").fill("garage")
    await form.get_by_role("button", name="Start").click()
    await status(screen, "garage", "available")
    await screen.page.get_by_role("button", name="Stop garage").click()
    await expect(screen.page.locator("#message")).to_have_text("garage: stop asked for")
    await status(screen, "garage", "stopped")
    await expect(screen.page.get_by_role("button", name="Start garage")).to_be_visible()


async def test_a_log_is_read_newest_first_while_it_is_written(screen):
    await line(screen, "[12:05:32] BootNotification sent")
    await status(screen, "PY-SIM-0001")
    await screen.open()
    await screen.page.get_by_role("button", name="Log of PY-SIM-0001").click()
    lines = screen.page.locator("#log-lines li")
    await expect(lines).to_have_text(["[12:05:32] BootNotification sent"])
    await line(screen, f"[12:06:01] {MARKUP}")
    await expect(lines).to_have_text([f"[12:06:01] {MARKUP}", "[12:05:32] BootNotification sent"])
    assert await screen.page.title() == "Charging network"
    await expect(screen.page.get_by_role("button", name="Log of PY-SIM-0001")).to_have_attribute(
        "aria-expanded", "true"
    )
    await screen.page.locator("#log-close").click()
    await expect(screen.page.locator("#log")).to_be_hidden()


async def test_an_order_that_cannot_be_is_explained(screen):
    screen.watched.expected.append("422")
    await screen.open()
    await scale(screen, 1, "lazy")
    await expect(screen.page.locator("#message")).to_contain_text("no behaviour profile 'lazy'; there are busy")


async def test_the_price_goes_up_and_down_and_back_to_where_it_was(screen):
    await screen.open()
    price = screen.page.locator("#price-now")
    await expect(price).to_have_text("€0.30 per kWh")
    await screen.page.get_by_role("button", name="Raise the price").click()
    await expect(price).to_have_text("€0.31 per kWh")
    await screen.page.get_by_role("button", name="Reset").click()
    await expect(price).to_have_text("€0.30 per kWh")
    await screen.page.get_by_role("button", name="Lower the price").click()
    await expect(price).to_have_text("€0.29 per kWh")


async def test_a_phone_shows_stations_without_scrolling_sideways(screen):
    await screen.page.set_viewport_size({"width": 360, "height": 740})
    await scale_by_http(screen, 3)
    await status(screen, "PY-SIM-0001", kw=7.36, kwh=3.0)
    await screen.open()
    await screen.page.get_by_role("button", name="Log of PY-SIM-0001").click()
    width = await screen.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360


async def scale_by_http(screen, count: int) -> None:
    answer = await screen.web.http.post("/stations/scale", json={"count": count, "profile": "idle"})
    assert answer.status_code == 200
