"""The monitor against a real engine's and a real Central's HTTP, and against Central's TCP control plane."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from evcharging.apps.ev_central.errors import UnknownChargePoint
from evcharging.apps.ev_central.tcp_server import TcpControlPlane
from evcharging.apps.ev_cp_m.main import monitor
from evcharging.apps.ev_cp_m.settings import MonitorSettings
from evcharging.apps.runtime.http import bind, serving
from evcharging.messages.control import HealthReport, Registration

WITHIN_S = 30


class FakeEngine:
    """An engine's health page: healthy, unhealthy, or hanging."""

    def __init__(self) -> None:
        self.detail: dict[str, str | None] = {"CP-001": None, "CP-002": None}
        self.offer: dict[str, float] = {}
        self.answering = asyncio.Event()
        self.answering.set()
        self.probes = 0
        self.app = Starlette(routes=[Route("/health/{cp_id}", self._health)])

    async def _health(self, request: Request) -> Response:
        self.probes += 1
        await self.answering.wait()
        cp_id = request.path_params["cp_id"]
        if cp_id not in self.detail:
            return JSONResponse({"title": "unknown"}, 404)
        detail = self.detail[cp_id]
        body = {"cp_id": cp_id, "healthy": detail is None, "state": "ACTIVATED", "detail": detail, **self.offer}
        return JSONResponse(body, 200 if detail is None else 503)


