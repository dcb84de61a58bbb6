"""The hub as a client sees it, byte by byte."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from can import Message
from structlog.testing import capture_logs

from evcharging.can import hub as hub_module
from evcharging.can.bus import CanUnavailable, FrameReader
from evcharging.can.hub import CanHub

DEADLINE_S = 30.0


class Client:
    """A TCP connection to a hub; reads as much as it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def say(self, text: bytes) -> None:
        self._writer.write(text)

    async def hear(self) -> bytes:
        """The next element, whatever stands in it for a time replaced by T."""
        async with asyncio.timeout(DEADLINE_S):
            element = await self._reader.readuntil(b">")
        return re.sub(rb" \d+\.\d+ ", b" T ", element)

    async def ask(self, text: bytes) -> bytes:
        self.say(text)
        return await self.hear()

    async def at_end(self) -> bool:
        async with asyncio.timeout(DEADLINE_S):
            return await self._reader.read() == b""

    async def enter(self, channel: str) -> None:
        assert await self.hear() == b"< hi >"
        assert await self.ask(b"< open %b >" % channel.encode()) == b"< ok >"
        assert await self.ask(b"< rawmode >") == b"< ok >"

    def close(self) -> None:
        self._writer.close()


Connect = Callable[[], Awaitable[Client]]


@pytest.fixture
async def hub() -> AsyncIterator[CanHub]:
    hub = CanHub(max_connections=3)
    yield hub
    await hub.stop()


@pytest.fixture
async def connect(hub: CanHub) -> AsyncIterator[Connect]:
    host, port = await hub.start(port=0)
    clients: list[Client] = []

    async def connected() -> Client:
        clients.append(Client(*await asyncio.open_connection(host, port)))
        return clients[-1]

    yield connected
    for client in clients:
        client.close()


def frame(can_id: int, data: bytes = b"") -> Message:
    return Message(arbitration_id=can_id, is_extended_id=False, data=data)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_client_is_greeted_opens_a_channel_and_exchanges_frames(hub: CanHub, connect: Connect) -> None:
    client = await connect()
    await client.enter("CP-001")
    port = hub.attach("CP-001")
    with FrameReader(port) as frames:
        client.say(b"< send 210 2 20 0 >< send 200 0  >")
        async with asyncio.timeout(DEADLINE_S):
            got = [await anext(frames) for _ in range(2)]
    assert [(m.arbitration_id, bytes(m.data)) for m in got] == [(0x210, b"\x20\x00"), (0x200, b"")]
    port.post(frame(0x300, b"\x01\x00"))
    port.post(frame(0x200))
    assert await client.hear() == b"< frame 300 T 0100 >"
    assert await client.hear() == b"< frame 200 T  >"


async def test_bad_input_costs_only_itself_before_raw_mode(hub: CanHub, connect: Connect) -> None:
    client = await connect()
    assert await client.hear() == b"< hi >"
    assert await client.ask(b"< send 200 0 >") == b"< error open a channel first: open NAME >"
    assert await client.ask(b"< rawmode >") == b"< error open a channel first: open NAME >"
    assert await client.ask(b"< open two names >") == b"< error expected: open NAME, 1 to 64 printable ASCII %b >" % (
        b"characters without blank, '?' and '?'"
    )
    assert await client.ask(b"< hi >") == b"< error hi is not for a client to say >"
    assert await client.ask(b"< open CP-001 >") == b"< ok >"
    assert await client.ask(b"< send 200 0 >") == b"< error enter raw mode first: rawmode >"
    assert await client.ask(b"< open CP-002 >") == b"< error the channel is open already >"
    assert await client.ask(b"< rawmode >") == b"< ok >"
    assert hub.stats.malformed == 6


async def test_bad_input_costs_only_itself_in_raw_mode(hub: CanHub, connect: Connect) -> None:
    client = await connect()
    await client.enter("CP-001")
    port = hub.attach("CP-001")
    with FrameReader(port) as frames:
        client.say(b"garbage < send 200 9 > < send 201 0 >")
        async with asyncio.timeout(DEADLINE_S):
            assert (await anext(frames)).arbitration_id == 0x201
    assert (await client.hear()).startswith(b"< error 00000008 T ")
    assert (await client.hear()).startswith(b"< error 00000008 T ")
    assert hub.stats.malformed == 2


