from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright, expect

from tests.support.web import WebRig, running_web

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)


class Watched:
    """What a page did that nobody asked for: errors, and requests to hosts other than its own."""

    def __init__(self, page: Page, host: str) -> None:
        self.errors: list[str] = []
        self.expected: list[str] = []
        self._host = host
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error}"))
        page.on("request", self._request)

    def unexpected(self) -> list[str]:
        return [error for error in self.errors if not any(part in error for part in self.expected)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.netloc != self._host:
            self.errors.append(f"a request to {request.url}")


class Screen:
    """A browser's page on a Central of its own."""

    def __init__(self, web: WebRig, page: Page, address: str) -> None:
        self.web = web
        self.page = page
        self.address = address
        self.watched = Watched(page, address)

    async def open(self) -> None:
        await self.page.goto(f"http://{self.address}/")
        await self.page.get_by_text("Live", exact=True).wait_for()

    def row(self, table: str, cp_id: str):
        return self.page.locator(f'#{table} tr[data-key="{cp_id}"]')


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """One browser for the tests of a file; each has a context of its own, which shares nothing with the others."""
    found = next((path for path in map(shutil.which, CHROMIUM_NAMES) if path), None)
    if found is None:
        pytest.fail(f"the page cannot be tested without Chromium: none of {', '.join(CHROMIUM_NAMES)} is on the PATH")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
def token(request: pytest.FixtureRequest) -> str | None:
    """None; a test that wants writes guarded says so by parametrizing this."""
    return getattr(request, "param", None)


@pytest_asyncio.fixture(loop_scope="module")
async def web(tmp_path: Path, token: str | None) -> AsyncIterator[WebRig]:
    async with running_web(tmp_path, token=token) as rig:
        yield rig


@pytest_asyncio.fixture(loop_scope="module")
async def screen(web: WebRig, chromium: Browser) -> AsyncIterator[Screen]:
    """A page that is open, and that must have made no error by the end of the test."""
    async with web.listening() as address:
        context = await chromium.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE_MS)
        screen = Screen(web, await context.new_page(), address)
        yield screen
        await context.close()
    assert screen.watched.unexpected() == []
