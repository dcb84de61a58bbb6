"""OCPP operations over HTTP, the gateway played on the bus; transactions and reservations from its database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from evcharging.messages.commands import Command, CommandOutcome
from evcharging.store.gateway import tables
from evcharging.store.simulator.stations import StationRow, save_station
from tests.support.central import START as NOW
from tests.support.ocpp import DISCONNECTED, Station
from tests.support.web import WebRig, running_web


@pytest.fixture
async def station(web: WebRig) -> Station:
    return await connected(web)


async def connected(web: WebRig, **more: Any) -> Station:
    station = Station(web.core, **more)
    await station.boots()
    await web.state(station.cp_id, "ACTIVATED")
    return station


@pytest.fixture
async def hurried(tmp_path: Path) -> AsyncIterator[WebRig]:
    """Central that waits for answers a moment only."""
    async with running_web(tmp_path, answer_within_s=0.3) as rig:
        yield rig


async def asked(web: WebRig, action: str, payload: dict[str, Any], **headers: str) -> asyncio.Task[httpx.Response]:
    """Ask, and wait until the gateway has the command."""
    path = f"/api/v1/ocpp/ST-1/{action}"
    task = asyncio.create_task(web.http.post(path, json=payload, headers=headers))
    await web.core.heard.wait_for(Command, lambda c: (c.payload or {}).get("action") == action)
    return task


async def told(web: WebRig, outcome: CommandOutcome, **more: Any) -> httpx.Response:
    """What the caller of Reset hears where the gateway replies so."""
    call = await asked(web, "Reset", {"type": "Soft"})
    await web.core.reply(await web.core.command("OCPP_CALL"), outcome, **more)
    return await call


async def test_a_call_reaches_the_gateway_as_it_is_and_its_answer_comes_back_as_it_is(web, station):
    call = await asked(web, "ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"})
    command = await web.core.command("OCPP_CALL")
    assert command.cp_id == "ST-1"
    assert command.payload == {
        "action": "ChangeConfiguration",
        "payload": {"key": "HeartbeatInterval", "value": "60"},
    }
    assert command.expires_at == web.clock() + timedelta(seconds=30)
    await web.core.reply(command, CommandOutcome.CALL_RESULT, payload={"status": "RebootRequired"})
    answer = await call
    assert (answer.status_code, answer.json()) == (200, {"status": "RebootRequired"})


async def test_an_empty_response_is_an_empty_object(web, station):
    assert (await told(web, CommandOutcome.CALL_RESULT, payload={})).json() == {}


@pytest.mark.parametrize(
    ("outcome", "more", "status", "code"),
    [
        (CommandOutcome.NOT_CONNECTED, {}, 409, "not_connected"),
        (CommandOutcome.REJECTED, {"error_description": "it is Pending"}, 409, "call_refused"),
        (CommandOutcome.EXPIRED, {}, 504, "no_answer"),
        (CommandOutcome.TIMEOUT, {}, 504, "no_answer"),
    ],
)
async def test_what_kept_a_call_from_being_answered_is_told(web, station, outcome, more, status, code):
    answer = await told(web, outcome, **more)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_callerror_is_told_with_its_code_and_description(web, station):
    more = {"error_code": "NotSupported", "error_description": "no such feature"}
    answer = await told(web, CommandOutcome.CALL_ERROR, **more)
    body = answer.json()
    assert (answer.status_code, body["code"]) == (502, "call_error")
    assert (body["error_code"], body["error_description"]) == ("NotSupported", "no such feature")


async def test_a_call_that_nobody_answers_ends_and_may_have_had_its_effect(hurried):
    await connected(hurried)
    answer = await hurried.http.post("/api/v1/ocpp/ST-1/Reset", json={"type": "Hard"})
    assert (answer.status_code, answer.json()["code"], answer.json()["in_doubt"]) == (504, "no_answer", True)


async def test_the_key_of_a_call_that_may_have_had_its_effect_stays_taken(hurried):
    await connected(hurried)
    headers = {"Idempotency-Key": "k-1"}
    await hurried.http.post("/api/v1/ocpp/ST-1/Reset", json={"type": "Hard"}, headers=headers)
    again = await hurried.http.post("/api/v1/ocpp/ST-1/Reset", json={"type": "Hard"}, headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "in_progress")
    assert len([c for c in hurried.core.heard.of(Command) if c.action == "OCPP_CALL"]) == 1


async def test_a_call_repeated_with_its_key_is_sent_once(web, station):
    call = await asked(web, "Reset", {"type": "Soft"}, **{"Idempotency-Key": "k-1"})
    command = await web.core.command("OCPP_CALL")
    await web.core.reply(command, CommandOutcome.CALL_RESULT, payload={"status": "Accepted"})
    first = await call
    again = await web.http.post("/api/v1/ocpp/ST-1/Reset", json={"type": "Soft"}, headers={"Idempotency-Key": "k-1"})
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert len([c for c in web.core.heard.of(Command) if c.action == "OCPP_CALL"]) == 1


async def test_a_payload_that_breaks_the_schema_is_refused_with_the_place_and_not_sent(web, station):
    answer = await web.http.post("/api/v1/ocpp/ST-1/Reset", json={"type": "Sideways"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/type"
    missing = await web.http.post("/api/v1/ocpp/ST-1/ChangeAvailability", json={"connectorId": 1})
    assert missing.status_code == 422
    assert not [c for c in web.core.heard.of(Command) if c.action == "OCPP_CALL"]


async def test_a_payload_is_held_to_the_charge_points_own_version(web):
    await connected(web, version="2.0.1")
    answer = await web.http.post("/api/v1/ocpp/ST-1/Reset", json={"type": "Soft"})
    assert answer.status_code == 422
    call = await asked(web, "Reset", {"type": "OnIdle"})
    command = await web.core.command("OCPP_CALL")
    await web.core.reply(command, CommandOutcome.CALL_RESULT, payload={"status": "Scheduled"})
    assert (await call).json() == {"status": "Scheduled"}


@pytest.mark.parametrize("action", ["Frobnicate", "BootNotification", "GetVariables", "reset"])
async def test_an_operation_that_no_central_system_initiates_in_that_version_is_unknown(web, station, action):
    answer = await web.http.post(f"/api/v1/ocpp/ST-1/{action}", json={})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_action")
    assert "RemoteStartTransaction" in answer.json()["detail"]


async def test_a_charge_point_that_cannot_be_called_is_told_as_unknown_or_not_connected(web, station):
    await web.activated("CP-001")
    unknown = await web.http.post("/api/v1/ocpp/ST-404/Reset", json={"type": "Soft"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_charge_point")
    engine = await web.http.post("/api/v1/ocpp/CP-001/Reset", json={"type": "Soft"})
    assert (engine.status_code, engine.json()["code"]) == (409, "not_connected")
    await station.says(0, DISCONNECTED)
    while (await web.core.known_states())["ST-1"] != "DISCONNECTED":
        await asyncio.sleep(0)
    away = await web.http.post("/api/v1/ocpp/ST-1/Reset", json={"type": "Soft"})
    assert (away.status_code, away.json()["code"]) == (409, "not_connected")


async def test_a_station_that_is_registered_and_has_never_connected_is_known(web):
    await web.http.post("/api/v1/ocpp-stations", json={"cp_id": "ST-1"})
    shown = (await web.http.get("/cp/ST-1")).json()
    assert (shown["state"], shown["source"], shown["last_seen"]) == ("DISCONNECTED", "ocpp", None)
    assert [point["cp_id"] for point in (await web.http.get("/cp")).json()] == ["ST-1"]
    for path in ("transactions", "reservations", "frames"):
        answer = await web.http.get(f"/api/v1/ocpp/ST-1/{path}")
        assert (answer.status_code, answer.json()) == (200, [])
    answer = await web.http.post("/api/v1/ocpp/ST-1/Reset", json={"type": "Soft"})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_connected")
    assert "never connected: have it connect to the gateway" in answer.json()["detail"]
    orders = {"start": {"driver_id": "driver-zoe"}, "stop": None, "resume": None, "inject": {"kind": "fault"}}
    for order, body in orders.items():
        answer = await web.http.post(f"/cp/ST-1/{order}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "state_forbids"), order
        assert "connect to the gateway, first" in answer.json()["detail"]
    assert (await web.http.post("/cp/ST-1/health", json={"healthy": True})).status_code == 200


async def test_a_station_that_never_connected_is_forgotten_with_its_registration(web):
    await web.http.post("/api/v1/ocpp-stations", json={"cp_id": "ST-1"})
    assert (await web.http.delete("/api/v1/ocpp-stations/ST-1")).status_code == 204
    assert (await web.http.get("/cp/ST-1")).status_code == 404
    answers = [
        await web.http.post("/api/v1/ocpp/ST-1/Reset", json={"type": "Soft"}),
        await web.http.post("/cp/ST-1/start", json={"driver_id": "driver-zoe"}),
        await web.http.get("/api/v1/ocpp/ST-1/transactions"),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "unknown_charge_point")}


async def test_one_that_has_been_connected_stays_known_without_its_registration(web, station):
    await web.http.post("/api/v1/ocpp-stations", json={"cp_id": "ST-1"})
    await web.http.delete("/api/v1/ocpp-stations/ST-1")
    assert (await web.http.get("/cp/ST-1")).json()["state"] == "ACTIVATED"


async def test_a_station_that_was_registered_before_it_counted_as_a_charge_point_is_entered_at_the_start(web):
    async with web.core.database.begin() as transaction:
        row = StationRow(cp_id="ST-1", security_profile=0, boot_status="Accepted", created_at=NOW, changed_at=NOW)
        await save_station(transaction, row)
    answer = await web.http.post("/api/v1/ocpp/ST-1/Reset", json={"type": "Soft"})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_connected")
    await web.registry.announce()
    assert await web.core.known_states() == {"ST-1": "DISCONNECTED"}


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_a_time_that_is_none_is_refused_before_anything_is_sent(web, version):
    await connected(web, version=version)
    payload = (
        {"connectorId": 1, "expiryDate": "tomorrow", "idTag": "TAG", "reservationId": 1}
        if version == "1.6"
        else {"id": 1, "expiryDateTime": "tomorrow", "idToken": {"idToken": "TAG", "type": "Central"}}
    )
    answer = await web.http.post("/api/v1/ocpp/ST-1/ReserveNow", json=payload)
    (problem,) = answer.json()["errors"]
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert problem["pointer"] == ("#/expiryDate" if version == "1.6" else "#/expiryDateTime")
    assert problem["detail"] == "expected a date and time with its zone, as in 2026-01-31T12:00:00Z, got 'tomorrow'"
    assert web.core.heard.of(Command) == []


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"{", b""])
async def test_what_is_no_json_object_is_refused(web, station, body):
    answer = await web.http.post("/api/v1/ocpp/ST-1/Reset", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)


async def test_calling_needs_the_token_where_one_is_set(guarded):
    answer = await guarded.http.post("/api/v1/ocpp/ST-1/Reset", json={"type": "Soft"})
    assert answer.status_code == 401


async def test_operators_start_stop_resume_and_inject_at_a_station_as_at_an_engine(web, station):
    started = await web.http.post("/cp/ST-1/start", json={"driver_id": "driver-zoe", "connector_id": 1})
    assert started.status_code == 202
    start = await web.core.command("START_SUPPLY", "ST-1")
    assert (start.command_id, start.id_tag) == (started.json()["command_id"], "driver-zoe")
    await station.begins(start.session_id, driver_id="driver-zoe")
    await web.state("ST-1", "SUPPLYING")
    ended = await web.http.post(f"/api/v1/sessions/{start.session_id}/stop")
    assert ended.status_code == 202
    stop = await web.core.command("STOP_SUPPLY", "ST-1")
    assert (stop.session_id, stop.connector_id) == (start.session_id, 1)
    for path, action in (("stop", "STOP_CP"), ("resume", "RESUME_CP")):
        assert (await web.http.post(f"/cp/ST-1/{path}")).status_code == 202
        await web.core.command(action, "ST-1")
    assert (await web.http.post("/cp/ST-1/inject", json={"kind": "fault"})).status_code == 202
    assert (await web.core.command("INJECT", "ST-1")).payload == {"kind": "fault"}


async def keep_transactions(web: WebRig, count: int) -> None:
    async with web.gateway.begin() as transaction:
        for number in range(1, count + 1):
            ended = number < count
            at = web.clock() + timedelta(minutes=number)
            await transaction.execute(
                tables.transactions.insert().values(
                    session_id=f"s-{number}",
                    cp_id="ST-1",
                    transaction_id=str(number),
                    number=number,
                    content_key=f"k-{number}",
                    connector_id=1,
                    id_tag="ABC123",
                    meter_start_wh=Decimal("1000.5"),
                    meter_stop_wh=Decimal(2000) if ended else None,
                    started_at=at,
                    stopped_at=at + timedelta(minutes=5) if ended else None,
                    stop_reason="Local" if ended else None,
                    created_at=at,
                )
            )


async def test_transactions_are_listed_newest_first_in_pages(web, station):
    await keep_transactions(web, 3)
    first = await web.http.get("/api/v1/ocpp/ST-1/transactions?limit=2")
    assert [t["transaction_id"] for t in first.json()] == [3, 2]
    assert first.json()[0] == {
        "transaction_id": 3,
        "connector_id": 1,
        "id_tag": "ABC123",
        "meter_start_wh": 1000.5,
        "meter_stop_wh": None,
        "started_at": "2026-03-01T12:03:00.000Z",
        "stopped_at": None,
        "stop_reason": None,
        "session_id": "s-3",
    }
    rest = await web.http.get(first.links["next"]["url"])
    assert [(t["transaction_id"], t["stop_reason"]) for t in rest.json()] == [(1, "Local")]
    assert "next" not in rest.links


async def test_a_charge_point_without_transactions_has_an_empty_list_and_an_unknown_one_none(web, station):
    for what in ("transactions", "reservations"):
        assert (await web.http.get(f"/api/v1/ocpp/ST-1/{what}")).json() == []
        unknown = await web.http.get(f"/api/v1/ocpp/ST-404/{what}")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_charge_point")


async def test_reservations_are_listed_and_one_past_its_time_is_expired(web, station):
    async with web.gateway.begin() as transaction:
        for number, (status, minutes) in enumerate((("Active", 15), ("Active", -1), ("Used", -5)), start=1):
            await transaction.execute(
                tables.reservations.insert().values(
                    cp_id="ST-1",
                    reservation_id=number,
                    connector_id=1,
                    id_tag="ABC123",
                    expires_at=web.clock() + timedelta(minutes=minutes),
                    status=status,
                    created_at=web.clock() + timedelta(seconds=number),
                    changed_at=web.clock(),
                )
            )
    page = await web.http.get("/api/v1/ocpp/ST-1/reservations?limit=2")
    assert [(r["reservation_id"], r["status"]) for r in page.json()] == [(3, "Used"), (2, "Expired")]
    rest = await web.http.get(page.links["next"]["url"])
    assert rest.json() == [
        {
            "reservation_id": 1,
            "id_tag": "ABC123",
            "connector_id": 1,
            "expires_at": "2026-03-01T12:15:00.000Z",
            "status": "Active",
        }
    ]


@pytest.mark.parametrize(
    "cursor", ["abc", "OTk=", "MjAyNi0wMy0wMVQxMjowMDowMHx4", "MjAyNi0wMy0wMVQxMjowMDowMCswMDowMHx4"]
)
async def test_a_cursor_that_no_page_gave_is_refused(web, station, cursor):
    answer = await web.http.get(f"/api/v1/ocpp/ST-1/reservations?cursor={cursor}")
    assert answer.status_code == 422


async def test_without_the_gateways_database_transactions_are_unavailable_and_calls_go_on(web, station):
    async with web.gateway.outage():
        answer = await web.http.get("/api/v1/ocpp/ST-1/transactions")
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert (await told(web, CommandOutcome.CALL_RESULT, payload={"status": "Accepted"})).status_code == 200
