"""The engine as a process: its HTTP, its signals and its exit codes."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.support.network import Service
from tests.support.ports import free_port

READY_WITHIN_S = 40.0
MODULE = "evcharging.apps.ev_cp_e.main"


@contextlib.asynccontextmanager
async def an_engine(folder: Path, *arguments: str) -> AsyncIterator[Service]:
    engine = Service("engine", MODULE, arguments, folder)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def answered(url: str, status: int) -> httpx.Response:
    """Ask until that is the answer."""
    async with asyncio.timeout(READY_WITHIN_S), httpx.AsyncClient(trust_env=False) as client:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                response = await client.get(url)
                if response.status_code == status:
                    return response
            await asyncio.sleep(0.05)


async def test_it_becomes_ready_tells_its_health_and_ends_with_0_on_sigterm(tmp_path: Path):
    port = free_port()
    arguments = ("--kafka-bootstrap", "memory://alone", "--cp-id", "CP-001", "--count", "2")
    async with an_engine(tmp_path, *arguments, "--health-port", str(port)) as engine:
        url = f"http://127.0.0.1:{port}"
        ready = await answered(f"{url}/ready", 200)
        assert ready.json()["checks"] == {"kafka": True, "commands": True, "charge_points": True}
        health = await answered(f"{url}/health/CP-002", 200)
        assert (health.json()["state"], health.json()["rating_kw"]) == ("ACTIVATED", 22.0)
        assert (await answered(f"{url}/health", 200)).json()["healthy"]
        assert (await answered(f"{url}/health/CP-003", 404)).json()["status"] == 404
        assert "evcharging_engine_charge_points" in (await answered(f"{url}/metrics", 200)).text
        engine.signal(signal.SIGTERM)
        assert await engine.ended() == 0
    assert "Traceback" not in engine.told()


async def test_it_can_be_stopped_while_it_waits_for_a_broker_that_is_not_there(tmp_path: Path):
    port = free_port()
    arguments = ("--kafka-bootstrap", f"127.0.0.1:{free_port()}", "--health-port", str(port))
    async with an_engine(tmp_path, *arguments) as engine:
        unready = await answered(f"http://127.0.0.1:{port}/ready", 503)
        assert unready.json()["checks"]["kafka"] is False
        health = await answered(f"http://127.0.0.1:{port}/health", 503)
        assert (health.json()["state"], health.json()["detail"]) == ("DISCONNECTED", "starting")
        engine.signal(signal.SIGTERM)
        async with asyncio.timeout(READY_WITHIN_S):
            assert await engine.ended() == 0
    assert "waiting for the bus" in engine.told()


async def test_a_port_that_is_taken_ends_it_with_2_and_one_line(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with an_engine(tmp_path, "--health-port", str(port)) as engine:
            assert await engine.ended() == 2
    assert engine.told().splitlines() == [
        f"evcharging engine: --health-port {port}: the port is taken on 127.0.0.1; stop what uses it or give another"
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--cp-id", "garage", "--count", "2"), "ends in a number"),
        (("--can", "virtuel"), "expected virtual"),
        (("--cp-idd", "CP-001"), "did you mean --cp-id"),
    ],
)
async def test_settings_that_cannot_be_end_it_with_2_and_one_line(
    tmp_path: Path, arguments: tuple[str, ...], said: str
):
    async with an_engine(tmp_path, *arguments) as engine:
        assert await engine.ended() == 2
    [line] = engine.told().splitlines()
    assert said in line
