from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Self

import pytest
from can import Message
from structlog.testing import capture_logs

from evcharging.can import hub_client, hub_client_connection
from evcharging.can.bus import CanClosed, CanDisconnected, CanOverloaded, FrameReader
from evcharging.can.hub import CanHub
from evcharging.can.hub_client import HubBus, fetch_channels

DEADLINE_S = 30.0


def frame(can_id: int, data: bytes = b"") -> Message:
    return Message(arbitration_id=can_id, is_extended_id=False, data=data)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.001)


async def fill(bus: HubBus) -> int:
    """Post numbered frames until no more are taken, and return how many were."""
    sent = 0
    while True:
        try:
            bus.post(frame(0x300, sent.to_bytes(8, "little")))
        except CanOverloaded:
            return sent
        sent += 1
        await asyncio.sleep(0)


class Server:
    """A TCP server that does as a test says, with the streams of the connections it took."""

    def __init__(self, greeting: bytes = b"< hi >") -> None:
        self.streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._greeting = greeting

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for _, writer in self.streams:
            writer.close()
        await self._server.wait_closed()

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._greeting)
        self.streams.append((reader, writer))

    async def accept_raw_mode(self, *, trailing: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        await until(lambda: bool(self.streams))
        reader, writer = self.streams[-1]
        async with asyncio.timeout(DEADLINE_S):
            assert await reader.readuntil(b">") == b"< open CP-001 >"
            writer.write(b"< ok >")
            assert await reader.readuntil(b">") == b"< rawmode >"
            writer.write(b"< ok >" + trailing)
        return reader, writer


@pytest.fixture
async def bus_to(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[int], HubBus]]:
    opened: list[HubBus] = []

    def to(port: int) -> HubBus:
        opened.append(HubBus("127.0.0.1", port, "CP-001", rng=random.Random(7)))
        return opened[-1]

    yield to
    for bus in opened:
        await bus.close()


async def test_a_bus_connects_when_its_hub_comes_and_again_when_it_comes_back(
    bus_to: Callable[[int], HubBus],
) -> None:
    hub = CanHub()
    _, port = await hub.start(port=0)
    await hub.stop()
    bus = bus_to(port)
    with pytest.raises(CanDisconnected, match=f"no CAN hub at 127.0.0.1:{port}"):
        await bus.wait_connected(0.2)
    for _ in range(2):
        hub = CanHub()
        await hub.start(port=port)
        await bus.wait_connected(DEADLINE_S)
        with FrameReader(hub.attach("CP-001")) as frames:
            bus.post(frame(0x200))
            async with asyncio.timeout(DEADLINE_S):
                assert (await anext(frames)).arbitration_id == 0x200
        await hub.stop()
        await until(lambda: not bus.connected)


async def test_losing_and_finding_the_hub_is_said_once_each(bus_to: Callable[[int], HubBus]) -> None:
    hub = CanHub()
    _, port = await hub.start(port=0)
    bus = bus_to(port)
    await bus.wait_connected(DEADLINE_S)
    with capture_logs() as logs:
        await hub.stop()
        await until(lambda: not bus.connected)
        with pytest.raises(CanDisconnected):
            await bus.wait_connected(0.5)
        hub = CanHub()
        await hub.start(port=port)
        await bus.wait_connected(DEADLINE_S)
        await hub.stop()
    assert [(entry["event"], entry["log_level"]) for entry in logs][:2] == [
        ("no CAN hub", "warning"),
        ("the CAN hub is back", "info"),
    ]


async def test_nothing_is_kept_while_there_is_no_hub(bus_to: Callable[[int], HubBus]) -> None:
    async with Server() as server:
        bus = bus_to(server.port)
        with pytest.raises(CanDisconnected, match="channel CP-001: no CAN hub"):
            bus.post(frame(0x210))
        with pytest.raises(CanDisconnected):
            await bus.send(frame(0x210))
        reader, writer = await server.accept_raw_mode()
        await bus.wait_connected(DEADLINE_S)
        bus.post(frame(0x200))
        async with asyncio.timeout(DEADLINE_S):
            assert await reader.readuntil(b">") == b"< send 200 0  >"
        writer.close()


async def test_frames_that_come_with_the_answer_to_raw_mode_are_heard(bus_to: Callable[[int], HubBus]) -> None:
    async with Server() as server:
        bus = bus_to(server.port)
        with FrameReader(bus) as frames:
            await server.accept_raw_mode(trailing=b"< frame 300 1.0 0100 >< frame 301 2.0  >")
            async with asyncio.timeout(DEADLINE_S):
                got = [await anext(frames) for _ in range(2)]
    assert [(m.arbitration_id, m.timestamp, bytes(m.data), m.channel) for m in got] == [
        (0x300, 1.0, b"\x01\x00", "CP-001"),
        (0x301, 2.0, b"", "CP-001"),
    ]


