"""Central's HTTP and WebSocket over a real port."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from evcharging.apps.ev_central.api.app import live_feed
from evcharging.apps.ev_central.live import TICKS_KEPT
from evcharging.domain.states import ChargePointState
from evcharging.messages.network import SwarmLog
from evcharging.messages.topics import SWARM_LOG
from tests.support.central import a_moment
from tests.support.web import PATIENCE_S, WebRig, running_web


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[WebRig]:
    async with running_web(tmp_path) as rig:
        yield rig


@pytest.fixture
async def address(web: WebRig) -> AsyncIterator[str]:
    async with web.listening() as address:
        yield address


async def hear(socket: ClientConnection, **wanted: Any) -> dict[str, Any]:
    """The next message that is as wanted; others are passed over."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            message = json.loads(await socket.recv())
            if wanted.items() <= message.items():
                return dict(message)


async def test_a_browser_is_sent_the_network_then_what_changes(web, address):
    await web.activated("CP-001", "CP-002")
    async with connect(f"ws://{address}/ws") as socket:
        snapshot = json.loads(await socket.recv())
        assert snapshot["type"] == "snapshot"
        assert [(cp["unit_id"], cp["state"]) for cp in snapshot["cp"]] == [
            ("CP-001", "ACTIVATED"),
            ("CP-002", "ACTIVATED"),
        ]
        command = await web.supplying("CP-002")
        await web.metered(command, 1, energy_wh=1000.0, grid_wh=1000.0)
        change = await hear(socket, type="cp", unit_id="CP-002", cost=0.3)
        assert (change["driver_id"], change["kw"], change["kwh"]) == ("driver-alice", 22.0, 1.0)
        totals = await hear(socket, type="totals", energy_kwh=1.0)
        assert (totals["earnings"], totals["stations"], totals["running"]) == (0.3, 2, 1)


async def test_a_browser_hears_what_became_of_a_command(web, address):
    await web.activated("CP-001")
    async with connect(f"ws://{address}/ws") as socket:
        answer = await web.http.post("/cp/CP-001/stop")
        command = await web.core.command("STOP_CP")
        await web.core.reply(command, "REJECTED", error_code="busy")
        reply = await hear(socket, type="reply", command_id=answer.json()["command_id"])
        assert (reply["outcome"], reply["error_code"]) == ("REJECTED", "busy")


async def test_one_charge_points_feed_is_about_it_alone(web, address):
    await web.activated("CP-001", "CP-002")
    async with connect(f"ws://{address}/ws?station_id=CP-001") as socket:
        assert [cp["unit_id"] for cp in json.loads(await socket.recv())["cp"]] == ["CP-001"]
        await web.core.status("CP-002", ChargePointState.FAULT, connector_id=0)
        await web.state("CP-002", "FAULT")
        await web.core.status("CP-001", ChargePointState.FAULT, connector_id=0)
        assert json.loads(await socket.recv())["unit_id"] == "CP-001"


async def say(web, line: str, station_id: str = "PY-SIM-0001") -> None:
    """One line of a station's log, seen by Central."""
    message = SwarmLog(ts=web.clock(), station_id=station_id, line=line)
    await web.core.publish(SWARM_LOG, message, event_id=f"{station_id}-{line}")
    async with asyncio.timeout(PATIENCE_S):
        while web.swarm_view.lines(station_id)[-1:] != [line]:
            await a_moment()


async def test_a_stations_log_is_its_last_lines_then_what_it_says_each_once(web, address):
    await say(web, "one")
    await say(web, "two")
    async with connect(f"ws://{address}/ws?station_id=PY-SIM-0001") as socket:
        assert json.loads(await socket.recv())["type"] == "snapshot"
        await say(web, "somebody else", "PY-SIM-0002")
        await say(web, "three")
        await say(web, "four")
        heard = [await hear(socket, type="log") for _ in range(4)]
    assert [(message["station_id"], message["line"]) for message in heard] == [
        ("PY-SIM-0001", line) for line in ("one", "two", "three", "four")
    ]


async def test_a_second_listener_to_a_log_is_told_no_line_twice_either(web, address):
    async with connect(f"ws://{address}/ws?station_id=PY-SIM-0001") as first:
        await first.recv()
        for number in range(5):
            await say(web, f"line {number}")
            async with connect(f"ws://{address}/ws?station_id=PY-SIM-0001") as second:
                await second.recv()
                await say(web, f"after {number}")
                lines = [(await hear(second, type="log"))["line"] for _ in range(2 * number + 2)]
            assert len(set(lines)) == len(lines)
        assert [(await hear(first, type="log"))["line"] for _ in range(2)] == ["line 0", "after 0"]