async def test_signs_of_life_are_returned(connect: Connect) -> None:
    client = await connect()
    assert await client.hear() == b"< hi >"
    assert await client.ask(b"< echo >") == b"< echo >"


async def test_channels_are_listed_while_somebody_is_on_them(hub: CanHub, connect: Connect) -> None:
    port = hub.attach("CP-002")
    client, asking = await connect(), await connect()
    await client.enter("CP-001")
    assert await asking.hear() == b"< hi >"
    assert await asking.ask(b"< channels >") == b"< channels: CP-002 CP-001 >"
    client.close()
    await port.close()
    await until(lambda: hub.channels == ())
    assert await asking.ask(b"< channels >") == b"< channels: >"


async def test_frames_that_come_right_after_raw_mode_wait_until_the_client_has_its_answer(
    hub: CanHub, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "QUIET_S", 0.2)
    client = await connect()
    assert await client.hear() == b"< hi >"
    assert await client.ask(b"< open CP-001 >") == b"< ok >"
    client.say(b"< rawmode >")
    await until(lambda: "CP-001" in hub.channels)
    port = hub.attach("CP-001")
    port.post(frame(0x300))
    port.post(frame(0x301))
    async with asyncio.timeout(DEADLINE_S):
        assert await client._reader.read(1000) == b"< ok >"
    assert await client.hear() == b"< frame 300 T  >"
    assert await client.hear() == b"< frame 301 T  >"


async def test_a_client_that_does_not_read_loses_frames_and_holds_up_nobody(
    hub: CanHub, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "MAX_UNREAD_BYTES", 64 * 1024)
    slow, quick = await connect(), await connect()
    await slow.enter("CP-001")
    await quick.enter("CP-001")
    port = hub.attach("CP-001")
    sent = 0
    with capture_logs() as logs:
        while hub.stats.dropped < 100:
            for _ in range(100):
                port.post(frame(0x300, sent.to_bytes(8, "little")))
                sent += 1
            for _ in range(100):
                await quick.hear()
        assert len(slow._reader._buffer) < 64 * 1024 * 1024  # type: ignore[attr-defined]
        kept = sent - hub.stats.dropped
        numbers = [int(bytes.fromhex((await slow.hear()).split()[4].decode())[0]) for _ in range(kept)]
        await until(lambda: bool(logs))
    assert numbers == [number % 256 for number in range(kept)]
    assert [(entry["channel"], entry["lost_frames"]) for entry in logs] == [("CP-001", hub.stats.dropped)]
    port.post(frame(0x201))
    assert await slow.hear() == b"< frame 201 T  >"


async def test_a_connection_too_many_is_turned_away_with_the_reason(hub: CanHub, connect: Connect) -> None:
    for _ in range(3):
        assert await (await connect()).hear() == b"< hi >"
    turned_away = await connect()
    assert await turned_away.hear() == b"< error too many connections >"
    assert await turned_away.at_end()
    assert (hub.stats.connections, hub.stats.turned_away) == (3, 1)


async def test_room_is_made_when_a_connection_ends(hub: CanHub, connect: Connect) -> None:
    clients = [await connect() for _ in range(3)]
    await clients[0].hear()
    clients[0].close()
    await until(lambda: len(hub._connections) == 2)
    assert await (await connect()).hear() == b"< hi >"


async def test_a_client_that_never_enters_raw_mode_is_sent_away(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "HANDSHAKE_TIMEOUT_S", 0.05)
    client = await connect()
    assert await client.hear() == b"< hi >"
    assert await client.hear() == b"< error no raw mode within T s >"
    assert await client.at_end()


async def test_stopping_sends_what_waits_and_ends_every_connection(hub: CanHub, connect: Connect) -> None:
    client = await connect()
    await client.enter("CP-001")
    hub.attach("CP-001").post(frame(0x301))
    await hub.stop()
    await hub.stop()
    assert await client.hear() == b"< frame 301 T  >"
    assert await client.at_end()


async def test_a_port_that_is_taken_is_named() -> None:
    hub = CanHub()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CanUnavailable, match=rf"cannot listen on 127\.0\.0\.1:{port} \(.*in use"):
            await hub.start(port=port)


def test_a_name_that_no_channel_may_have_is_refused() -> None:
    with pytest.raises(ValueError, match="1 to 64 printable"):
        CanHub().attach("two names")
