from __future__ import annotations

import csv
import io
import json

import pytest

from evcharging.messages.drivers import DriverUpdate


async def completed(web, cp_id: str, *, driver_id: str = "driver-alice") -> str:
    command = await web.supplying(cp_id, driver_id=driver_id)
    await web.core.interval(command, 1, energy_wh=1000.0, solar_wh=400.0, grid_wh=600.0)
    await web.core.end(command, 1)
    await web.core.update(await request_of(web, command), "COMPLETED")
    await web.state(cp_id, "ACTIVATED")
    web.clock.advance(60)
    return str(command.session_id)


async def request_of(web, command) -> str:
    return (await web.core.operations.session(command.session_id)).request_id


async def test_a_session_has_every_field_its_readers_are_promised(web):
    await web.activated("CP-001")
    session_id = await completed(web, "CP-001")
    session = (await web.http.get(f"/api/v1/sessions/{session_id}")).json()
    assert {
        "session_id": session_id,
        "cp_id": "CP-001",
        "station_id": "CP-001",
        "connector_id": 1,
        "driver_id": "driver-alice",
        "status": "COMPLETED",
        "reason": "time_elapsed",
        "kwh": 1.0,
        "solar_kwh": 0.4,
        "grid_kwh": 0.6,
        "cost": 0.3,
        "currency": "EUR",
        "source": "engine",
    }.items() <= session.items()
    assert {"request_id", "started_at", "ended_at"} <= set(session)
    assert session["started_at"].endswith("Z")


async def test_sessions_come_newest_first_in_pages(web):
    await web.activated("CP-001")
    made = [await completed(web, "CP-001") for _ in range(3)]
    first = await web.http.get("/api/v1/sessions?limit=2")
    assert [s["session_id"] for s in first.json()] == [made[2], made[1]]
    second = await web.http.get(first.links["next"]["url"])
    assert [s["session_id"] for s in second.json()] == [made[0]]
    assert "next" not in second.links


async def test_sessions_are_narrowed_down(web):
    await web.activated("CP-001", "CP-002")
    await completed(web, "CP-001")
    await completed(web, "CP-002", driver_id="bob & co")
    await web.supplying("CP-001")

    async def found(**query: str) -> list[tuple[str, str]]:
        answer = await web.http.get("/api/v1/sessions", params=query)
        return [(s["cp_id"], s["status"]) for s in answer.json()]

    assert await found(station_id="CP-002") == [("CP-002", "COMPLETED")]
    assert await found(driver_id="bob & co") == [("CP-002", "COMPLETED")]
    assert await found(status="ACTIVE") == [("CP-001", "ACTIVE")]
    assert await found(station_id="CP-9") == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "format=xml",
        "status=RUNNING",
        "station_id=a b",
        "driver_id=%00",
        "cursor=Zm9v",
        "cursor=%",
        "cursor=AAAA",
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(web, query):
    answer = await web.http.get(f"/api/v1/sessions?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_csv_and_json_lines_give_everything_in_one_answer(web, monkeypatch):
    monkeypatch.setattr("evcharging.apps.ev_central.api.sessions.ROWS_A_READ", 2)
    await web.activated("CP-001")
    made = [await completed(web, "CP-001") for _ in range(5)][::-1]
    answer = await web.http.get("/api/v1/sessions?format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["session_id"] for row in rows] == made
    assert (rows[0]["kwh"], rows[0]["cost"]) == ("1.0", "0.3")
    answer = await web.http.get("/api/v1/sessions?format=jsonl&limit=3")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["session_id"] for line in lines] == made[:3]
    assert lines[0] == (await web.http.get(f"/api/v1/sessions/{made[0]}")).json()


async def test_a_drivers_id_is_no_formula_in_a_spreadsheet(web):
    await web.activated("CP-001")
    await completed(web, "CP-001", driver_id='=HYPERLINK("http://x")')
    rows = list(csv.DictReader(io.StringIO((await web.http.get("/api/v1/sessions?format=csv")).text)))
    assert rows[0]["driver_id"] == '\'=HYPERLINK("http://x")'


async def test_an_unknown_session_is_not_found(web):
    for answer in (await web.http.get("/api/v1/sessions/nix"), await web.http.post("/api/v1/sessions/nix/stop")):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_session")


async def test_a_running_session_is_ended_and_an_ended_one_refused(web):
    await web.activated("CP-001")
    command = await web.supplying("CP-001")
    answer = await web.http.post(f"/api/v1/sessions/{command.session_id}/stop")
    assert answer.status_code == 202
    stop = await web.core.command("STOP_SUPPLY")
    assert (stop.command_id, stop.session_id) == (answer.json()["command_id"], command.session_id)
    await web.core.end(command, 0, reason="operator_stop")
    await web.core.heard.wait_for(DriverUpdate, lambda update: update.status.is_final)
    answer = await web.http.post(f"/api/v1/sessions/{command.session_id}/stop")
    assert (answer.status_code, answer.json()["code"]) == (409, "state_forbids")
