"""Each example does what it says, run as a reader would run it, beside a whole network."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.network import Network, Service
from tests.support.ports import free_port

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
WITHIN_S = 60.0


class Running:
    """The network, and where its MQTT broker and its CAN hub are."""

    def __init__(self, network: Network, mqtt_port: int) -> None:
        self.network = network
        self.mqtt_port = mqtt_port

    @property
    def central(self) -> str:
        return f"http://127.0.0.1:{self.network.http_port}"

    @property
    def hub_port(self) -> int:
        found = re.search(r"hub://127\.0\.0\.1:(\d+)", self.network.charger.told())
        assert found is not None
        return int(found[1])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    folder = tmp_path_factory.mktemp("network")
    kafka_port, mqtt_port = free_port(), free_port()
    brokers = [
        Service("broker", "evcharging.apps.broker.main", ["--port", str(kafka_port)], folder),
        Service("mqtt", "evcharging.apps.mqtt_broker.main", ["--port", str(mqtt_port)], folder),
    ]
    for broker in brokers:
        await broker.start()
    mqtt = f"mqtt://127.0.0.1:{mqtt_port}"
    async with Network(f"127.0.0.1:{kafka_port}", folder, session_s=10, mqtt=mqtt) as network:
        yield Running(network, mqtt_port)
    for broker in brokers:
        await broker.stop()


@asynccontextmanager
async def started(*command: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command, running; ended as by Ctrl-C if it has not ended by itself."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent), **environment},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        async with asyncio.timeout(WITHIN_S):
            await process.communicate()


def example(name: str, *arguments: object) -> tuple[str, ...]:
    return sys.executable, str(EXAMPLES / name), *map(str, arguments)


async def outcome(*command: str, **environment: str) -> tuple[int | None, str]:
    """Exit code and output of a command that ends by itself."""
    async with started(*command, **environment) as process, asyncio.timeout(WITHIN_S):
        output, _ = await process.communicate()
    return process.returncode, output.decode()


async def until_told(process: asyncio.subprocess.Process, pattern: str) -> str:
    """The first line of its output in which ``pattern`` is found."""
    assert process.stdout is not None
    told = []
    async with asyncio.timeout(WITHIN_S):
        async for line in process.stdout:
            told.append(line.decode())
            if re.search(pattern, told[-1]):
                return told[-1]
    raise AssertionError(f"ended without {pattern!r}: {''.join(told)}")


async def test_charge_once_tells_the_outcome_by_its_exit_code(running: Running) -> None:
    bootstrap = running.network.bootstrap
    code, told = await outcome(*example("charge_once.py", "--kafka-bootstrap", bootstrap, "--kwh", 0.005))
    assert (code, "COMPLETED" in told, "target_reached" in told) == (0, True, True), told
    code, told = await outcome(*example("charge_once.py", "--kafka-bootstrap", bootstrap, "--cp-id", "CP-404"))
    assert (code, "DENIED | unknown_charge_point" in told) == (1, True), told


async def test_charge_once_gives_up_where_nobody_answers() -> None:
    bootstrap = f"127.0.0.1:{free_port()}"
    code, told = await outcome(*example("charge_once.py", "--kafka-bootstrap", bootstrap, "--timeout-s", 2))
    assert (code, "no end within 2 s" in told) == (2, True), told


async def test_watch_sessions_shows_what_drivers_are_told_and_ends_on_ctrl_c(running: Running) -> None:
    bootstrap = running.network.bootstrap
    await outcome(
        *example("charge_once.py", "--kafka-bootstrap", bootstrap, "--driver-id", "driver-seen", "--kwh", 0.005)
    )
    watching = example("watch_sessions.py", "--kafka-bootstrap", bootstrap, "--from-beginning")
    async with started(*watching) as process:
        assert "kWh" in await until_told(process, r"driver-seen  CP-\d+  COMPLETED")
    assert process.returncode == 0


async def test_live_feed_begins_with_how_things_are_and_tells_what_changes(running: Running) -> None:
    url = f"ws://127.0.0.1:{running.network.http_port}/ws"
    async with started(*example("live_feed.py", "--url", url)) as process:
        await until_told(process, r"CP-00\d: ")
        async with started(*example("charge_once.py", "--kafka-bootstrap", running.network.bootstrap)):
            await until_told(process, r"CP-00\d: SUPPLYING [1-9]")


async def test_mqtt_unit_appears_with_source_mqtt_and_is_disconnected_when_it_leaves(running: Running) -> None:
    network = running.network
    async with started(*example("mqtt_unit.py", "--host", "127.0.0.1", "--port", running.mqtt_port)):
        await network.until_state("GARAGE-1", "SUPPLYING")
        assert (await network.charge_point("GARAGE-1"))["source"] == "mqtt"
    await network.until_state("GARAGE-1", "DISCONNECTED")


async def test_can_listener_joins_the_hub_and_decodes_what_it_hears(running: Running) -> None:
    code, told = await outcome(*example("can_listener.py", "--port", running.hub_port, "--frames", 15))
    assert (code, len(told.splitlines())) == (0, 15), told
    for name in ("MeasuredCurrent", "ChargerStatus", "Meter"):
        assert name in told


async def test_http_operator_gets_the_answers_it_promises(running: Running) -> None:
    code, told = await outcome("sh", str(EXAMPLES / "http_operator.sh"), CENTRAL=running.central, CP="CP-002")
    assert code == 0, told
    assert re.findall(r"^\d{3}$", told, re.MULTILINE) == [
        "200",
        "200",
        "202",
        "202",
        "409",
        "202",
        "202",
        "202",
        "200",
        "200",
    ]
    bodies = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    assert bodies[2]["command_id"] == bodies[3]["command_id"]
    assert bodies[-2]["reason"] == "operator_stop"
