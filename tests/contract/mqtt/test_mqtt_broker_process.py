"""The embedded broker as a process, and what it does beyond what every broker does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import pytest

from evcharging.mqtt.address import MqttAddress
from evcharging.mqtt.backoff import Backoff
from evcharging.mqtt.client import AioMqttClient
from evcharging.mqtt.embedded import EmbeddedBroker, PortTaken
from evcharging.mqtt.protocol import Will
from tests.support.ports import free_port

if TYPE_CHECKING:
    from tests.contract.mqtt.conftest import Link

DEADLINE_S = 30.0
QUICK = Backoff(first_s=0.02, most_s=0.1)
MODULE = "evcharging.apps.mqtt_broker.main"


@contextlib.asynccontextmanager
async def running(*arguments: str, **environment: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        "-m",
        MODULE,
        *arguments,
        stdout=PIPE,
        stderr=PIPE,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ended(process: Process) -> tuple[int, str, str]:
    async with asyncio.timeout(DEADLINE_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def ready(process: Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        return (await process.stdout.readline()).decode()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


def client(address: MqttAddress, name: str, **options: object) -> AioMqttClient:
    return AioMqttClient(address, client_id=name, backoff=QUICK, random=random.Random(1), **options)  # type: ignore[arg-type]


async def connected(made: AioMqttClient) -> None:
    async with asyncio.timeout(DEADLINE_S):
        await made.wait_connected()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_until_it_is_stopped_and_says_little(number: signal.Signals) -> None:
    port = free_port()
    async with running("--port", str(port)) as process:
        assert f"mqtt://127.0.0.1:{port}" in await ready(process)
        async with client(MqttAddress("127.0.0.1", port), "a") as one:
            stream = one.subscribe({"evse/+/state": 1})
            await connected(one)
            one.publish("evse/A/state", b"here", retain=True)
            async with asyncio.timeout(DEADLINE_S):
                assert (await anext(stream)).payload == b"here"
            process.send_signal(number)
            code, out, err = await ended(process)
        assert (code, err) == (0, "")
        assert [line.split(" | ")[-1] for line in out.splitlines()] == [f"stopping signal={number.name}"]


async def test_a_taken_port_is_told_in_one_line_with_exit_2() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with running("--port", str(port)) as process:
            code, out, err = await ended(process)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert str(port) in err


async def test_listening_wider_than_loopback_without_a_user_is_refused_and_says_how_to_set_one() -> None:
    async with running("--host", "0.0.0.0", "--port", str(free_port())) as process:  # noqa: S104
        code, _, err = await ended(process)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "MQTT_BROKER_USERNAME" in err


async def test_with_a_user_only_that_user_is_let_in_and_the_password_is_shown_nowhere() -> None:
    port = free_port()
    secrets = {"MQTT_BROKER_USERNAME": "evse", "MQTT_BROKER_PASSWORD": "s3cret"}
    async with running("--port", str(port), "--log-level", "debug", **secrets) as process:
        first = await ready(process)
        known = MqttAddress("127.0.0.1", port, username="evse", password="s3cret")
        unknown = MqttAddress("127.0.0.1", port)
        async with client(known, "known") as one, client(unknown, "unknown") as other:
            await connected(one)
            await until(lambda: other.health().detail not in (None, "connecting"))
            assert "authorized" in (other.health().detail or "").lower()
        process.terminate()
        code, out, err = await ended(process)
    assert code == 0
    assert "s3cret" not in first + out + err


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\x00" * 64, b"GET / HTTP/1.1\r\n\r\n", b"\x10\xff\xff\xff\xff\x7f", b"\x10\x02\x00\x04", b"\xff" * 5_000],
)
async def test_garbage_costs_its_own_connection_only(garbage: bytes) -> None:
    async with EmbeddedBroker() as broker, client(MqttAddress("127.0.0.1", broker.port), "good") as good:
        stream = good.subscribe({"evse/A/event": 1})
        await connected(good)
        _, writer = await asyncio.open_connection("127.0.0.1", broker.port)
        writer.write(garbage)
        writer.write_eof()
        good.publish("evse/A/event", b"still here", qos=1)
        async with asyncio.timeout(DEADLINE_S):
            assert (await anext(stream)).payload == b"still here"
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_a_client_that_falls_silent_is_dropped_and_its_will_published(new_link: type[Link]) -> None:
    topic = "evse/A/status"
    async with EmbeddedBroker() as broker, new_link(broker.port) as link, contextlib.AsyncExitStack() as clients:
        reader = await clients.enter_async_context(client(MqttAddress("127.0.0.1", broker.port), "reader"))
        stream = reader.subscribe({topic: 1})
        await connected(reader)
        silent = client(link.address, "silent", will=Will(topic, b"offline"), keepalive_s=1)
        await clients.enter_async_context(silent)
        silent.publish(topic, b"online", retain=True)
        async with asyncio.timeout(DEADLINE_S):
            assert (await anext(stream)).payload == b"online"
            link.freeze()
            assert (await anext(stream)).payload == b"offline"


async def test_a_late_wildcard_subscriber_gets_each_retained_message_once() -> None:
    async with EmbeddedBroker() as broker:
        address = MqttAddress("127.0.0.1", broker.port)
        async with client(address, "first") as first, client(address, "late") as late:
            first.subscribe({"evse/+/state": 1})
            await connected(first)
            for number in range(5):
                first.publish(f"evse/U-{number}/state", b"here", retain=True)
            async with asyncio.timeout(DEADLINE_S):
                await first.flush()
            stream = late.subscribe({"evse/+/state": 1, "marker": 1})
            await connected(late)
            first.publish("marker", b"", qos=1)
            topics = []
            async with asyncio.timeout(DEADLINE_S):
                while (message := await anext(stream)).topic != "marker":
                    topics.append(message.topic)
            assert sorted(topics) == [f"evse/U-{number}/state" for number in range(5)]


async def test_a_broker_in_this_process_can_be_stopped_with_clients_on_it_and_started_again() -> None:
    broker = EmbeddedBroker()
    await broker.start()
    async with client(MqttAddress("127.0.0.1", broker.port), "loyal") as loyal:
        await connected(loyal)
        async with asyncio.timeout(DEADLINE_S):
            await broker.stop()
            await broker.stop()
        await until(lambda: not loyal.health().connected)
        await broker.start()
        await connected(loyal)
        await broker.stop()


async def test_a_peer_that_does_not_introduce_itself_does_not_keep_the_broker_from_stopping() -> None:
    broker = EmbeddedBroker()
    await broker.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    async with asyncio.timeout(DEADLINE_S):
        await broker.stop()
        assert await reader.read() == b""
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def test_a_taken_port_is_a_typed_error_in_this_process_too() -> None:
    async with EmbeddedBroker() as broker:
        with pytest.raises(PortTaken, match=str(broker.port)):
            await EmbeddedBroker(port=broker.port).start()
