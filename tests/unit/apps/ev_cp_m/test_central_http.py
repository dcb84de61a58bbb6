"""What a monitor says to Central over HTTP, and what it makes of the answers."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from evcharging.apps.ev_cp_m.central import CentralAway, NotRegistered, Refused
from evcharging.apps.ev_cp_m.central_http import HttpCentral
from evcharging.messages.control import HealthReport, Registration


class Server:
    def __init__(self, status: int = 200, body: Any = None) -> None:
        self.status, self.body = status, body
        self.requests: list[tuple[str, dict[str, Any], str | None]] = []

    async def _answer(self, request: Request) -> Response:
        self.requests.append((request.url.path, json.loads(await request.body()), request.headers.get("authorization")))
        return JSONResponse(self.body, self.status)

    def central(self, token: SecretStr | None = None) -> HttpCentral:
        app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["POST"])])
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app))
        return HttpCentral(client, "http://central:8000", token=token, timeout_s=5)


REGISTRATION = Registration(cp_id="CP-001", health_url="http://localhost:8001/health/CP-001")
REPORT = HealthReport(healthy=False, detail="engine_unreachable", monitor_id="m-1")


@pytest.mark.parametrize(("status", "new"), [(201, True), (200, False)])
async def test_a_registration_is_posted_and_central_says_whether_it_is_new(status, new):
    server = Server(status)
    assert await server.central().register(REGISTRATION) is new
    assert server.requests == [
        ("/cp/register", {"cp_id": "CP-001", "health_url": "http://localhost:8001/health/CP-001"}, None)
    ]


async def test_a_report_is_posted_under_its_charge_point():
    server = Server(204)
    await server.central().report("CP-001", REPORT)
    assert server.requests == [
        ("/cp/CP-001/health", {"healthy": False, "detail": "engine_unreachable", "monitor_id": "m-1"}, None)
    ]


async def test_the_token_is_sent_as_a_bearer_token():
    server = Server(200)
    central = server.central(SecretStr("very-secret"))
    await central.register(REGISTRATION)
    await central.report("CP-001", REPORT)
    assert [authorization for _, _, authorization in server.requests] == ["Bearer very-secret"] * 2


async def test_404_to_a_report_means_that_the_charge_point_is_not_registered():
    with pytest.raises(NotRegistered, match="CP-001"):
        await Server(404).central().report("CP-001", REPORT)


async def test_404_to_a_registration_means_that_something_else_listens_there():
    with pytest.raises(Refused, match=r"POST /cp/register answered 404"):
        await Server(404).central().register(REGISTRATION)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
async def test_an_answer_that_says_later_means_that_central_is_away(status):
    central = Server(status, {"title": "database_unavailable"}).central()
    with pytest.raises(CentralAway, match="database_unavailable"):
        await central.register(REGISTRATION)
    with pytest.raises(CentralAway):
        await central.report("CP-001", REPORT)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_wrong_token_is_refused_with_what_to_set_and_without_the_token(status):
    with pytest.raises(Refused, match="--api-token") as caught:
        await Server(status, {"detail": "no bearer token"}).central(SecretStr("very-secret")).report("CP-001", REPORT)
    assert "no bearer token" in str(caught.value)
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize(("status", "body"), [(422, {"detail": "rating_kw"}), (400, ["odd"]), (302, None)])
async def test_any_other_answer_is_a_refusal(status, body):
    with pytest.raises(Refused, match=str(status)):
        await Server(status, body).central().register(REGISTRATION)