class FakeCentral:
    """Central's two calls for monitors, with a list of what came."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.tokens: set[str | None] = set()
        self._news = asyncio.Event()
        self.app = Starlette(
            routes=[
                Route("/cp/register", self._register, methods=["POST"]),
                Route("/cp/{cp_id}/health", self._health, methods=["POST"]),
            ]
        )

    async def _register(self, request: Request) -> Response:
        body = json.loads(await request.body())
        new = body["cp_id"] not in self.known
        self.hear("register", body["cp_id"], body, request.headers.get("authorization"))
        self.known.add(body["cp_id"])
        return Response(status_code=201 if new else 200)

    async def _health(self, request: Request) -> Response:
        cp_id = request.path_params["cp_id"]
        if cp_id not in self.known:
            return Response(status_code=404)
        self.hear("health", cp_id, json.loads(await request.body()), request.headers.get("authorization"))
        return Response(status_code=204)

    async def on_register(self, registration: Registration) -> None:
        self.known.add(registration.cp_id)
        self.hear("register", registration.cp_id, registration.model_dump(exclude_none=True))

    async def on_health(self, cp_id: str, report: HealthReport) -> None:
        if cp_id not in self.known:
            raise UnknownChargePoint(cp_id)
        self.hear("health", cp_id, report.model_dump(exclude_none=True))

    def hear(self, kind: str, cp_id: str, body: dict[str, Any], token: str | None = None) -> None:
        self.calls.append((kind, cp_id, body))
        self.tokens.add(token)
        self._news.set()

    async def hears(
        self, kind: str, cp_id: str = "CP-001", *, since: int | None = None, **expected: object
    ) -> dict[str, Any]:
        """Wait for a call that carries ``expected``, from now on or from the call numbered ``since``."""
        seen = len(self.calls) if since is None else since

        def found() -> dict[str, Any] | None:
            for a_kind, an_id, body in self.calls[seen:]:
                if (a_kind, an_id) == (kind, cp_id) and all(body.get(k) == v for k, v in expected.items()):
                    return body
            return None

        await self.until(lambda: found() is not None)
        body = found()
        assert body is not None
        return body

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not condition():
                self._news.clear()
                await self._news.wait()


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def settings_for(engine: socket.socket, central: socket.socket, **more: Any) -> MonitorSettings:
    defaults: dict[str, Any] = {
        "cp_id": ["CP-001"],
        "cp_e_host": "127.0.0.1",
        "cp_e_port": port_of(engine),
        "central_host": "127.0.0.1",
        "central_port": port_of(central),
        "monitor_id": "m-1",
        "interval_s": 0.02,
        "timeout_s": 1.0,
        "central_timeout_s": 0.2,
    }
    return MonitorSettings(**{**defaults, **more})


@pytest.fixture
def engine_sock():
    with bind("127.0.0.1", 0, flag="--health-port") as sock:
        yield sock


@pytest.fixture
def central_sock():
    with bind("127.0.0.1", 0, flag="--http-port") as sock:
        yield sock


@contextlib.asynccontextmanager
async def up(app: Any, sock: socket.socket) -> AsyncIterator[None]:
    """Serve on a copy of ``sock``: afterwards its port takes connections and answers nothing, as a frozen process."""
    async with serving(app, sock.dup(), name="fake"):
        yield


@contextlib.asynccontextmanager
async def monitoring(settings: MonitorSettings) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(monitor(settings, stop))
        try:
            yield
        finally:
            stop.set()


async def test_it_registers_the_charge_point_and_reports_it_healthy(engine_sock, central_sock):
    engine, central = FakeEngine(), FakeCentral()
    settings = settings_for(engine_sock, central_sock, location="Car park", price_per_kwh=0.3, rating_kw=22)
    async with up(engine.app, engine_sock), up(central.app, central_sock), monitoring(settings):
        report = await central.hears("health", healthy=True, monitor_id="m-1")
    assert report["latency_ms"] > 0
    assert "detail" not in report
    kind, cp_id, registration = central.calls[0]
    assert (kind, cp_id) == ("register", "CP-001")
    assert registration == {
        "cp_id": "CP-001",
        "location": "Car park",
        "price_per_kwh": 0.3,
        "rating_kw": 22.0,
        "health_url": f"http://127.0.0.1:{port_of(engine_sock)}/health/CP-001",
    }
    assert [call[0] for call in central.calls].count("register") == 1


async def test_price_and_rating_it_was_not_given_are_the_engines_and_a_change_is_registered(engine_sock, central_sock):
    engine, central = FakeEngine(), FakeCentral()
    engine.offer = {"price_per_kwh": 0.3, "rating_kw": 22.0}
    settings = settings_for(engine_sock, central_sock, rating_kw=11)
    async with up(engine.app, engine_sock), up(central.app, central_sock), monitoring(settings):
        await central.hears("register", since=0, price_per_kwh=0.3, rating_kw=11.0)
        engine.offer = {"price_per_kwh": 0.35, "rating_kw": 22.0}
        await central.hears("register", price_per_kwh=0.35, rating_kw=11.0)
        await central.hears("health", healthy=True)
    assert [kind for kind, _, _ in central.calls].count("register") == 2


async def test_it_reports_again_and_again_while_nothing_changes(engine_sock, central_sock):
    engine, central = FakeEngine(), FakeCentral()
    settings = settings_for(engine_sock, central_sock)
    async with up(engine.app, engine_sock), up(central.app, central_sock), monitoring(settings):
        for _ in range(5):
            await central.hears("health", healthy=True)


async def test_several_charge_points_of_one_engine_are_judged_apart(engine_sock, central_sock):
    engine, central = FakeEngine(), FakeCentral()
    engine.detail["CP-002"] = "ground_fault"
    settings = settings_for(engine_sock, central_sock, cp_id=["CP-001", "CP-002", "CP-003"])
    async with up(engine.app, engine_sock), up(central.app, central_sock), monitoring(settings):
        await central.until(lambda: {"CP-001", "CP-002", "CP-003"} <= central.known)
        await central.hears("health", "CP-002", healthy=False, detail="ground_fault")
        await central.hears("health", "CP-003", healthy=False, detail="unknown_to_engine")
        await central.hears("health", "CP-001", healthy=True)


async def test_three_unhealthy_answers_are_reported_with_the_engines_detail_and_one_good_one_heals(
    engine_sock, central_sock
):
    engine, central = FakeEngine(), FakeCentral()
    settings = settings_for(engine_sock, central_sock)
    async with up(engine.app, engine_sock), up(central.app, central_sock), monitoring(settings):
        await central.hears("health", healthy=True)
        engine.detail["CP-001"] = "charger_silent"
        probes_before = engine.probes
        await central.hears("health", healthy=False, detail="charger_silent")
        assert engine.probes >= probes_before + 3
        engine.detail["CP-001"] = None
        healed = await central.hears("health", healthy=True)
        assert "detail" not in healed


async def test_an_engine_that_hangs_becomes_unreachable_and_heals_when_it_answers(engine_sock, central_sock):
    engine, central = FakeEngine(), FakeCentral()
    settings = settings_for(engine_sock, central_sock, timeout_s=0.1)
    async with up(engine.app, engine_sock), up(central.app, central_sock), monitoring(settings):
        await central.hears("health", healthy=True)
        engine.answering.clear()
        await central.hears("health", healthy=False, detail="engine_unreachable")
        engine.answering.set()
        await central.hears("health", healthy=True)


async def test_an_engine_that_is_not_there_is_reported_unreachable(central_sock):
    central = FakeCentral()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        async with up(central.app, central_sock), monitoring(settings_for(nobody, central_sock)):
            report = await central.hears("health", healthy=False, detail="engine_unreachable")
    assert "latency_ms" not in report


async def test_it_waits_for_a_central_that_is_not_there_yet_and_probes_meanwhile(engine_sock):
    engine, central = FakeEngine(), FakeCentral()
    with socket.socket() as late:
        late.bind(("127.0.0.1", 0))
        async with up(engine.app, engine_sock), monitoring(settings_for(engine_sock, late)):
            async with asyncio.timeout(WITHIN_S):
                while engine.probes < 5:
                    await asyncio.sleep(0.01)
            late.listen()
            async with up(central.app, late):
                await central.hears("health", healthy=True)
                assert central.calls[0][0] == "register"


async def test_it_registers_again_and_tells_the_present_state_when_central_comes_back(engine_sock, central_sock):
    engine, central = FakeEngine(), FakeCentral()
    settings = settings_for(engine_sock, central_sock)
    async with up(engine.app, engine_sock), monitoring(settings):
        async with up(central.app, central_sock):
            await central.hears("health", healthy=True)
        engine.detail["CP-001"] = "ground_fault"
        probes = engine.probes
        async with asyncio.timeout(WITHIN_S):
            while engine.probes < probes + 5:
                await asyncio.sleep(0.01)
        while_away = len(central.calls)
        async with up(central.app, central_sock):
            await central.hears("register", since=while_away)
            await central.hears("health", since=while_away, healthy=False, detail="ground_fault")


async def test_it_registers_again_when_central_has_forgotten_the_charge_point(engine_sock, central_sock):
    engine, central = FakeEngine(), FakeCentral()
    settings = settings_for(engine_sock, central_sock)
    async with up(engine.app, engine_sock), up(central.app, central_sock), monitoring(settings):
        await central.hears("health", healthy=True)
        central.known.clear()
        await central.hears("register")
        await central.hears("health", healthy=True)


async def test_the_token_goes_with_every_call(engine_sock, central_sock):
    engine, central = FakeEngine(), FakeCentral()
    settings = settings_for(engine_sock, central_sock, api_token="very-secret")
    async with up(engine.app, engine_sock), up(central.app, central_sock), monitoring(settings):
        await central.hears("health", healthy=True)
    assert central.tokens == {"Bearer very-secret"}


async def test_a_central_that_refuses_is_complained_of_once_and_asked_again(engine_sock, central_sock, capsys):
    engine, central = FakeEngine(), FakeCentral()
    asked = 0

    async def refuse(request: Request) -> Response:
        nonlocal asked
        asked += 1
        if asked < 5:
            return JSONResponse({"title": "no token"}, 401)
        return await central._register(request)

    app = Starlette(routes=[Route("/cp/register", refuse, methods=["POST"]), *central.app.routes])
    settings = settings_for(engine_sock, central_sock, central_timeout_s=5.0)
    async with up(engine.app, engine_sock), up(app, central_sock), monitoring(settings):
        await central.hears("health", healthy=True)
    told = capsys.readouterr().out
    assert told.count("Central refuses") == 1
    assert "CENTRAL_API_TOKEN" in told
    assert told.count("Central takes reports again") == 1


class TestOverTcp:
    @contextlib.asynccontextmanager
    async def plane(self, central: FakeCentral, sock: socket.socket) -> AsyncIterator[TcpControlPlane]:
        async with TcpControlPlane(sock.dup(), on_register=central.on_register, on_health=central.on_health) as plane:
            yield plane

    def settings(self, engine: socket.socket, central: socket.socket, **more: Any) -> MonitorSettings:
        return settings_for(engine, engine, central_tcp_port=port_of(central), **more)

    async def test_it_registers_and_reports_several_charge_points_on_one_connection(self, engine_sock, central_sock):
        engine, central = FakeEngine(), FakeCentral()
        settings = self.settings(engine_sock, central_sock, cp_id=["CP-001", "CP-002"])
        async with up(engine.app, engine_sock), self.plane(central, central_sock) as plane, monitoring(settings):
            await central.hears("health", "CP-001", healthy=True, monitor_id="m-1")
            await central.hears("health", "CP-002", healthy=True)
            assert plane.connections == 1
            engine.detail["CP-002"] = "ground_fault"
            await central.hears("health", "CP-002", healthy=False, detail="ground_fault")
        assert [kind for kind, _, _ in central.calls].count("register") == 2

    async def test_it_registers_again_when_the_control_plane_comes_back(self, engine_sock):
        engine, central = FakeEngine(), FakeCentral()
        with bind("127.0.0.1", 0, flag="--listen-port") as first:
            settings = self.settings(engine_sock, first)
            async with up(engine.app, engine_sock), monitoring(settings):
                async with self.plane(central, first):
                    await central.hears("health", healthy=True)
                while_away = len(central.calls)
                async with self.plane(central, first):
                    await central.hears("register", since=while_away)
                    await central.hears("health", healthy=True)

    async def test_it_registers_again_when_the_charge_point_was_forgotten(self, engine_sock, central_sock):
        engine, central = FakeEngine(), FakeCentral()
        settings = self.settings(engine_sock, central_sock)
        async with up(engine.app, engine_sock), self.plane(central, central_sock), monitoring(settings):
            await central.hears("health", healthy=True)
            central.known.clear()
            await central.hears("register")
            await central.hears("health", healthy=True)

    async def test_it_waits_for_a_control_plane_that_is_not_there_yet(self, engine_sock):
        engine, central = FakeEngine(), FakeCentral()
        with socket.socket() as late:
            late.bind(("127.0.0.1", 0))
            async with up(engine.app, engine_sock), monitoring(self.settings(engine_sock, late)):
                async with asyncio.timeout(WITHIN_S):
                    while engine.probes < 5:
                        await asyncio.sleep(0.01)
                late.listen()
                late.setblocking(False)
                async with self.plane(central, late):
                    await central.hears("health", healthy=True)


class TestAsAProcess:
    async def test_it_watches_until_sigterm_and_ends_with_0(self, engine_sock, central_sock, tmp_path):
        engine, central = FakeEngine(), FakeCentral()
        line = (
            f"--cp-id CP-001 --cp-e-host 127.0.0.1 --cp-e-port {port_of(engine_sock)}"
            f" --central-host 127.0.0.1 --central-port {port_of(central_sock)} --interval-s 0.05"
        )
        async with up(engine.app, engine_sock), up(central.app, central_sock):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "evcharging.apps.ev_cp_m.main", *line.split()),
                cwd=tmp_path,
                stdout=asyncio.subprocess.PIPE,
            )
            try:
                await central.hears("health", healthy=True)
            finally:
                process.terminate()
                out, _ = await asyncio.wait_for(process.communicate(), WITHIN_S)
        assert process.returncode == 0
        assert "| INFO | CP_M:CP-001 | registered with Central (new to it)" in out.decode()
        assert "| INFO | CP_M:CP-001 | healthy, answered in " in out.decode()

    async def test_settings_that_cannot_be_end_it_with_2_and_one_line(self, tmp_path):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "evcharging.apps.ev_cp_m.main"),
            cwd=tmp_path,
            stderr=asyncio.subprocess.PIPE,
        )
        _, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
        assert process.returncode == 2
        told = "Field required (charge point to watch; repeat it or separate by commas)"
        assert err.decode() == f"evcharging monitor: --cp-id (CP_MONITOR_CP_ID): {told}\n"
