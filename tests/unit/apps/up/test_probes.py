from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from evcharging.apps.runtime.http import bind, serving
from evcharging.apps.up.probes import accepts_connections, answers_ready, charge_points_ready
from evcharging.apps.up.status import read_status

HEALTHY = {"state": "ACTIVATED", "healthy": True}


class Central:
    """An HTTP server that answers as it is told to."""

    def __init__(self) -> None:
        self.answers: dict[str, Response] = {}
        self.app = Starlette(routes=[Route("/{path:path}", self.answer)])

    async def answer(self, request: Request) -> Response:
        return self.answers.get(request.url.path, PlainTextResponse("no such path", 404))

    def lists(self, *points: dict[str, Any]) -> None:
        self.answers["/cp"] = JSONResponse(list(points))


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest.fixture
def central() -> Central:
    return Central()


@pytest.fixture
async def url(central: Central) -> AsyncIterator[str]:
    sock = bind("127.0.0.1", 0, flag="--http-port")
    async with serving(central.app, sock, name="central"):
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


async def test_a_port_that_somebody_listens_on_is_ready():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert await accepts_connections("127.0.0.1", server.getsockname()[1])() is None


async def test_a_port_that_nobody_listens_on_is_not_ready(closed_port):
    assert await accepts_connections("127.0.0.1", closed_port)() == f"nothing listens on 127.0.0.1:{closed_port}"


async def test_200_is_ready(central, url, client):
    central.answers["/ready"] = JSONResponse({"ready": True, "checks": {}})
    assert await answers_ready(client, f"{url}/ready")() is None


async def test_503_tells_the_checks_that_failed(central, url, client):
    checks = {"kafka": {"ok": False, "detail": "not connected"}, "database": {"ok": True}, "mqtt": {"ok": False}}
    central.answers["/ready"] = JSONResponse({"ready": False, "checks": checks}, 503)
    assert await answers_ready(client, f"{url}/ready")() == "kafka: not connected; mqtt: not ready"


@pytest.mark.parametrize("body", ["not JSON", "[]", '{"checks": 3}'])
async def test_an_answer_that_is_no_readiness_answer_tells_its_status(central, url, client, body):
    central.answers["/ready"] = Response(body, 500, media_type="application/json")
    assert await answers_ready(client, f"{url}/ready")() == f"{url}/ready answered 500"


async def test_a_service_that_does_not_answer_is_not_ready(client, closed_port):
    lacks = await answers_ready(client, f"http://127.0.0.1:{closed_port}/ready")()
    assert lacks == f"http://127.0.0.1:{closed_port}/ready does not answer (ConnectError)"


async def test_charge_points_are_ready_when_each_is_connected_and_healthy(central, url, client):
    central.lists({"cp_id": "CP-001", **HEALTHY}, {"cp_id": "CP-002", "state": "SUPPLYING", "healthy": True})
    assert await charge_points_ready(client, url, ["CP-001", "CP-002"])() is None


@pytest.mark.parametrize(
    ("second", "lacks"),
    [
        ({"cp_id": "CP-009", **HEALTHY}, "CP-002 is not registered"),
        ({"cp_id": "CP-002", "state": "DISCONNECTED", "healthy": True}, "CP-002 is DISCONNECTED"),
        ({"cp_id": "CP-002", "state": "ACTIVATED", "healthy": None}, "CP-002 is not known to be healthy"),
        ({"cp_id": "CP-002", "state": "ACTIVATED", "healthy": False}, "CP-002 is not known to be healthy"),
    ],
)
async def test_one_charge_point_that_is_not_there_keeps_all_from_being_ready(central, url, client, second, lacks):
    central.lists({"cp_id": "CP-001", **HEALTHY}, second)
    assert await charge_points_ready(client, url, ["CP-001", "CP-002"])() == lacks


async def test_the_status_is_read_from_central(central, url, client):
    central.lists({"cp_id": "CP-001", **HEALTHY, "session_id": None, "kw": 0})
    central.answers["/totals"] = JSONResponse({"energy_kwh": 2, "earnings": 0.6, "currency": "EUR"})
    assert (await read_status(client, url)).startswith("1 charge point: 1 ACTIVATED")


async def test_the_status_says_so_when_central_does_not_answer(client, closed_port):
    assert (
        await read_status(client, f"http://127.0.0.1:{closed_port}")
        == "Central does not answer as it should (ConnectError)"
    )


async def test_the_status_says_so_when_central_answers_with_an_error(central, url, client):
    assert await read_status(client, url) == "Central does not answer as it should (HTTPStatusError)"


@pytest.mark.parametrize(("listed", "totals"), [(["?"], {}), ([{}], {}), ([], {"energy_kwh": None})])
async def test_an_answer_that_cannot_be_read_costs_the_status_only(central, url, client, listed, totals):
    central.answers["/cp"] = JSONResponse(listed)
    central.answers["/totals"] = JSONResponse(totals)
    assert (await read_status(client, url)).startswith("Central does not answer as it should")
