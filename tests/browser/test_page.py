"""The page at / in a real browser."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from evcharging.apps.runtime.http import bind, serving
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Alert, Severity
from evcharging.messages.commands import Command
from evcharging.messages.topics import ALERTS

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

MARKUP = '<img src="x" onerror="document.title=\'owned\'"><script>document.title="owned"</script>'


async def fault(screen, cp_id: str, text: str = "residual current 34 mA") -> None:
    await screen.web.core.status(
        cp_id, ChargePointState.FAULT, connector_id=0, reason="ground_fault", detail={"text": text}
    )


async def test_a_change_of_state_is_shown_as_it_happens(screen):
    await screen.web.activated("CP-001", "CP-002")
    await screen.open()
    row = screen.row("points", "CP-001")
    await expect(row).to_contain_text("Activated")
    await fault(screen, "CP-001")
    await expect(row.locator(".badge")).to_have_text("Fault")
    await expect(row).to_contain_text("ground fault: residual current 34 mA")
    await expect(row.get_by_role("button", name="Stop CP-001")).to_be_disabled()
    await expect(screen.row("points", "CP-002").locator(".badge")).to_have_text("Activated")
    await expect(screen.page.locator("#message")).to_contain_text("CP-001: fault (ground fault)")


async def test_a_running_session_is_shown_with_its_driver_power_energy_and_cost(screen):
    await screen.web.activated("CP-001")
    await screen.open()
    await expect(screen.page.get_by_text("Nobody is charging at the moment.")).to_be_visible()
    command = await screen.web.supplying("CP-001")
    await screen.web.metered(command, 1, energy_wh=1500.0, grid_wh=1500.0, soc=0.42)
    row = screen.row("active", "CP-001")
    for text in ("driver-alice", "22.0 kW", "1.500 kWh", "€0.45", "42 %"):
        await expect(row).to_contain_text(text)
    await expect(screen.page.locator("#total-energy")).to_have_text("1.500 kWh")
    await expect(screen.page.locator("#total-earnings")).to_have_text("€0.45")
    await expect(screen.page.locator("#total-running")).to_have_text("1")
    await screen.web.core.end(command, 1)
    await expect(row).to_have_count(0)
    await expect(screen.row("last", command.session_id)).to_contain_text("Completed")


async def test_the_stop_button_stops_and_becomes_resume(screen):
    await screen.web.activated("CP-001")
    await screen.open()
    await screen.page.get_by_role("button", name="Stop CP-001").click()
    command = await screen.web.core.command("STOP_CP", "CP-001")
    await screen.web.core.reply(command, "ACCEPTED")
    await screen.web.core.status("CP-001", ChargePointState.STOPPED, connector_id=0, reason="operator_stop")
    await expect(screen.page.locator("#message")).to_have_text("CP-001: stop: accepted")
    await expect(screen.row("points", "CP-001").locator(".badge")).to_have_text("Stopped")
    await screen.page.get_by_role("button", name="Resume CP-001").click()
    await screen.web.core.command("RESUME_CP", "CP-001")


async def test_a_command_that_the_charge_point_rejects_is_told(screen):
    await screen.web.activated("CP-001")
    await screen.open()
    await screen.page.get_by_role("button", name="Stop CP-001").click()
    command = await screen.web.core.command("STOP_CP", "CP-001")
    await screen.web.core.reply(command, "REJECTED", error_description="the door is open")
    await expect(screen.page.locator("#message")).to_have_text("CP-001: stop: rejected (the door is open)")


async def test_an_order_that_the_state_forbids_is_explained(screen):
    screen.watched.expected.append("409")
    await screen.web.activated("CP-001")
    await screen.open()
    await screen.page.get_by_role("button", name="More for CP-001").click()
    await screen.page.get_by_role("menuitem", name="Resume").click()
    await expect(screen.page.locator("#message")).to_contain_text("CP-001 is ACTIVATED: cannot resume")


async def test_a_session_is_started_and_ended_by_keyboard_alone(screen):
    await screen.web.activated("CP-001")
    await screen.open()
    await screen.page.get_by_role("button", name="More for CP-001").press("Enter")
    await expect(screen.page.get_by_role("menuitem", name="Start a session")).to_be_focused()
    await screen.page.keyboard.press("ArrowDown")
    await expect(screen.page.get_by_role("menuitem", name="Resume")).to_be_focused()
    await screen.page.keyboard.press("ArrowUp")
    await screen.page.keyboard.press("Enter")
    await screen.page.keyboard.type("driver-bob")
    await screen.page.keyboard.press("Tab")
    await screen.page.keyboard.type("7.5")
    await screen.page.keyboard.press("Enter")
    command = await screen.web.core.command("START_SUPPLY", "CP-001")
    assert (command.driver_id, command.payload) == ("driver-bob", {"kwh": 7.5})
    await screen.web.core.supply(command)
    await screen.page.get_by_role("button", name="End the session at CP-001").press("Enter")
    assert (await screen.web.core.command("STOP_SUPPLY")).session_id == command.session_id


async def test_the_menu_closes_with_escape_and_gives_the_focus_back(screen):
    await screen.web.activated("CP-001")
    await screen.open()
    more = screen.page.get_by_role("button", name="More for CP-001")
    await more.press("Enter")
    await screen.page.keyboard.press("Escape")
    await expect(screen.page.locator("#menu")).to_be_hidden()
    await expect(more).to_be_focused()


@pytest.mark.parametrize(
    ("entry", "kind"), [("Unplug the vehicle", "unplug"), ("Cause a fault", "fault"), ("Clear the fault", "clear")]
)
async def test_events_are_injected_from_the_menu(screen, entry, kind):
    await screen.web.activated("CP-001")
    await screen.open()
    await screen.page.get_by_role("button", name="More for CP-001").click()
    await screen.page.get_by_role("menuitem", name=entry).click()
    command = await screen.web.core.heard.wait_for(Command, lambda c: c.action == "INJECT")
    assert command.payload == {"kind": kind}


async def test_all_are_stopped_only_after_a_second_thought(screen):
    await screen.web.activated("CP-001", "CP-002")
    await screen.open()
    await screen.page.get_by_role("button", name="Stop all").click()
    await screen.page.get_by_role("button", name="Cancel").click()
    await expect(screen.page.locator("#confirm-dialog")).to_be_hidden()
    assert screen.web.core.heard.of(Command) == []
    await screen.page.get_by_role("button", name="Stop all").click()
    await screen.page.get_by_role("button", name="Yes").click()
    for cp_id in ("CP-001", "CP-002"):
        await screen.web.core.command("STOP_CP", cp_id)


async def test_a_new_price_is_shown_to_everybody(screen):
    await screen.open()
    await expect(screen.page.locator("#price-now")).to_have_text("€0.30 per kWh")
    await screen.page.get_by_label("New price per kWh").fill("0.42")
    await screen.page.get_by_role("button", name="Set price").click()
    await expect(screen.page.locator("#price-now")).to_have_text("€0.42 per kWh")
    await screen.web.core.operations.set_pricing((await screen.web.core.operations.pricing()).price * 2, "EUR")
    await expect(screen.page.locator("#price-now")).to_have_text("€0.84 per kWh")


async def test_markup_in_what_others_say_is_shown_as_text(screen):
    await screen.web.activated("CP-001", "CP-002")
    await screen.open()
    await fault(screen, "CP-002", text=MARKUP)
    driver_id = MARKUP[:64]
    command = await screen.web.supplying("CP-001", driver_id=driver_id)
    await screen.web.metered(command, 1)
    alert = Alert(
        ts=screen.web.clock(),
        alert_id="a",
        cp_id="CP-001",
        kind="k",
        severity=Severity.CRITICAL,
        detail=MARKUP,
        started_at=screen.web.clock(),
    )
    await screen.web.core.publish(ALERTS, alert)
    await expect(screen.row("points", "CP-002")).to_contain_text(MARKUP)
    await expect(screen.row("active", "CP-001")).to_contain_text(driver_id)
    await expect(screen.row("alerts", "a")).to_contain_text(MARKUP)
    await screen.web.core.end(command, 1)
    await expect(screen.row("last", command.session_id)).to_contain_text(driver_id)
    assert await screen.page.locator("main img, main script").count() == 0
    assert await screen.page.title() == "Charging network"


@pytest.mark.parametrize("token", ["s3cret"], indirect=True)
async def test_the_token_is_asked_for_once_and_kept_for_the_tab(screen):
    screen.watched.expected.append("401")
    await screen.web.core.activated("CP-001")
    await screen.open()
    await screen.page.get_by_role("button", name="Stop CP-001").click()
    field = screen.page.get_by_role("textbox", name="Token")
    await field.fill("wrong")
    await field.press("Enter")
    await expect(field).to_be_visible()
    await expect(field).to_have_value("")
    await field.fill("s3cret")
    await field.press("Enter")
    await screen.web.core.command("STOP_CP", "CP-001")
    await screen.page.get_by_role("button", name="More for CP-001").click()
    await screen.page.get_by_role("menuitem", name="Cause a fault").click()
    await screen.web.core.heard.wait_for(Command, lambda c: c.action == "INJECT")
    assert await screen.page.evaluate("localStorage.length") == 0


@pytest.mark.parametrize("token", ["s3cret"], indirect=True)
async def test_an_order_without_a_token_is_refused_when_none_is_given(screen):
    screen.watched.expected.append("401")
    await screen.web.core.activated("CP-001")
    await screen.open()
    await screen.page.get_by_role("button", name="Stop CP-001").click()
    await screen.page.get_by_role("button", name="Cancel").click()
    await expect(screen.page.locator("#message")).to_contain_text("Bearer")


async def test_a_loss_of_central_is_shown_and_ends_by_itself(web, chromium):
    await web.activated("CP-001")
    sock = bind("127.0.0.1", 0, flag="--http-port")
    port = sock.getsockname()[1]
    page = await chromium.new_page()
    async with serving(web.app, sock, name="first"):
        await page.goto(f"http://127.0.0.1:{port}/")
        await expect(page.locator("#connection")).to_have_text("Live")
    sock.close()
    await expect(page.locator("#connection")).to_have_text("Offline")
    await expect(page.locator("#offline")).to_contain_text("Central cannot be reached.")
    await web.core.status("CP-001", ChargePointState.STOPPED, connector_id=0)
    await web.state("CP-001", "STOPPED")
    sock = bind("127.0.0.1", port, flag="--http-port")
    async with serving(web.app, sock, name="second"):
        await expect(page.locator("#connection")).to_have_text("Live", timeout=15_000)
        await expect(page.locator("#offline")).to_be_hidden()
        await expect(page.locator("#points .badge")).to_have_text("Stopped")
        await page.close()
    sock.close()


async def test_thousands_of_charge_points_are_narrowed_down(screen):
    for number in range(3000):
        screen.web.view.remember(f"CP-{number:04d}")
    await screen.web.activated("CP-2999")
    await screen.open()
    await expect(screen.page.locator("#points tbody tr")).to_have_count(200)
    await expect(screen.page.locator("#points-more")).to_contain_text("200 of 3,000")
    await screen.page.get_by_text("Activated 1").click()
    await expect(screen.page.locator("#points tbody tr")).to_have_count(1)
    await screen.page.get_by_text("All 3,000").click()
    await screen.page.get_by_label("Find a charge point or driver").fill("cp-12")
    await expect(screen.page.locator("#points tbody tr")).to_have_count(100)


@pytest.mark.parametrize("width", [320, 390])
async def test_a_phone_needs_no_sideways_scrolling(screen, width):
    await screen.web.activated("CP-001")
    command = await screen.web.supplying("CP-001", driver_id="d" * 64)
    await screen.web.metered(command, 1)
    await screen.page.set_viewport_size({"width": width, "height": 844})
    await screen.open()
    await expect(screen.row("active", "CP-001")).to_be_visible()
    assert await screen.page.evaluate("document.scrollingElement.scrollWidth") <= width
    await screen.page.goto(f"http://{screen.address}/docs")
    assert await screen.page.evaluate("document.scrollingElement.scrollWidth") <= width


async def test_every_control_has_a_name_and_every_table_its_roles(screen):
    await screen.web.activated("CP-001")
    await screen.web.supplying("CP-001")
    await screen.open()
    await expect(screen.row("active", "CP-001")).to_be_visible()
    nameless = await screen.page.evaluate(
        """() => [...document.querySelectorAll("button, input, a")]
            .filter((e) => !(e.textContent.trim() || e.getAttribute("aria-label") || e.labels?.length))
            .map((e) => e.outerHTML)"""
    )
    assert nameless == []
    assert await screen.page.locator("#message[aria-live=polite]").count() == 1
    assert await screen.page.get_by_role("row").count() >= 4


async def test_the_reference_opens_without_an_error(screen):
    await screen.page.goto(f"http://{screen.address}/docs")
    await expect(screen.page.get_by_role("heading", name="Problems")).to_be_visible()
    await screen.page.goto(f"http://{screen.address}/docs#state_forbids")
    await asyncio.sleep(0)
    await expect(screen.page.locator("#state_forbids")).to_be_in_viewport()
