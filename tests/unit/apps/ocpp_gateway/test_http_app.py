"""The gateway's HTTP: readiness, and the paths of a standalone one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from evcharging.apps.ocpp_gateway.http_app import StandaloneApi, gateway_app
from evcharging.apps.ocpp_gateway.links import Links
from evcharging.messages.commands import CommandOutcome, Reply
from evcharging.ocpp.versions import OcppVersion

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@dataclass(eq=False)
class Link:
    cp_id: str
    version: OcppVersion = OcppVersion.V16
    remote: str = "127.0.0.1"
    connected_at: datetime = NOW
    epoch: int = 0


@dataclass
class Gateway:
    """One station that is connected (CP-001), one that was (CP-002)."""

    outcome: CommandOutcome = CommandOutcome.CALL_RESULT
    payload: dict[str, Any] | None = field(default_factory=lambda: {"status": "Accepted"})
    error_code: str | None = None
    error_description: str | None = None
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    async def call(self, cp_id: str, action: str, payload: dict[str, Any]) -> Reply:
        self.calls.append((cp_id, action, payload))
        return Reply(
            ts=NOW,
            command_id="1",
            cp_id=cp_id,
            outcome=self.outcome,
            payload=self.payload,
            error_code=self.error_code,
            error_description=self.error_description,
        )

    async def transactions(self, cp_id: str, limit: int) -> Sequence[Mapping[str, Any]]:
        return [{"transaction_id": number} for number in range(3)][:limit] if cp_id == "CP-001" else []

    @asynccontextmanager
    async def http(self) -> AsyncIterator[httpx.AsyncClient]:
        links = Links(wall_ns=lambda: 1)
        links.enter(Link("CP-001"))  # type: ignore[arg-type]
        api = StandaloneApi(links, self.call, self.transactions, known=lambda cp_id: cp_id in ("CP-001", "CP-002"))
        transport = httpx.ASGITransport(gateway_app(lambda: {"listening": True}, api))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client


async def test_it_is_ready_when_every_check_holds() -> None:
    for checks, status in (({"kafka": True, "database": True}, 200), ({"kafka": False, "database": True}, 503)):
        transport = httpx.ASGITransport(gateway_app(lambda checks=checks: checks))  # type: ignore[misc]
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            answer = await client.get("/ready")
            assert (answer.status_code, answer.json()) == (status, {"ready": status == 200, "checks": checks})
            assert (await client.get("/health")).json() == {"status": "ok"}
            assert (await client.get("/metrics")).status_code == 200
            assert (await client.get("/api/v1/ocpp")).status_code == 404, "only a standalone gateway has it"


async def test_stations_that_are_connected_are_listed() -> None:
    async with Gateway().http() as client:
        assert (await client.get("/api/v1/ocpp")).json() == [
            {"cp_id": "CP-001", "version": "1.6", "remote": "127.0.0.1", "connected_at": "2026-01-31T12:00:00.000Z"}
        ]


async def test_a_call_is_answered_with_the_stations_own_words() -> None:
    gateway = Gateway()
    async with gateway.http() as client:
        answer = await client.post("/api/v1/ocpp/CP-001/Reset", json={"type": "Soft"})
    assert (answer.status_code, answer.json()) == (200, {"status": "Accepted"})
    assert gateway.calls == [("CP-001", "Reset", {"type": "Soft"})]


async def test_a_call_without_a_body_has_an_empty_payload() -> None:
    gateway = Gateway()
    async with gateway.http() as client:
        assert (await client.post("/api/v1/ocpp/CP-001/ClearCache")).status_code == 200
    assert gateway.calls == [("CP-001", "ClearCache", {})]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/v1/ocpp/CP-404/Reset", b'{"type":"Soft"}', 404),
        ("/api/v1/ocpp/CP-002/Reset", b'{"type":"Soft"}', 409),
        ("/api/v1/ocpp/CP-001/NoSuchAction", b"{}", 404),
        ("/api/v1/ocpp/CP-001/RequestStartTransaction", b"{}", 404),
        ("/api/v1/ocpp/CP-001/Reset", b"{}", 422),
        ("/api/v1/ocpp/CP-001/Reset", b"[]", 422),
        ("/api/v1/ocpp/CP-001/Reset", b"nonsense", 400),
        ("/api/v1/ocpp/CP-001/Reset", b'"' + b"x" * 1_100_000 + b'"', 413),
    ],
)
async def test_what_cannot_be_asked_is_refused_before_the_station_hears_of_it(
    path: str, body: bytes, status: int
) -> None:
    gateway = Gateway()
    async with gateway.http() as client:
        answer = await client.post(path, content=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert gateway.calls == []


@pytest.mark.parametrize(
    ("outcome", "code", "status"),
    [
        (CommandOutcome.CALL_ERROR, "NotSupported", 502),
        (CommandOutcome.TIMEOUT, None, 504),
        (CommandOutcome.EXPIRED, None, 504),
        (CommandOutcome.NOT_CONNECTED, "not_connected", 409),
        (CommandOutcome.REJECTED, "NotImplemented", 404),
        (CommandOutcome.REJECTED, "pending", 409),
    ],
)
async def test_what_came_of_a_call_is_told_as_central_tells_it(
    outcome: CommandOutcome, code: str | None, status: int
) -> None:
    gateway = Gateway(outcome=outcome, payload=None, error_code=code, error_description="because")
    async with gateway.http() as client:
        answer = await client.post("/api/v1/ocpp/CP-001/Reset", json={"type": "Soft"})
    assert answer.status_code == status
    if outcome is CommandOutcome.CALL_ERROR:
        told = answer.json()
        assert (told["error_code"], told["error_description"]) == ("NotSupported", "because")


async def test_a_page_in_a_browser_cannot_make_calls() -> None:
    gateway = Gateway()
    async with gateway.http() as client:
        answer = await client.post("/api/v1/ocpp/CP-001/ClearCache", headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 403
    assert gateway.calls == []


async def test_transactions_are_listed_as_many_as_are_asked_for() -> None:
    async with Gateway().http() as client:
        assert len((await client.get("/api/v1/ocpp/CP-001/transactions")).json()) == 3
        assert len((await client.get("/api/v1/ocpp/CP-001/transactions?limit=2")).json()) == 2
        assert (await client.get("/api/v1/ocpp/CP-002/transactions")).json() == []
        assert (await client.get("/api/v1/ocpp/CP-404/transactions")).status_code == 404
        for wrong in ("0", "-1", "x", "1001", "²"):
            assert (await client.get(f"/api/v1/ocpp/CP-001/transactions?limit={wrong}")).status_code == 422
