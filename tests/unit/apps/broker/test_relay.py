from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from evcharging.apps.broker.relay import relaying


@pytest.fixture
def listening() -> socket.socket:
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


@pytest.fixture
async def echo() -> AsyncIterator[tuple[str, int]]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1024):
            writer.write(chunk.upper())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()


async def test_what_is_sent_comes_out_at_the_other_side_and_back(
    listening: socket.socket, echo: tuple[str, int]
) -> None:
    async with relaying(listening, echo) as address:
        assert address == listening.getsockname()
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"hello " * 50_000)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 30) == b"HELLO " * 50_000
        writer.close()


async def test_connections_do_not_mix(listening: socket.socket, echo: tuple[str, int]) -> None:
    async with relaying(listening, echo) as address:
        pairs = [await asyncio.open_connection(*address) for _ in range(5)]
        for number, (_, writer) in enumerate(pairs):
            writer.write(b"abcde"[number : number + 1] * 10)
        for number, (reader, writer) in enumerate(pairs):
            assert await asyncio.wait_for(reader.readexactly(10), 30) == b"ABCDE"[number : number + 1] * 10
            writer.close()


async def test_a_client_is_let_go_when_there_is_nothing_behind_the_relay(listening: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        target = gone.getsockname()
    async with relaying(listening, target) as address:
        reader, writer = await asyncio.open_connection(*address)
        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()


async def test_leaving_closes_what_is_open(listening: socket.socket, echo: tuple[str, int]) -> None:
    async with relaying(listening, echo) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"x")
        await asyncio.wait_for(reader.readexactly(1), 30)
    assert await asyncio.wait_for(reader.read(), 30) == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)
