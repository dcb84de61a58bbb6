"""Websockets without a network: a dialler whose other end is an object in the same process, for tests and dry runs.

Texts arrive in order, in a later turn of the event loop than they were sent in, as they would from a network. Nothing
is ever lost unless a side drops the connection; then what is on its way is lost with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ssl import SSLContext
from typing import Protocol

from evcharging.ocpp.errors import ConnectionLost, OcppError

__all__ = ["Acceptor", "LoopbackNetwork", "LoopbackRefused", "LoopbackSocket", "Opening"]


class LoopbackRefused(OcppError):
    """The other end does not take the connection."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a dialler said with the handshake."""

    url: str
    subprotocols: tuple[str, ...]
    headers: Mapping[str, str]


class LoopbackSocket:
    """One end of a connection. `on_text` and `on_closed` may be set once it is there."""

    def __init__(self, subprotocol: str | None) -> None:
        self.subprotocol = subprotocol
        self.on_text: Callable[[bytes], None] = _ignore_text
        self.on_closed: Callable[[str], None] = _ignore_reason
        self.pings = 0
        self.close_code: int | None = None
        self._peer: LoopbackSocket | None = None
        self.open = True

    def send(self, data: bytes) -> None:
        """Send one text. Raises ConnectionLost after the end."""
        if not self.open or self._peer is None:
            raise ConnectionLost("the connection is closed")
        asyncio.get_running_loop().call_soon(self._peer._arrive, data)  # noqa: SLF001 - the other end of the pair

    def ping(self) -> None:
        """Count a ping; the other end is there as long as the connection is."""
        self.pings += 1

    async def close(self, code: int = 1000) -> None:
        """End the connection with `code`."""
        self.close_code = code
        self._end(f"closed with {code}")

    def abort(self) -> None:
        """Drop the connection."""
        self._end("dropped")

    def joined(self, other: LoopbackSocket) -> LoopbackSocket:
        """Make `other` the far end and return this one."""
        self._peer, other._peer = other, self
        return self

    def _arrive(self, data: bytes) -> None:
        if self.open:
            self.on_text(data)

    def _end(self, reason: str) -> None:
        loop = asyncio.get_running_loop()
        for side in (self, self._peer):
            if side is not None and side.open:
                side.open = False
                loop.call_soon(side.on_closed, reason)


class Acceptor(Protocol):
    """The far end of a network."""

    def accept(self, opening: Opening, socket: LoopbackSocket) -> str | None:
        """Take a connection, its callbacks set, and return the subprotocol chosen. Raises LoopbackRefused."""


class LoopbackNetwork:
    """Connects diallers with `acceptor`. While `up` is False nobody is reached; `cut` drops what stands."""

    def __init__(self, acceptor: Acceptor) -> None:
        self.acceptor = acceptor
        self.up = True
        self.dialled = 0
        self._sockets: list[LoopbackSocket] = []

    async def dial(
        self,
        url: str,
        *,
        subprotocols: Sequence[str],
        headers: Mapping[str, str],
        ssl_context: SSLContext | None,
        source_address: str | None,
        on_text: Callable[[bytes], None],
        on_closed: Callable[[str], None],
        max_frame_bytes: int,
        open_timeout_s: float,
    ) -> LoopbackSocket:
        """Open a connection as `evcharging.ocpp.websocket_client.dial` does. Raises LoopbackRefused."""
        del ssl_context, source_address, max_frame_bytes, open_timeout_s  # there is no network to use them
        self.dialled += 1
        await asyncio.sleep(0)
        if not self.up:
            raise LoopbackRefused(f"{url}: nobody there")
        near, far = LoopbackSocket(None), LoopbackSocket(None)
        near.on_text, near.on_closed = on_text, on_closed
        near.joined(far)
        far.subprotocol = near.subprotocol = self.acceptor.accept(Opening(url, tuple(subprotocols), headers), far)
        self._sockets = [socket for socket in self._sockets if socket.open]
        self._sockets.append(near)
        return near

    def cut(self) -> None:
        """Drop every connection, as a broken network does."""
        for socket in self._sockets:
            socket.abort()


def _ignore_text(_: bytes) -> None:
    return None


def _ignore_reason(_: str) -> None:
    return None
