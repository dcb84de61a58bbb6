from __future__ import annotations

import asyncio
from typing import Any

from evcharging.domain.states import ChargePointState
from evcharging.messages.network import SwarmDesired, SwarmLog, SwarmStatus
from evcharging.messages.topics import SWARM_LOG, SWARM_STATUS
from evcharging.store.history import writing
from evcharging.store.history.rows import LogRow
from tests.support.central import a_moment
from tests.support.web import MOST_STATIONS


async def line(web, line: str, station_id: str = "PY-SIM-0001") -> None:
    message = SwarmLog(ts=web.clock(), station_id=station_id, line=line)
    await web.core.publish(SWARM_LOG, message, event_id=f"{station_id}-{line}")


async def status(web, station_id: str, **more: Any) -> None:
    values = {"ts": web.clock(), "station_id": station_id, "state": "charging", "profile": "default"}
    await web.core.publish(SWARM_STATUS, SwarmStatus(**{**values, **more}))


async def until(condition) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await a_moment()


async def test_the_swarm_is_scaled_up_and_down(web):
    answer = await web.http.post("/stations/scale", json={"count": 3, "profile": "idle"})
    assert (answer.status_code, answer.json()) == (200, {"count": 3, "profile": "idle", "started": 3, "stopped": 0})
    answer = await web.http.post("/stations/scale", json={"count": 1})
    assert answer.json() == {"count": 1, "profile": "default", "started": 0, "stopped": 2}
    stations = (await web.http.get("/stations")).json()
    assert [station["station_id"] for station in stations] == ["PY-SIM-0001", "PY-SIM-0002", "PY-SIM-0003"]


async def test_a_station_has_every_field_its_readers_are_promised_and_no_other(web):
    await web.http.post("/stations/start", json={"station_id": "PY-SIM-0099", "profile": "busy"})
    await status(
        web,
        "PY-SIM-0099",
        profile="busy",
        kw=7.36,
        kwh=12.5,
        policy={"action": "charge", "reason": "Conditions OK"},
    )
    await until(lambda: web.swarm_view.record("PY-SIM-0099")["status"] == "online")
    station = {
        "station_id": "PY-SIM-0099",
        "profile": "busy",
        "status": "online",
        "usage_kw": 7.36,
        "energy_kwh": 12.5,
        "max_energy_kwh": 40.0,
        "charge_if_price_below": 35.0,
        "allow_peak_hours": True,
        "policy": {"action": "charge", "reason": "Conditions OK"},
    }
    assert (await web.http.get("/stations")).json() == [station]
    assert (await web.http.get("/stations/PY-SIM-0099")).json() == station


async def test_a_station_is_started_and_stopped_by_its_name(web):
    started = await web.http.post("/stations/start", json={"station_id": "garage"})
    assert (started.status_code, started.json()["profile"]) == (200, "default")
    stopped = await web.http.post("/stations/stop", json={"station_id": "garage", "profile": "default"})
    assert (stopped.status_code, stopped.json()["status"]) == (200, "stopped")
    async with web.database.begin() as transaction:
        waiting = await transaction.exec_driver_sql("SELECT body FROM outbox WHERE topic = 'swarm.desired'")
        told = [SwarmDesired.from_json(body) for (body,) in waiting]
    assert [message.running for message in told] == [True, False]


async def test_stations_come_in_pages(web):
    await web.http.post("/stations/scale", json={"count": 5})
    first = await web.http.get("/stations?limit=3")
    second = await web.http.get(first.links["next"]["url"])
    assert [s["station_id"][-1] for s in (*first.json(), *second.json())] == ["1", "2", "3", "4", "5"]
    assert "next" not in second.links


async def test_a_station_nobody_vouches_for_any_more_is_not_online(web):
    await status(web, "PY-SIM-0001", holds_s=30)
    await until(lambda: "PY-SIM-0001" in web.swarm_view)
    assert (await web.http.get("/stations")).json()[0]["status"] == "online"
    web.clock.advance(31)
    assert (await web.http.get("/stations")).json()[0]["status"] == "stopped"


