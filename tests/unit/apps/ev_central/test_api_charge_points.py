from __future__ import annotations

import json

import pytest

from evcharging.domain.states import ChargePointState
from evcharging.messages.commands import Command

FIELDS = [
    "cp_id",
    "state",
    "connectors",
    "source",
    "driver_id",
    "session_id",
    "kw",
    "kwh",
    "cost",
    "currency",
    "soc",
    "temperature_c",
    "last_seen",
    "healthy",
]


async def test_the_list_is_a_plain_array_of_charge_points_by_id(web):
    await web.activated("CP-002", "CP-001")
    answer = await web.http.get("/cp")
    assert answer.status_code == 200
    assert [cp["cp_id"] for cp in answer.json()] == ["CP-001", "CP-002"]
    assert list(answer.json()[0]) == FIELDS
    assert "link" not in answer.headers


async def test_pages_lead_through_the_whole_list(web):
    await web.activated(*(f"CP-{number:03d}" for number in range(1, 6)))
    found: list[str] = []
    url = "/cp?limit=2"
    pages = 0
    while url:
        answer = await web.http.get(url)
        found += [cp["cp_id"] for cp in answer.json()]
        url = answer.links.get("next", {}).get("url", "")
        pages += 1
    assert (found, pages) == ([f"CP-{number:03d}" for number in range(1, 6)], 3)


@pytest.mark.parametrize("query", ["limit=0", "limit=10001", "limit=x", "cursor=%21", "cursor=abc", "colour=red"])
async def test_a_query_that_makes_no_sense_is_refused_and_named(web, query):
    answer = await web.http.get(f"/cp?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"query/{query.partition('=')[0]}"


async def test_one_charge_point_with_its_running_session(web):
    await web.activated("CP-001")
    command = await web.supplying("CP-001")
    await web.metered(command, 1, soc=0.31)
    record = (await web.http.get("/cp/CP-001")).json()
    assert (record["state"], record["driver_id"], record["session_id"]) == (
        "SUPPLYING",
        "driver-alice",
        command.session_id,
    )
    assert (record["kw"], record["kwh"], record["cost"], record["currency"]) == (22.0, 0.0061, 0.0, "EUR")
    assert record["connectors"] == [{"connector_id": 1, "state": "SUPPLYING", "session_id": command.session_id}]


async def test_an_unknown_charge_point_is_not_found(web):
    answer = await web.http.get("/cp/CP-9")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_charge_point")
    assert (await web.http.get("/cp/a%20b")).status_code == 422


async def test_telemetry_is_the_latest_record_of_each_that_has_one(web):
    await web.activated("CP-001", "CP-002", "CP-003")
    for cp_id in ("CP-001", "CP-003"):
        command = await web.supplying(cp_id)
        await web.metered(command, 1)
        await web.metered(command, 2)
    first = await web.http.get("/telemetry?limit=1")
    assert [(t["cp_id"], t["seq"]) for t in first.json()] == [("CP-001", 2)]
    second = await web.http.get(first.links["next"]["url"])
    assert [t["cp_id"] for t in second.json()] == ["CP-003"]
    assert "next" not in second.links


async def test_registering_is_201_the_first_time_and_200_after_it(web):
    body = {"cp_id": "CP-001", "location": "Car park", "price_per_kwh": 0.3, "rating_kw": 22}
    first = await web.http.post("/cp/register", json=body)
    again = await web.http.post("/cp/register", json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert (first.json(), again.json()) == ({"cp_id": "CP-001", "new": True}, {"cp_id": "CP-001", "new": False})
    assert first.headers["location"] == "/cp/CP-001"
    shown = (await web.http.get("/cp/CP-001")).json()
    assert (shown["state"], shown["healthy"]) == ("DISCONNECTED", None)


async def test_bad_health_becomes_a_fault_and_good_health_heals_it(web):
    await web.activated("CP-001")
    answer = await web.http.post("/cp/CP-001/health", json={"healthy": False, "detail": "engine_unreachable"})
    assert (answer.status_code, answer.json()) == (200, {"cp_id": "CP-001", "healthy": False})
    await web.record("CP-001", lambda r: r["state"] is ChargePointState.FAULT and r["healthy"] is False)
    web.clock.advance(1)
    await web.http.post("/cp/CP-001/health", json={"healthy": True, "latency_ms": 3.5})
    await web.record("CP-001", lambda r: r["state"] is ChargePointState.ACTIVATED and r["healthy"] is True)


async def test_health_of_a_charge_point_that_was_never_registered_is_refused(web):
    answer = await web.http.post("/cp/CP-9/health", json={"healthy": True})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_charge_point")


async def test_starting_enters_a_session_and_sends_the_command(web):
    await web.activated("CP-001")
    answer = await web.http.post("/cp/CP-001/start", json={"driver_id": "driver-alice", "kwh": 5})
    assert answer.status_code == 202
    command = await web.core.command("START_SUPPLY", "CP-001")
    assert answer.json() == {"command_id": command.command_id, "cp_id": "CP-001", "session_id": None}
    assert (command.driver_id, command.payload) == ("driver-alice", {"kwh": 5.0})
    sessions = (await web.http.get("/api/v1/sessions")).json()
    assert [(s["driver_id"], s["status"]) for s in sessions] == [("driver-alice", "ACTIVE")]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"driver_id": ""},
        {"driver_id": "a\u0000b"},
        {"driver_id": "a\nb"},
        {"driver_id": "a\ud800"},
        {"driver_id": "x" * 65},
        {"driver_id": "a", "kwh": 0},
        {"driver_id": "a", "kwh": 1e9},
        {"driver_id": "a", "kw": 5},
        [],
        "a",
    ],
)
async def test_a_start_that_makes_no_sense_is_refused(web, body):
    await web.activated("CP-001")
    headers = {"Content-Type": "application/json"}
    answer = await web.http.post("/cp/CP-001/start", content=json.dumps(body), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert (await web.http.get("/api/v1/sessions")).json() == []


async def test_what_the_state_forbids_is_a_conflict_that_names_the_state(web):
    await web.http.post("/cp/register", json={"cp_id": "CP-001"})
    for path, body in (("start", {"driver_id": "a"}), ("stop", None), ("resume", None), ("inject", {"kind": "fault"})):
        answer = await web.http.post(f"/cp/CP-001/{path}", json=body)
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["state"]) == (409, "state_forbids", "DISCONNECTED")