async def test_a_browser_sees_the_swarm_grow(web, address):
    async with connect(f"ws://{address}/ws") as socket:
        assert json.loads(await socket.recv())["stations"] == []
        await web.http.post("/stations/scale", json={"count": 2, "profile": "idle"})
        station = await hear(socket, type="station", station_id="PY-SIM-0002")
        assert (station["profile"], station["status"]) == ("idle", "stopped")
        await hear(socket, type="totals", stations=2)
    async with connect(f"ws://{address}/ws?station_id=PY-SIM-0002") as socket:
        stations = json.loads(await socket.recv())["stations"]
        assert [station["station_id"] for station in stations] == ["PY-SIM-0002"]


async def test_a_slow_browser_is_given_a_fresh_snapshot_and_costs_the_others_nothing(web, address):
    cp_ids = [f"CP-{number:04d}" for number in range(300)]
    for cp_id in cp_ids:
        web.view.remember(cp_id)
    feed = live_feed(web.app)
    async with (
        connect(f"ws://{address}/ws?batch=true", max_queue=1) as slow,
        connect(f"ws://{address}/ws?station_id=CP-0000") as quick,
    ):
        assert json.loads(await slow.recv())["type"] == "snapshot"
        await quick.recv()
        slow.transport.pause_reading()
        for round_number in range(TICKS_KEPT * 8):
            for cp_id in cp_ids:
                web.view.forget(cp_id)
                web.view.remember(cp_id)
            feed.tick()
            assert (await hear(quick, type="cp"))["unit_id"] == "CP-0000", round_number
        slow.transport.resume_reading()
        seen: list[str] = []
        async with asyncio.timeout(PATIENCE_S):
            while seen.count("snapshot") == 0:
                content = json.loads(await slow.recv())
                seen.append("changes" if isinstance(content, list) else content["type"])
        assert len(seen) < TICKS_KEPT * 8


async def test_listeners_are_told_when_central_goes_away(web, address):
    async with connect(f"ws://{address}/ws") as socket:
        await socket.recv()
        live_feed(web.app).close()
        with pytest.raises(ConnectionClosed) as closed:
            await hear(socket, type="never")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


async def test_what_a_browser_sends_is_dropped(web, address):
    await web.activated("CP-001")
    async with connect(f"ws://{address}/ws") as socket:
        await socket.recv()
        for content in ("hello", b"\x00\xff", json.dumps({"type": "cp"}), ""):
            await socket.send(content)
        await web.core.status("CP-001", ChargePointState.FAULT, connector_id=0)
        await hear(socket, type="cp", state="FAULT")


async def test_a_frame_that_is_too_large_costs_that_connection_only(web, address):
    async with connect(f"ws://{address}/ws") as one, connect(f"ws://{address}/ws") as other:
        await one.recv()
        await other.recv()
        await one.send("x" * (64 * 1024 + 1))
        with pytest.raises(ConnectionClosed):
            await hear(one, type="never")
        await web.activated("CP-001")
        await hear(other, type="cp")


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
async def test_another_sites_page_cannot_listen(address, origin):
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://{address}/ws", additional_headers={"Origin": origin})
    assert refused.value.response.status_code == 403


async def test_our_own_page_can_listen(address):
    async with connect(f"ws://{address}/ws", additional_headers={"Origin": f"http://{address}"}) as socket:
        assert json.loads(await socket.recv())["type"] == "snapshot"


@pytest.mark.parametrize("query", ["station_id=a%20b", "station_id=", "batch=maybe", "colour=red"])
async def test_a_feed_that_makes_no_sense_is_refused(address, query):
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://{address}/ws?{query}")
    assert refused.value.response.status_code == 422


async def test_sessions_stream_over_a_port_as_csv(web, address):
    await web.activated("CP-001")
    await web.supplying("CP-001")
    async with httpx.AsyncClient(base_url=f"http://{address}") as http:
        answer = await http.get("/api/v1/sessions?format=csv")
        assert answer.headers["transfer-encoding"] == "chunked"
        assert len(answer.text.splitlines()) == 2


async def test_two_who_start_at_once_get_one_session(web, address):
    await web.activated("CP-001")
    async with httpx.AsyncClient(base_url=f"http://{address}") as http:
        answers = await asyncio.gather(
            *(http.post("/cp/CP-001/start", json={"driver_id": f"driver-{number}"}) for number in range(6))
        )
        assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409, 409, 409]
        assert len((await http.get("/api/v1/sessions")).json()) == 1