async def test_what_the_hub_says_wrong_is_counted_and_left_out(bus_to: Callable[[int], HubBus]) -> None:
    async with Server() as server:
        bus = bus_to(server.port)
        with FrameReader(bus) as frames:
            trailing = b"junk < frame 300 x >< error no such thing >< error 8 1.0 bad >< frame 301 1.0  >"
            await server.accept_raw_mode(trailing=trailing)
            async with asyncio.timeout(DEADLINE_S):
                assert (await anext(frames)).arbitration_id == 0x301
    assert bus.malformed == 2


@pytest.mark.parametrize(
    ("greeting", "obstacle"),
    [
        (b"< error too many connections >", "too many connections"),
        (b"SSH-2.0-OpenSSH_9.2\r\n<>", "expected Hi; is this a socketcand hub"),
    ],
)
async def test_who_answers_but_is_no_hub_for_us_is_named(
    bus_to: Callable[[int], HubBus], greeting: bytes, obstacle: str
) -> None:
    async with Server(greeting) as server:
        bus = bus_to(server.port)
        await until(lambda: len(server.streams) > 1)
        with pytest.raises(CanDisconnected, match=obstacle):
            await bus.wait_connected(0.01)


async def test_who_takes_the_connection_and_says_nothing_is_given_up(
    bus_to: Callable[[int], HubBus], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_client_connection, "ANSWER_TIMEOUT_S", 0.05)
    async with Server(b"") as server:
        bus = bus_to(server.port)
        await until(lambda: len(server.streams) > 1)
        with pytest.raises(CanDisconnected, match="no answer within"):
            await bus.wait_connected(0.01)


async def test_a_hub_that_does_not_read_is_not_buried_in_frames(
    bus_to: Callable[[int], HubBus], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_client_connection, "MAX_UNSENT_BYTES", 1024)
    async with Server() as server:
        bus = bus_to(server.port)
        reader, _ = await server.accept_raw_mode()
        await bus.wait_connected(DEADLINE_S)
        sent = await fill(bus)
        with pytest.raises(CanOverloaded, match="does not read channel CP-001"):
            bus.post(frame(0x200))
        assert bus.dropped == 2
        waiting = asyncio.create_task(bus.send(frame(0x201)))
        await asyncio.sleep(0)
        assert not waiting.done()
        async with asyncio.timeout(DEADLINE_S):
            for number in range(sent):
                element = await reader.readuntil(b">")
                assert element.split()[4] == b"%02x" % (number % 256)
            assert await reader.readuntil(b">") == b"< send 201 0  >"
            await waiting


async def test_whoever_waits_for_room_is_told_when_the_hub_goes(
    bus_to: Callable[[int], HubBus], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_client_connection, "MAX_UNSENT_BYTES", 1024)
    async with Server() as server:
        bus = bus_to(server.port)
        _, writer = await server.accept_raw_mode()
        await bus.wait_connected(DEADLINE_S)
        await fill(bus)
        waiting = asyncio.create_task(bus.send(frame(0x201)))
        await asyncio.sleep(0)
        writer.transport.abort()
        with pytest.raises(CanDisconnected):
            async with asyncio.timeout(DEADLINE_S):
                await waiting


async def test_closing_while_connecting_leaves_no_task_behind() -> None:
    async with Server(b"") as server:
        bus = HubBus("127.0.0.1", server.port, "CP-001")
        await until(lambda: bool(server.streams))
        await bus.close()
        assert [t for t in asyncio.all_tasks() if t.get_name().startswith("can-hub-client")] == []
        with pytest.raises(CanClosed):
            bus.post(frame(0x200))


async def test_a_hub_says_which_channels_it_has() -> None:
    hub = CanHub()
    _, port = await hub.start(port=0)
    for number in range(500):
        hub.attach(f"CP-{number:03}")
    assert await fetch_channels("127.0.0.1", port) == tuple(f"CP-{number:03}" for number in range(500))
    await hub.stop()
    with pytest.raises(CanDisconnected, match=f"no list of channels from 127.0.0.1:{port}"):
        await fetch_channels("127.0.0.1", port)


def test_pauses_between_attempts_are_bounded() -> None:
    assert hub_client.FIRST_PAUSE_S < hub_client.LONGEST_PAUSE_S <= 2.0