async def test_stopping_and_resuming_send_their_commands(web):
    await web.activated("CP-001")
    stopped = await web.http.post("/cp/CP-001/stop")
    assert stopped.status_code == 202
    assert (await web.core.command("STOP_CP")).command_id == stopped.json()["command_id"]
    await web.core.status("CP-001", ChargePointState.STOPPED, connector_id=0)
    await web.state("CP-001", "STOPPED")
    resumed = await web.http.post("/cp/CP-001/resume")
    assert (await web.core.command("RESUME_CP")).command_id == resumed.json()["command_id"]


async def test_all_charge_points_are_stopped_at_once(web):
    await web.activated("CP-001", "CP-002")
    answer = await web.http.post("/cp/stop")
    assert (answer.status_code, answer.json()["count"]) == (202, 2)
    for cp_id in ("CP-001", "CP-002"):
        assert (await web.core.command("STOP_CP", cp_id)).command_id in answer.json()["command_ids"]
    answer = await web.http.post("/cp/resume")
    assert answer.json()["count"] == 2


async def test_an_event_is_injected_with_what_belongs_to_it(web):
    await web.activated("CP-001")
    answer = await web.http.post("/cp/CP-001/inject", json={"kind": "fault", "code": "ground_fault", "seconds": 5})
    assert answer.status_code == 202
    command = await web.core.heard.wait_for(Command, lambda c: c.action == "INJECT")
    assert command.payload == {"kind": "fault", "code": "ground_fault", "seconds": 5}


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "Fault!"},
        {"kind": "fault", "cp_id": "CP-002"},
        {"kind": "fault", "self": 1},
        {"kind": "fault", "x": [1]},
        {"kind": "fault", "x": 1e300},
        {"kind": "fault", "x": "y" * 201},
        {"kind": "fault", "x": "\u0000"},
        {"kind": "fault", "not a name": 1},
        {"kind": "fault", **{f"x{number}": 1 for number in range(17)}},
    ],
)
async def test_an_event_with_things_that_do_not_belong_there_is_refused(web, body):
    await web.activated("CP-001")
    assert (await web.http.post("/cp/CP-001/inject", json=body)).status_code == 422