async def test_a_log_ends_with_its_newest_line_and_has_fifty_at_most(web):
    for number in range(60):
        await line(web, f"[12:00:{number:02d}] line")
    await until(lambda: web.swarm_view.lines("PY-SIM-0001")[-1:] == ["[12:00:59] line"])
    answer = (await web.http.get("/stations/PY-SIM-0001/logs")).json()
    assert (answer["station_id"], answer["count"], len(answer["logs"])) == ("PY-SIM-0001", 50, 50)
    assert (answer["logs"][0], answer["logs"][-1]) == ("[12:00:10] line", "[12:00:59] line")


async def test_a_station_that_is_silent_since_a_restart_shows_what_the_history_has(web):
    await web.http.post("/stations/start", json={"station_id": "PY-SIM-0001"})
    async with web.history.begin() as transaction:
        rows = [LogRow(station_id="PY-SIM-0001", ts=web.clock(), line=str(number)) for number in range(60)]
        await writing.add_logs(transaction, rows)
    answer = (await web.http.get("/stations/PY-SIM-0001/logs")).json()
    assert (answer["count"], answer["logs"][-1]) == (50, "59")
    async with web.history.outage():
        assert (await web.http.get("/stations/PY-SIM-0001/logs")).json()["count"] == 0


async def test_a_station_nobody_knows_is_not_found(web):
    for answer in (
        await web.http.get("/stations/PY-SIM-0001"),
        await web.http.get("/stations/PY-SIM-0001/logs"),
        await web.http.post("/stations/stop", json={"station_id": "PY-SIM-0001"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_station")


async def test_what_cannot_be_is_refused_and_says_what_would_do(web):
    for body, code in (
        ({"count": MOST_STATIONS + 1}, "too_many_stations"),
        ({"count": 1, "profile": "lazy"}, "unknown_profile"),
        ({"count": -1}, "invalid_request"),
        ({"count": "many"}, "invalid_request"),
        ({}, "invalid_request"),
        ({"count": 1, "colour": "red"}, "invalid_request"),
    ):
        answer = await web.http.post("/stations/scale", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, code), body
    assert (
        "--swarm-most-stations"
        in ((await web.http.post("/stations/scale", json={"count": MOST_STATIONS + 1})).json()["detail"])
    )
    for station_id in ("", "a/b", "x" * 49, "blank blank"):
        answer = await web.http.post("/stations/start", json={"station_id": station_id})
        assert answer.status_code == 422, station_id


async def test_scaling_needs_the_token_where_one_is_set(guarded):
    assert (await guarded.http.post("/stations/scale", json={"count": 1})).status_code == 401
    answer = await guarded.http.post("/stations/scale", json={"count": 1}, headers={"Authorization": "Bearer s3cret"})
    assert answer.status_code == 200


async def test_without_a_database_a_scale_is_refused_and_the_list_stays(web):
    await web.http.post("/stations/scale", json={"count": 2})
    async with web.database.outage():
        assert (await web.http.post("/stations/scale", json={"count": 3})).status_code == 503
        assert len((await web.http.get("/stations")).json()) == 2


async def test_totals_include_the_swarm(web):
    await web.http.post("/stations/scale", json={"count": 2})
    await status(web, "PY-SIM-0001", register_wh=4_000.0)
    await until(lambda: web.swarm_view.record("PY-SIM-0001")["status"] == "online")
    totals = (await web.http.get("/totals")).json()
    assert (totals["energy_kwh"], totals["stations"], totals["running"]) == (4.0, 2, 1)


async def test_a_station_cannot_be_started_under_the_id_of_an_engine(web):
    await web.activated("CP-001")
    refused = await web.http.post("/stations/start", json={"station_id": "CP-001"})
    assert (refused.status_code, refused.json()["code"]) == (409, "id_taken")
    assert "CP-001" in refused.json()["detail"]
    assert (await web.http.get("/stations")).json() == []


async def test_an_id_whose_engine_has_left_may_become_a_station(web):
    await web.activated("CP-001")
    await web.core.status("CP-001", ChargePointState.DISCONNECTED, connector_id=0)
    await web.state("CP-001", "DISCONNECTED")
    while (await web.core.known_states())["CP-001"] != "DISCONNECTED":
        await a_moment()
    started = await web.http.post("/stations/start", json={"station_id": "CP-001"})
    assert started.status_code == 200
