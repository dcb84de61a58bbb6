"""A WebSocket server: has openings decided, keeps the sockets that are open, finds dead peers, and closes with 1001.

picows decides about an opening without waiting, and a password may have to be verified in a thread. So a door
(`evcharging.ocpp.door`) reads the request and has it decided; then picows takes the connection over. Under TLS the
transport is aiofastnet's, which picows brings along: 17 µs a round trip where uvloop's takes 39.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

import aiofastnet

from evcharging.ocpp.door import Acceptance, Decide, Decision, Dismissal, Door, TlsDoor
from evcharging.ocpp.server_socket import BEATS_TO_PING, ServerSocket
from evcharging.ocpp.upgrade import UpgradeRequest

__all__ = ["Acceptance", "Decide", "Decision", "Dismissal", "WebSocketServer"]

BACKLOG: Final = 4096


class WebSocketServer:
    """Listens, has openings decided, and keeps the sockets that are open.

    Args:
        decide: accepts, dismisses or refuses a request; it may take its time.
        refused: is told why an opening did not succeed, and its request (None: none that could be read). The reason
            is that of the `Refusal`, ``timeout``, ``stopping``, ``failed``, ``gone`` (the peer went away) or
            ``tls_handshake`` (it spoke no TLS, did not trust our certificate, or showed one that we do not).
        max_message_bytes: a longer message ends its socket with 1009.
        ping_interval_s: a quiet peer is pinged after this long at most, and is dead after two and a half times that.
        open_timeout_s: how long an opening may take, TLS apart.
        most_connections: beyond so many, open or not, new ones are cut off (``full``); None: no limit.
    """

    def __init__(
        self,
        decide: Decide,
        *,
        refused: Callable[[str, UpgradeRequest | None], None] = lambda _reason, _request: None,
        max_message_bytes: int = 256 * 1024,
        ping_interval_s: float = 20.0,
        open_timeout_s: float = 60.0,
        most_connections: int | None = None,
    ) -> None:
        self.max_message_bytes = max_message_bytes
        self.decide = decide
        self.refused = refused
        self.open_timeout_s = open_timeout_s
        self.doors: set[Door] = set()
        self._most_connections = most_connections
        self._beat_s = ping_interval_s / BEATS_TO_PING
        self._servers: list[asyncio.Server] = []
        self._sockets: set[ServerSocket] = set()
        self._beating: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()

    def __len__(self) -> int:
        return len(self._sockets)

    @property
    def opening(self) -> int:
        """How many connections have not completed their opening."""
        return len(self.doors)

    @property
    def overrun(self) -> bool:
        """Whether there are more connections than may be."""
        return self._most_connections is not None and len(self._sockets) + len(self.doors) > self._most_connections

    async def listen(self, sock: socket.socket, *, tls: ssl.SSLContext | None = None) -> None:
        """Accept connections on a socket that is bound; with ``tls`` they are encrypted."""
        loop = asyncio.get_running_loop()
        if tls is None:
            server = await loop.create_server(lambda: Door(self), sock=sock, backlog=BACKLOG)
        else:
            _take_handshakes_for_told(loop)
            server = await aiofastnet.create_server(
                loop,
                lambda: TlsDoor(self),
                sock=sock,
                ssl=tls,
                backlog=BACKLOG,
                ssl_handshake_timeout=self.open_timeout_s,
            )
        self._servers.append(server)
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat(), name="websocket-beat")

    async def close(self, code: int = 1001, reason: str = "the server is stopping") -> None:
        """Stop listening and close every socket with ``code``; returns when all are gone, within 4 s or so."""
        for server in self._servers:
            server.close()
        for door in tuple(self.doors):
            door.give_up(503, "stopping", "the server is stopping\n")
        for open_socket in tuple(self._sockets):
            open_socket.close(code, reason)
        if self._beating is not None:
            self._beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beating
        while self._sockets:
            self._empty.clear()
            await self._empty.wait()

    def enter(self, opened: ServerSocket) -> None:
        """Of `ServerSocket`."""
        self._sockets.add(opened)

    def leave(self, closed: ServerSocket) -> None:
        """Of `ServerSocket`."""
        self._sockets.discard(closed)
        if not self._sockets:
            self._empty.set()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._beat_s)
            for open_socket in tuple(self._sockets):
                open_socket.beat()


def _take_handshakes_for_told(loop: asyncio.AbstractEventLoop) -> None:
    """Have ``loop`` take a peer that hangs up in a handshake for what it is, not for an error nobody handles."""
    others = loop.get_exception_handler()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if context.get("message") == "SSL handshake failed":
            return
        if others is not None:
            others(loop, context)
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
