"""Others on the same log: kcat as publisher and reader, and brokers that want TLS and a password."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from evcharging.apps.broker.apache import ApacheKafka
from evcharging.apps.broker.jars import kafka_jars
from evcharging.bus.create import create_bus
from evcharging.bus.kafka_cluster import why_unreachable
from evcharging.bus.kafka_settings import KafkaSettings
from evcharging.bus.protocol import Position
from tests.contract.conftest import CACHE
from tests.support.bus import Broker, read, until

pytestmark = pytest.mark.kafka


async def kcat(*arguments: str, given: bytes = b"") -> bytes:
    try:
        process = await asyncio.create_subprocess_exec(
            "kcat",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError:
        pytest.fail("kcat is not installed (Debian: apt install kcat); leave out what is marked kafka otherwise")
    told, complaints = await asyncio.wait_for(process.communicate(given), 30)
    assert process.returncode == 0, complaints
    return told


async def test_kcat_publishes_to_the_partitions_that_we_would_choose(kafka_broker: Broker) -> None:
    bus, topic = await kafka_broker.bus(), kafka_broker.topic()
    keys = [f"CP-{number:03}" for number in range(30)]
    for key in keys:
        await bus.publish_raw(topic, key.encode(), b"ours", [])
    await bus.flush()
    await kcat(
        *("-b", kafka_broker.bootstrap, "-P", "-t", topic, "-K:", "-X", "partitioner=murmur2_random"),
        *("-H", "ce_id=from-kcat"),
        given="".join(f"{key}:theirs\n" for key in keys).encode(),
    )
    async with bus.subscribe({topic: Position.BEGINNING}) as subscription:
        records = await read(subscription, 60)
    ours = {record.key: record.partition for record in records if record.value == b"ours"}
    theirs = {record.key: record.partition for record in records if record.value == b"theirs"}
    assert ours == theirs
    assert {tuple(record.headers) for record in records} == {(), (("ce_id", b"from-kcat"),)}


async def test_kcat_reads_what_we_publish_with_its_headers(kafka_broker: Broker) -> None:
    bus, topic = await kafka_broker.bus(), kafka_broker.topic()
    await (await bus.publish_raw(topic, b"CP-001", b'{"a": 1}', [("ce_id", b"x"), ("traceparent", b"00-1-2-01")]))
    told = await kcat("-b", kafka_broker.bootstrap, "-C", "-t", topic, "-e", "-q", "-f", "%k|%s|%h\n")
    assert told == b'CP-001|{"a": 1}|ce_id=x,traceparent=00-1-2-01\n'


@dataclass
class Guarded:
    """A node that wants TLS and a password from its clients, and where its certificate is."""

    node: ApacheKafka
    folder: Path

    @property
    def bootstrap(self) -> str:
        return self.node.bootstrap


@pytest.fixture(scope="module")
def guarded_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """One for all tests here, which only come and go as clients."""
    folder = tmp_path_factory.mktemp("guarded")
    # In a thread of its own: a loop may be running here already.
    with ThreadPoolExecutor(1) as thread:
        node = thread.submit(asyncio.run, started(folder)).result()
        yield Guarded(node, folder)
        thread.submit(asyncio.run, node.__aexit__(None, None, None)).result()


async def started(tmp_path: Path) -> ApacheKafka:
    await run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
              "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(tmp_path / "key.pem"),
              "-out", str(tmp_path / "cert.pem"))  # fmt: skip
    (tmp_path / "both.pem").write_text((tmp_path / "key.pem").read_text() + (tmp_path / "cert.pem").read_text())
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    node = ApacheKafka(
        kafka_jars(CACHE),
        properties={
            "listener.security.protocol.map": "CLIENTS:SASL_SSL,CONTROLLER:PLAINTEXT",
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.clients.plain.sasl.jaas.config": (
                f'{login} username="broker" password="b" user_broker="b" user_central="right";'
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(tmp_path / "both.pem"),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(tmp_path / "cert.pem"),
        },
        probe=lambda bootstrap: guarded(bootstrap, tmp_path, "right"),
    )
    await node.start()
    return node


def guarded(bootstrap: str, directory: Path, password: str) -> KafkaSettings:
    return KafkaSettings(
        bootstrap,
        tls=True,
        tls_ca_file=str(directory / "cert.pem"),
        sasl_mechanism="PLAIN",
        sasl_username="central",
        sasl_password=password,
    )


async def test_a_broker_that_wants_tls_and_a_password_gets_them(guarded_node: Guarded) -> None:
    bus = create_bus(guarded_node.bootstrap, settings=guarded(guarded_node.bootstrap, guarded_node.folder, "right"))
    await bus.start()
    await (await bus.publish_raw("cp.health", b"k", b"v", []))
    async with bus.subscribe({"cp.health": Position.BEGINNING}) as subscription:
        assert (await read(subscription, 1))[0].value == b"v"
    await bus.stop()


async def test_a_wrong_password_is_named_as_such_and_not_shown(guarded_node: Guarded) -> None:
    bus = create_bus(
        guarded_node.bootstrap, settings=guarded(guarded_node.bootstrap, guarded_node.folder, "wrong-secret")
    )
    with structlog.testing.capture_logs() as lines:
        starting = asyncio.create_task(bus.start())
        await until(lambda: bool(lines))
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await bus.stop()
    assert "Authentication failed" in str(lines)
    assert "wrong-secret" not in str(lines)


async def test_a_certificate_that_is_not_trusted_is_named_as_such(guarded_node: Guarded) -> None:
    why = await why_unreachable(KafkaSettings(guarded_node.bootstrap, tls=True))
    assert why is not None
    assert "certificate verify failed" in why


@pytest.mark.parametrize(("password", "code"), [("right", 0), ("wrong-secret", 1)])
async def test_topics_are_looked_into_at_such_a_broker_by_who_may(
    guarded_node: Guarded, password: str, code: int
) -> None:
    bus = create_bus(guarded_node.bootstrap, settings=guarded(guarded_node.bootstrap, guarded_node.folder, "right"))
    await bus.start()
    await (await bus.publish_raw("ocpp.frames", b"CP-001", b"{}", []))
    await bus.stop()
    flags = ["--kafka-bootstrap", guarded_node.bootstrap, "--kafka-tls"]
    flags += ["--kafka-ca-file", str(guarded_node.folder / "cert.pem"), "--kafka-sasl", "PLAIN"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "evcharging", "topics", "tail", "ocpp.frames", "--from", "beginning", "--json"),
        *(*flags, "--kafka-username", "central"),
        env={**os.environ, "TOPICS_KAFKA_PASSWORD": password},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 60)
    if code == 0:
        assert b"CP-001" in line
        process.send_signal(signal.SIGINT)
    _, complaints = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == code
    assert b"wrong-secret" not in complaints
    assert (b"Authentication failed" in complaints) is (code != 0)


@pytest.mark.parametrize("password", ["right", "wrong-secret"])
async def test_topics_are_counted_at_such_a_broker_for_who_may(guarded_node: Guarded, password: str) -> None:
    bus = create_bus(guarded_node.bootstrap, settings=guarded(guarded_node.bootstrap, guarded_node.folder, "right"))
    await bus.start()
    await (await bus.publish_raw("cp.alerts", b"CP-001", b"{}", []))
    await bus.stop()
    flags = ["--kafka-bootstrap", guarded_node.bootstrap, "--kafka-tls", "--kafka-username", "central"]
    flags += ["--kafka-ca-file", str(guarded_node.folder / "cert.pem"), "--kafka-sasl", "PLAIN"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "evcharging", "topics", "list", "--json", *flags),
        env={**os.environ, "TOPICS_KAFKA_PASSWORD": password},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told, complaints = await asyncio.wait_for(process.communicate(), 60)
    rows = [json.loads(line) for line in told.splitlines()]
    alerts = next(row for row in rows if row["topic"] == "cp.alerts")
    assert process.returncode == 0
    assert (alerts["partitions"] is not None) is (password == "right")
    assert (b"Authentication failed" in complaints) is (password != "right")
    assert b"wrong-secret" not in complaints


async def run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, complaints = await process.communicate()
    assert process.returncode == 0, complaints
