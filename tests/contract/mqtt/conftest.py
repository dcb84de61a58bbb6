"""The brokers that the MQTT contract is held against, as processes: the embedded one, and Mosquitto (its marker).

Also what the tests look with: a client that is none of ours (`Wire`), and a link that can be cut and frozen (`Link`).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import aiomqtt
import pytest

from evcharging.mqtt.address import MqttAddress
from tests.support.ports import free_port

DEADLINE_S = 30.0
NOTHING_DROPPED = "max_queued_messages 0"
"""By default Mosquitto drops what a subscriber has not read beyond 1,000 messages, QoS 1 and retained ones too."""

_names = itertools.count(1)


class BrokerProcess:
    """A broker in a process of its own, that can be killed and started again on the same port."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self._configuration = folder / "mosquitto.conf"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> MqttAddress:
        return MqttAddress("127.0.0.1", self.port)

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and return when it accepts connections."""
        self._process = subprocess.Popen(self._command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + DEADLINE_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                pytest.fail(f"the {self.kind} broker did not start on port {self.port}")
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL: it says no goodbye and keeps nothing."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _command(self) -> list[str]:
        if self.kind == "amqtt":
            return [sys.executable, "-m", "evcharging.apps.mqtt_broker.main", "--port", str(self.port)]
        self._configuration.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n{NOTHING_DROPPED}\n"
        )
        return [mosquitto_program(), "-c", str(self._configuration)]


def mosquitto_program() -> str:
    """Where Mosquitto is. Where it is not, the test that wants it fails and says so."""
    program = shutil.which("mosquitto") or shutil.which(
        "mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
    )
    if program is None:
        pytest.fail(
            "the Mosquitto broker is not installed, and this test is held against it: install the package mosquitto "
            "(apt-get install mosquitto, brew install mosquitto), or leave these tests out with -m 'not mosquitto'",
            pytrace=False,
        )
    return program


KINDS = ["amqtt", pytest.param("mosquitto", marks=pytest.mark.mosquitto)]


@pytest.fixture(scope="session", params=KINDS)
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """Each kind of broker in turn, one for the whole run: a test takes unit names of its own."""
    made = BrokerProcess(request.param, tmp_path_factory.mktemp("broker"))
    made.start()
    yield made
    made.kill()


@pytest.fixture(params=KINDS)
def own_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BrokerProcess]:
    """Each kind of broker in turn, not started, for this test to start, freeze and kill."""
    made = BrokerProcess(request.param, tmp_path)
    yield made
    made.kill()


@pytest.fixture
def unit_id() -> str:
    """A unit that no other test uses."""
    return f"CP-{next(_names):03}"


@pytest.fixture
def other_unit_id() -> str:
    """Another one."""
    return f"CP-{next(_names):03}"


@pytest.fixture
def engine_id() -> str:
    """An engine that no other test uses."""
    return f"engine-{next(_names)}"


def utc_now() -> datetime:
    return datetime.now(UTC)


class Wire:
    """Everything that a client of another make sees on a broker."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.retained: list[bool] = []
        self._client: aiomqtt.Client | None = None
        self._arrived = asyncio.Event()

    def of(self, topic: str) -> list[bytes]:
        return [payload for name, payload in self.messages if name == topic]

    def last(self, topic: str) -> bytes | None:
        payloads = self.of(topic)
        return payloads[-1] if payloads else None

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for messages until ``condition`` holds."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._arrived.clear()
                await self._arrived.wait()

    async def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        assert self._client is not None
        await self._client.publish(topic, payload, qos=qos, retain=retain)

    @contextlib.asynccontextmanager
    async def watching(self, broker: BrokerProcess, *filters: str) -> AsyncIterator[Wire]:
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            self._client = client
            for name in filters or ("evse/#", "homeassistant/#"):
                await client.subscribe(name, qos=1)
            reading = asyncio.create_task(self._read(client))
            try:
                yield self
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def _read(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            self.messages.append((message.topic.value, message.payload))
            self.retained.append(message.retain)
            self._arrived.set()


@pytest.fixture
def new_wire() -> type[Wire]:
    """For tests that look again, later, or elsewhere."""
    return Wire


@pytest.fixture
async def wire(broker: BrokerProcess) -> AsyncIterator[Wire]:
    """Sees every unit on the shared broker."""
    async with Wire().watching(broker) as watching:
        yield watching


class Link:
    """A TCP relay to a broker, that can be cut (both sides dropped) and frozen (nothing passes, nothing is closed)."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._refusing = False
        self._flowing = asyncio.Event()
        self._flowing.set()

    @property
    def address(self) -> MqttAddress:
        assert self._server is not None
        return MqttAddress("127.0.0.1", self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        self._flowing.set()
        self.cut()
        await self._server.wait_closed()

    def cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    def refuse(self) -> None:
        """Cut, and let nobody in until `accept`."""
        self._refusing = True
        self.cut()

    def accept(self) -> None:
        self._refusing = False

    def freeze(self) -> None:
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        try:
            await asyncio.gather(self._pass_on(reader, far_writer), self._pass_on(far_reader, writer))
        finally:
            self._writers -= {writer, far_writer}
            for end in (writer, far_writer):
                end.close()
                with contextlib.suppress(OSError):
                    await end.wait_closed()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


@pytest.fixture
def new_link() -> type[Link]:
    """For tests with a broker of their own."""
    return Link


@pytest.fixture
async def link(broker: BrokerProcess) -> AsyncIterator[Link]:
    """A breakable way to the shared broker."""
    async with Link(broker.port) as made:
        yield made


@contextlib.contextmanager
def publishing_process(program: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process that runs ``program``; whatever happens, it is gone afterwards."""
    process = subprocess.Popen([sys.executable, "-c", program, *arguments], cwd=Path(__file__).parents[3])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def start_publishing() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts processes that end with the test."""
    with contextlib.ExitStack() as stack:

        def start(program: str, *arguments: str) -> subprocess.Popen[bytes]:
            return stack.enter_context(publishing_process(program, *arguments))

        yield start