class Served:
    """A Central on a port, in a thread of its own, for tests that are not asynchronous."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self.address = ""
        self.document: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30)
        self.http = httpx.Client(base_url=f"http://{self.address}", timeout=30)
        return self

    def __exit__(self, *_error: object) -> None:
        self.http.close()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with running_web(self._folder) as rig, rig.listening() as self.address:
            await rig.activated("CP-001")
            self.document = rig.app.openapi()
            self._ready.set()
            await self._stop.wait()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("garbage")) as served:
        yield served


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
IDS = st.one_of(st.just("CP-001"), st.from_regex(r"[A-Za-z0-9_.:@|=*-]{1,48}", fullmatch=True), TEXTS)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.sampled_from(["CP-001", "fault", "EUR", "\ud800"])
)
JSONS = st.recursive(SCALARS, lambda part: st.lists(part, max_size=4) | st.dictionaries(TEXTS, part, max_size=4))
NAMES = st.sampled_from(
    [
        "cp_id",
        "location",
        "price_per_kwh",
        "rating_kw",
        "health_url",
        "healthy",
        "detail",
        "latency_ms",
        "monitor_id",
        "driver_id",
        "kwh",
        "kind",
        "price",
        "currency",
        "solar_price",
        "count",
        "profile",
        "station_id",
        "self",
    ]
)
BODIES = st.one_of(
    st.none(),
    st.binary(max_size=60),
    JSONS.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(NAMES | TEXTS, SCALARS, max_size=5).map(lambda value: json.dumps(value).encode()),
)
SENSIBLE: dict[str, dict[str, Any]] = {
    "/cp/register": {"cp_id": "CP-001"},
    "/cp/{cp_id}/health": {"healthy": True},
    "/cp/{cp_id}/start": {"driver_id": "driver-alice"},
    "/cp/{cp_id}/inject": {"kind": "fault"},
    "/pricing": {"price": 0.3},
    "/stations/scale": {"count": 3},
    "/stations/start": {"station_id": "PY-SIM-0001"},
    "/stations/stop": {"station_id": "PY-SIM-0001"},
}
QUERIES = st.dictionaries(
    st.sampled_from(["limit", "cursor", "station_id", "driver_id", "status", "format", "since", "until"]) | TEXTS,
    st.integers(-5, 2_000_000).map(str) | IDS | st.sampled_from(["csv", "jsonl", "ACTIVE", "\x00"]),
    max_size=3,
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Content-Type": st.sampled_from(["application/json", "text/plain", "application/x-www-form-urlencoded", "x"]),
        "Idempotency-Key": st.sampled_from(["k1", "k2", "a b", "k" * 300]),
        "Origin": st.sampled_from(["http://[", "null"]),
        "Authorization": st.sampled_from(["Bearer", "Bearer x", "Basic eA=="]),
    },
)


def answered_properly(served: Served, method: str, path: str, **request: Any) -> int:
    answer = served.http.request(method, path, **request)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and method != "HEAD":
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code
    assert answer.headers["content-security-policy"]
    return answer.status_code


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_no_request_at_all_is_answered_by_a_failure_of_ours(served, data):
    paths = served.document["paths"]
    path = data.draw(st.sampled_from(sorted(paths)) | TEXTS.map(lambda text: "/" + quote(text)), label="path")
    for name in ("cp_id", "session_id", "station_id"):
        if f"{{{name}}}" in path:
            path = path.replace(f"{{{name}}}", quote(data.draw(IDS, label=name), safe="") or "x")
    answered_properly(
        served,
        data.draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"]), label="method"),
        path,
        params=data.draw(QUERIES, label="query") or None,
        content=data.draw(BODIES, label="body"),
        headers=data.draw(HEADERS, label="headers"),
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    path=st.sampled_from(sorted(SENSIBLE)),
    odd=st.dictionaries(NAMES | TEXTS | st.just("\ud800"), SCALARS | JSONS, min_size=1, max_size=2),
)
def test_an_almost_sensible_body_is_no_failure_of_ours_either(served, path, odd):
    content = json.dumps({**SENSIBLE[path], **odd})
    path = path.replace("{cp_id}", "CP-001")
    answered_properly(served, "POST", path, content=content, headers={"Content-Type": "application/json"})


def test_central_is_well_after_all_that(served):
    assert served.http.get("/cp/CP-001").status_code == 200
    assert served.http.get("/ready").json()["checks"]["database"]["ok"] is True
