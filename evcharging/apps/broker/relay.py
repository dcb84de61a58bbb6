"""A plain TCP relay: what connects to one port talks to another.

The embedded broker picks its own port and tells it to its clients in its metadata, so only the first connection of a
client comes through here. Nothing is looked at or changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

__all__ = ["relaying"]

CHUNK_BYTES = 64 * 1024


@contextlib.asynccontextmanager
async def relaying(sock: socket.socket, target: tuple[str, int]) -> AsyncIterator[tuple[str, int]]:
    """Relay whatever connects to the listening ``sock`` to ``target``, for as long as the block runs.

    Yields:
        The address that ``sock`` listens on. Connections still open at the end are closed.
    """
    open_connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_relay(reader, writer, target), name="relay connection")
        open_connections.add(task)
        task.add_done_callback(open_connections.discard)

    server = await asyncio.start_server(accept, sock=sock)
    try:
        host, port = sock.getsockname()[:2]
        yield host, port
    finally:
        server.close()
        for task in list(open_connections):
            task.cancel()
        await asyncio.gather(*open_connections, return_exceptions=True)


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: tuple[str, int]) -> None:
    try:
        onward_reader, onward_writer = await asyncio.open_connection(*target)
    except OSError:
        writer.close()
        return
    try:
        await asyncio.gather(_pump(reader, onward_writer), _pump(onward_reader, writer))
    finally:
        for end in (writer, onward_writer):
            end.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the sender has no more or either side is gone, then tell the receiver so."""
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
