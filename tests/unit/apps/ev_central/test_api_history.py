from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest

from evcharging.apps.ev_central.api.paging import sealed_cursor
from evcharging.store.history import writing
from evcharging.store.history.rows import FrameRow, LogRow, SnapshotRow


async def past(web, seconds: int, *, station_id: str = "PY-SIM-0001") -> None:
    """A line each second, a snapshot each ten."""
    start = web.clock()
    lines = [
        LogRow(station_id=station_id, ts=start + timedelta(seconds=number), line=f"line {number}")
        for number in range(seconds)
    ]
    snapshots = [
        SnapshotRow(station_id=station_id, ts=start + timedelta(seconds=number), kw=7.0, kwh=number / 10)
        for number in range(0, seconds, 10)
    ]
    async with web.history.begin() as transaction:
        await writing.add_logs(transaction, lines)
        await writing.add_snapshots(transaction, snapshots)


async def frames(web, count: int, cp_id: str = "CP-001") -> None:
    rows = [
        FrameRow(
            cp_id=cp_id,
            ts=web.clock() + timedelta(seconds=number),
            direction="in",
            message_type=2,
            action="Heartbeat",
            message_id=str(number),
            frame=[2, str(number), "Heartbeat", {}],
        )
        for number in range(count)
    ]
    async with web.history.begin() as transaction:
        await writing.add_frames(transaction, rows)


async def test_a_stations_history_comes_newest_first(web):
    await past(web, 20)
    assert (await web.http.get("/api/v1/history/PY-SIM-0001?limit=2")).json() == {
        "station_id": "PY-SIM-0001",
        "logs": ["line 19", "line 18"],
        "snapshots": [
            {"ts": "2026-03-01T12:00:10.000Z", "kw": 7.0, "kwh": 1.0},
            {"ts": "2026-03-01T12:00:00.000Z", "kw": 7.0, "kwh": 0.0},
        ],
    }


async def test_pages_lead_through_the_whole_history_and_end(web):
    await past(web, 25)
    logs: list[str] = []
    snapshots: list[float] = []
    url: str | None = "/api/v1/history/PY-SIM-0001?limit=10"
    pages = 0
    while url is not None:
        answer = await web.http.get(url)
        logs += answer.json()["logs"]
        snapshots += [snapshot["kwh"] for snapshot in answer.json()["snapshots"]]
        url = answer.links.get("next", {}).get("url")
        pages += 1
    assert pages == 3
    assert logs == [f"line {number}" for number in range(24, -1, -1)]
    assert snapshots == [2.0, 1.0, 0.0]


async def test_a_time_can_be_cut_out(web):
    await past(web, 20)
    answer = await web.http.get(
        "/api/v1/history/PY-SIM-0001", params={"since": "2026-03-01T12:00:05Z", "until": "2026-03-01T12:00:08Z"}
    )
    assert answer.json()["logs"] == ["line 7", "line 6", "line 5"]
    assert answer.json()["snapshots"] == []


async def test_the_whole_history_as_csv_tells_lines_and_snapshots_apart(web):
    await past(web, 1_201)
    answer = await web.http.get("/api/v1/history/PY-SIM-0001?format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "history.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 1_201 + 121
    moments = [row["ts"] for row in rows]
    assert moments == sorted(moments, reverse=True)
    assert rows[0] == {"type": "log", "ts": "2026-03-01T12:20:00.000Z", "line": "line 1200", "kw": "", "kwh": ""}
    assert rows[1]["type"] == "snapshot"
    assert (rows[1]["kw"], rows[1]["kwh"], rows[1]["line"]) == ("7.0", "120.0", "")


async def test_a_history_as_json_lines_takes_a_limit_for_each_kind(web):
    await past(web, 100)
    answer = await web.http.get("/api/v1/history/PY-SIM-0001?format=jsonl&limit=3")
    entries = [json.loads(line) for line in answer.text.splitlines()]
    assert [entry["type"] for entry in entries] == ["log", "log", "log", "snapshot", "snapshot", "snapshot"]
    assert entries[0] == {"type": "log", "ts": "2026-03-01T12:01:39.000Z", "line": "line 99"}


async def test_a_charge_point_that_has_no_past_yet_has_an_empty_one(web):
    await web.activated("CP-001")
    answer = await web.http.get("/api/v1/history/CP-001")
    assert answer.json() == {"station_id": "CP-001", "logs": [], "snapshots": []}
    assert (await web.http.get("/api/v1/history/CP-001?format=jsonl")).text == ""


async def test_a_station_nobody_knows_has_no_history(web):
    for form in ("json", "csv", "jsonl"):
        answer = await web.http.get(f"/api/v1/history/nobody?format={form}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_station")


async def test_without_its_database_the_history_says_so(web):
    await past(web, 3)
    async with web.history.outage():
        for form in ("json", "csv"):
            answer = await web.http.get(f"/api/v1/history/PY-SIM-0001?format={form}")
            assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert (await web.http.get("/api/v1/history/PY-SIM-0001")).status_code == 200


async def test_a_formula_in_a_log_stays_a_text_in_a_spreadsheet(web):
    async with web.history.begin() as transaction:
        row = LogRow(station_id="ST", ts=web.clock(), line="=cmd()")
        await writing.add_logs(transaction, [row])
    assert "'=cmd()" in (await web.http.get("/api/v1/history/ST?format=csv")).text


async def test_frames_come_newest_first_in_pages(web):
    await frames(web, 3)
    first = await web.http.get("/api/v1/ocpp/CP-001/frames?limit=2")
    assert first.json()[0] == {
        "ts": "2026-03-01T12:00:02.000Z",
        "cp_id": "CP-001",
        "direction": "in",
        "message_type": 2,
        "action": "Heartbeat",
        "message_id": "2",
        "frame": [2, "2", "Heartbeat", {}],
    }
    second = await web.http.get(first.links["next"]["url"])
    assert [frame["message_id"] for frame in (*first.json(), *second.json())] == ["2", "1", "0"]
    assert "next" not in second.links


async def test_frames_as_files(web):
    await frames(web, 600)
    lines = (await web.http.get("/api/v1/ocpp/CP-001/frames?format=jsonl")).text.splitlines()
    assert (len(lines), json.loads(lines[-1])["frame"]) == (600, [2, "0", "Heartbeat", {}])
    rows = list(csv.DictReader(io.StringIO((await web.http.get("/api/v1/ocpp/CP-001/frames?format=csv")).text)))
    assert json.loads(rows[0]["frame"]) == [2, "599", "Heartbeat", {}]


async def test_a_charge_point_without_frames_has_none_one_that_is_unknown_is_not_found(web):
    await web.activated("CP-001")
    assert (await web.http.get("/api/v1/ocpp/CP-001/frames")).json() == []
    answer = await web.http.get("/api/v1/ocpp/nobody/frames")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_charge_point")


@pytest.mark.parametrize(
    "query", ["limit=0", "since=yesterday", "since=2026-03-01T12:00:00", "format=xml", "cursor=Q1A=", "colour=red"]
)
async def test_a_question_that_makes_no_sense_is_refused(web, query):
    answer = await web.http.get(f"/api/v1/history/PY-SIM-0001?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_cursor_beyond_any_database_is_refused(web):
    for position in ("9" * 30 + ".1", "1.-1", "1", "1.2.3"):
        answer = await web.http.get(f"/api/v1/history/PY-SIM-0001?cursor={sealed_cursor(position)}")
        assert answer.status_code == 422, position
