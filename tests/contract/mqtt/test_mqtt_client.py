"""What `AioMqttClient` keeps, on every broker."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog

from evcharging.mqtt.address import MqttAddress
from evcharging.mqtt.backoff import Backoff
from evcharging.mqtt.client import AioMqttClient
from evcharging.mqtt.connection import Connection
from evcharging.mqtt.embedded import EmbeddedBroker
from evcharging.mqtt.protocol import MqttClient, MqttMessage, MqttStopped, MqttStream, Will
from evcharging.mqtt.topics import TopicError

if TYPE_CHECKING:
    from tests.contract.mqtt.conftest import BrokerProcess, Link, Wire

DEADLINE_S = 30.0
QUICK = Backoff(first_s=0.02, most_s=0.1)


def client(address: MqttAddress, name: str, **options: object) -> AioMqttClient:
    return AioMqttClient(address, client_id=name, backoff=QUICK, random=random.Random(1), **options)  # type: ignore[arg-type]


async def connected(made: MqttClient) -> None:
    async with asyncio.timeout(DEADLINE_S):
        await made.wait_connected()


async def take(stream: MqttStream, count: int) -> list[MqttMessage]:
    async with asyncio.timeout(DEADLINE_S):
        return [await anext(stream) for _ in range(count)]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
async def pair(broker: BrokerProcess, unit_id: str) -> AsyncIterator[tuple[AioMqttClient, AioMqttClient]]:
    """Two clients that are connected."""
    async with client(broker.address, f"{unit_id}-a") as one, client(broker.address, f"{unit_id}-b") as other:
        await connected(one)
        await connected(other)
        yield one, other


@pytest.mark.parametrize("qos", [0, 1])
async def test_a_message_reaches_a_subscriber_in_order(
    pair: tuple[AioMqttClient, AioMqttClient], unit_id: str, qos: int
) -> None:
    sender, reader = pair
    stream = reader.subscribe({f"evse/{unit_id}/+": 1 if qos else 0})
    await connected(reader)
    for number in range(200):
        assert sender.publish(f"evse/{unit_id}/telemetry", b"%d" % number, qos=1 if qos else 0)
    received = await take(stream, 200)
    assert [message.payload for message in received] == [b"%d" % number for number in range(200)]
    assert not any(message.retained for message in received)


async def test_a_late_subscriber_gets_what_is_retained_marked_as_such(
    pair: tuple[AioMqttClient, AioMqttClient], unit_id: str
) -> None:
    sender, reader = pair
    sender.publish(f"evse/{unit_id}/state", b"first", retain=True)
    sender.publish(f"evse/{unit_id}/state", b"second", retain=True)
    async with asyncio.timeout(DEADLINE_S):
        await sender.flush()
    stream = reader.subscribe({"evse/+/state": 1})
    while (message := (await take(stream, 1))[0]).topic != f"evse/{unit_id}/state":
        pass
    assert message == MqttMessage(f"evse/{unit_id}/state", b"second", retained=True, connection=1)


async def test_a_second_stream_of_a_filter_gets_what_is_retained_too(
    pair: tuple[AioMqttClient, AioMqttClient], unit_id: str
) -> None:
    sender, reader = pair
    topic, marker = f"evse/{unit_id}/state", f"evse/{unit_id}/event"
    first = reader.subscribe({topic: 1, marker: 1})
    await connected(reader)
    sender.publish(topic, b"here", retain=True)
    sender.publish(marker, b"", qos=1)
    assert [message.topic for message in await take(first, 2)] == [topic, marker]
    second = reader.subscribe({topic: 1})
    assert await take(second, 1) == [MqttMessage(topic, b"here", retained=True, connection=1)]


async def test_each_stream_of_a_client_gets_what_its_own_filters_match(
    pair: tuple[AioMqttClient, AioMqttClient], unit_id: str
) -> None:
    sender, reader = pair
    events, alarms = (reader.subscribe({f"evse/{unit_id}/{kind}": 1}) for kind in ("event", "alarm"))
    await connected(reader)
    for kind in ("event", "alarm", "event", "alarm"):
        sender.publish(f"evse/{unit_id}/{kind}", kind.encode(), qos=1)
    assert [message.payload for message in await take(events, 2)] == [b"event"] * 2
    assert [message.payload for message in await take(alarms, 2)] == [b"alarm"] * 2


async def test_a_closed_stream_takes_no_more_and_the_other_goes_on(
    pair: tuple[AioMqttClient, AioMqttClient], unit_id: str
) -> None:
    sender, reader = pair
    topic = f"evse/{unit_id}/event"
    closed, other = reader.subscribe({topic: 1}), reader.subscribe({f"evse/{unit_id}/#": 1})
    await connected(reader)
    closed.close()
    sender.publish(topic, b"1", qos=1)
    assert (await take(other, 1))[0].payload == b"1"
    assert [message async for message in closed] == []


async def test_a_client_is_given_nothing_that_it_did_not_subscribe(
    pair: tuple[AioMqttClient, AioMqttClient], broker: BrokerProcess, unit_id: str
) -> None:
    sender, reader = pair
    reader.subscribe({"evse/+/state": 1})
    await connected(reader)
    sender.publish(f"evse/{unit_id}/state", b"here", retain=True)
    async with asyncio.timeout(DEADLINE_S):
        await sender.flush()
    async with client(broker.address, f"{unit_id}-c") as late:
        stream = late.subscribe({f"evse/{unit_id}/event": 1})
        await connected(late)
        sender.publish(f"evse/{unit_id}/event", b"event", qos=1)
        assert [message.payload for message in await take(stream, 1)] == [b"event"]


async def test_without_a_broker_nothing_blocks_and_only_qos_0_is_dropped(
    broker: BrokerProcess, link: Link, unit_id: str
) -> None:
    state, event, telemetry = (f"evse/{unit_id}/{kind}" for kind in ("state", "event", "telemetry"))
    link.refuse()
    async with client(link.address, f"{unit_id}-early") as early, client(broker.address, unit_id) as reader:
        stream = reader.subscribe({f"evse/{unit_id}/#": 1})
        await connected(reader)
        assert early.publish(state, b"1", retain=True)
        assert early.publish(state, b"2", retain=True)
        assert early.publish(event, b"kept", qos=1)
        assert not early.publish(telemetry, b"gone")
        await until(lambda: early.health().detail not in (None, "connecting"))
        health = early.health()
        assert (health.connected, health.dropped_qos0, health.waiting, health.connections) == (False, 1, 2, 0)
        link.accept()
        await connected(early)
        assert early.publish(telemetry, b"fresh")
        received = [(message.topic, message.payload) for message in await take(stream, 3)]
        assert received == [(state, b"2"), (event, b"kept"), (telemetry, b"fresh")]
        async with asyncio.timeout(DEADLINE_S):
            await early.flush()
        assert early.health().waiting == 0


async def test_a_broker_that_is_killed_and_comes_back_gets_what_is_retained_again(own_broker: BrokerProcess) -> None:
    own_broker.start()
    async with client(own_broker.address, "sender") as sender, client(own_broker.address, "reader") as reader:
        stream = reader.subscribe({"evse/A/#": 1})
        await connected(sender)
        await connected(reader)
        sender.publish("evse/A/status", b"online", retain=True)
        assert (await take(stream, 1))[0].payload == b"online"

        own_broker.kill()
        await until(lambda: not sender.health().connected and not reader.health().connected)
        assert not sender.publish("evse/A/telemetry", b"gone")
        sender.publish("evse/A/event", b"kept", qos=1)
        own_broker.start()
        await connected(sender)
        await connected(reader)
        sender.publish("evse/A/telemetry", b"fresh")

        received: list[tuple[str, bytes]] = []
        while ("evse/A/telemetry", b"fresh") not in received or ("evse/A/status", b"online") not in received:
            received += [(message.topic, message.payload) for message in await take(stream, 1)]
        assert ("evse/A/telemetry", b"gone") not in received
        assert sender.health().dropped_qos0 == 1
        assert (sender.health().connections, reader.health().connections) == (2, 2)


async def test_what_was_under_way_when_the_connection_broke_arrives_at_least_once(
    broker: BrokerProcess, link: Link, unit_id: str
) -> None:
    topic = f"evse/{unit_id}/event"
    async with client(broker.address, f"{unit_id}-r") as reader, client(link.address, f"{unit_id}-s") as sender:
        stream = reader.subscribe({topic: 1})
        await connected(reader)
        await connected(sender)
        wanted = {b"%d" % number for number in range(300)}
        for number in range(300):
            assert sender.publish(topic, b"%d" % number, qos=1)
            if number % 60 == 30:
                link.cut()
                await asyncio.sleep(0)
        seen: set[bytes] = set()
        while seen != wanted:
            seen |= {message.payload for message in await take(stream, 1)}


async def test_a_frozen_link_is_noticed_on_both_sides_and_the_will_is_published(
    broker: BrokerProcess, link: Link, wire: Wire, unit_id: str
) -> None:
    topic = f"evse/{unit_id}/status"
    lost: list[bool] = []
    async with client(
        link.address,
        unit_id,
        will=Will(topic, b"offline"),
        keepalive_s=1,
        on_connection=lambda up, _: lost.append(not up),
    ) as frozen:
        frozen.publish(topic, b"online", retain=True)
        await wire.until(lambda: wire.last(topic) == b"online")
        link.freeze()
        await wire.until(lambda: wire.last(topic) == b"offline")
        await until(lambda: True in lost)
        link.thaw()
        link.cut()
        await wire.until(lambda: wire.last(topic) == b"online")


async def test_stopping_sends_what_was_accepted_and_leaves_no_will(
    broker: BrokerProcess, wire: Wire, unit_id: str
) -> None:
    topic = f"evse/{unit_id}/event"
    leaving = client(broker.address, unit_id, will=Will(f"evse/{unit_id}/status", b"offline"))
    leaving.start()
    await connected(leaving)
    for number in range(100):
        leaving.publish(topic, b"%d" % number, qos=1)
    await leaving.stop()
    await wire.until(lambda: len(wire.of(topic)) == 100)
    await wire.publish(f"evse/{unit_id}/alarm", b"marker")
    await wire.until(lambda: wire.last(f"evse/{unit_id}/alarm") == b"marker")
    assert wire.of(f"evse/{unit_id}/status") == []


async def test_after_stop_it_refuses_and_its_streams_end(broker: BrokerProcess, unit_id: str) -> None:
    stopped = client(broker.address, unit_id)
    stream = stopped.subscribe({"evse/#": 1})
    stopped.start()
    await stopped.stop()
    await stopped.stop()
    async with asyncio.timeout(DEADLINE_S):
        async for _ in stream:
            pass
    with pytest.raises(MqttStopped):
        stopped.publish("evse/A/event", b"")
    with pytest.raises(MqttStopped):
        stopped.subscribe({"a": 0})
    with pytest.raises(MqttStopped):
        stopped.start()


async def test_a_topic_that_no_broker_takes_is_refused_to_the_caller(broker: BrokerProcess, unit_id: str) -> None:
    async with client(broker.address, unit_id) as careful:
        with pytest.raises(TopicError):
            careful.publish("evse/+/event", b"", qos=1)
        await connected(careful)
        assert careful.health().waiting == 0


async def test_a_peer_that_never_answers_is_left_and_no_socket_with_it() -> None:
    accepted: list[asyncio.StreamWriter] = []

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        waiting = client(MqttAddress("127.0.0.1", port), "patient")
        waiting.start()
        await until(lambda: len(accepted) >= 1)
        async with asyncio.timeout(DEADLINE_S):
            await waiting.stop()
        assert len(os.listdir("/proc/self/fd")) <= before + len(accepted)  # noqa: PTH208
        for writer in accepted:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def test_a_peer_that_speaks_another_protocol_is_survived() -> None:
    answered = asyncio.Event()

    async def speak_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()
        answered.set()

    async with await asyncio.start_server(speak_http, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with client(MqttAddress("127.0.0.1", port), "lost") as lost:
            async with asyncio.timeout(DEADLINE_S):
                await answered.wait()
            await until(lambda: lost.health().detail not in (None, "connecting"))
            assert not lost.health().connected


async def test_a_failure_that_nobody_foresaw_is_logged_and_the_next_connection_is_made(
    broker: BrokerProcess, unit_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Connection.open
    failures = iter([KeyError("unforeseen")])

    async def fails_once(self: Connection) -> None:
        for failure in failures:
            raise failure
        await opened(self)

    monkeypatch.setattr(Connection, "open", fails_once)
    with structlog.testing.capture_logs() as logs:
        async with client(broker.address, unit_id) as tried:
            await connected(tried)
    assert [entry["log_level"] for entry in logs if "unforeseen" in entry["event"]] == ["error"]


async def test_a_wrong_password_is_told_and_shown_nowhere() -> None:
    async with EmbeddedBroker(username="user", password="r1ght") as guarded:
        with structlog.testing.capture_logs() as logs:
            wrong = MqttAddress.parse(f"mqtt://user:wr0ng@127.0.0.1:{guarded.port}")
            async with client(wrong, "intruder") as intruder:
                await until(lambda: intruder.health().detail not in (None, "connecting"))
                detail = intruder.health().detail or ""
            right = MqttAddress.parse(f"mqtt://user:r1ght@127.0.0.1:{guarded.port}")
            async with client(right, "guest") as guest:
                await connected(guest)
        assert "authorized" in detail.lower()
        assert "wr0ng" not in detail + str(logs) + repr(wrong)


async def test_tls_is_spoken_to_a_broker_whose_certificate_holds_and_to_no_other(
    broker: BrokerProcess, tmp_path: Path, unit_id: str
) -> None:
    certificate, key = self_signed(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", broker.port)

        async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65_536):
                    sink.write(data)
                    await sink.drain()
            sink.close()

        await asyncio.gather(pass_on(reader, far_writer), pass_on(far_reader, writer))

    async with await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        trusted = MqttAddress.parse(f"mqtts://localhost:{port}", ca_file=certificate)
        async with client(trusted, f"{unit_id}-tls") as secure:
            stream = secure.subscribe({f"evse/{unit_id}/event": 1})
            await connected(secure)
            secure.publish(f"evse/{unit_id}/event", b"x" * 30_000, qos=1)
            assert len((await take(stream, 1))[0].payload) == 30_000
        async with client(MqttAddress.parse(f"mqtts://localhost:{port}"), f"{unit_id}-wary") as wary:
            await until(lambda: wary.health().detail not in (None, "connecting"))
            assert "certificate" in (wary.health().detail or "").lower()


def self_signed(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run(
        ["openssl", *request.split(), "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
    )
    return certificate, key
