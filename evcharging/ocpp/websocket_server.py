"""A WebSocket server: has openings decided, keeps the sockets that are open, finds dead peers, and closes with 1001.

picows decides about an opening without waiting, and a password may have to be verified in a thread. So a door reads the
request and has it decided; then picows takes the connection over (`evcharging.ocpp.server_socket`). Under TLS the
transport is aiofastnet's, which picows brings along: 17 µs a round trip where uvloop's takes 39.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import aiofastnet
import structlog

from evcharging.ocpp.server_socket import BEATS_TO_PING, ServerSocket, SocketHandler, take_over
from evcharging.ocpp.upgrade import (
    MOST_HEAD_BYTES,
    NO_WEBSOCKET,
    BadRequest,
    Refusal,
    UpgradeRequest,
    parse_request,
    refusal_bytes,
    refused_unread,
)

__all__ = ["Acceptance", "Decide", "Decision", "Dismissal", "WebSocketServer"]

log = structlog.get_logger()

BACKLOG: Final = 4096


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Complete the opening with ``subprotocol``, and talk to ``handler``."""

    subprotocol: str
    handler: SocketHandler


@dataclass(frozen=True, slots=True)
class Dismissal:
    """Complete the opening without a subprotocol and close at once, as OCPP-J asks where none is agreed upon."""

    code: int
    reason: str


Decision: TypeAlias = Acceptance | Dismissal | Refusal
Decide: TypeAlias = Callable[[UpgradeRequest], Decision | Awaitable[Decision]]


class WebSocketServer:
    """Listens, has openings decided, and keeps the sockets that are open.

    Args:
        decide: accepts, dismisses or refuses a request; it may take its time.
        refused: is told why an opening did not succeed, and its request (None: none that could be read). The reason
            is that of the `Refusal`, ``timeout``, ``stopping``, ``failed`` or ``gone`` (the peer went away).
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
        self.doors: set[_Door] = set()
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
            server = await loop.create_server(lambda: _Door(self), sock=sock, backlog=BACKLOG)
        else:
            server = await aiofastnet.create_server(
                loop,
                lambda: _Door(self),
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


class _Door(asyncio.Protocol):
    """Reads one request and has it decided, then hands the connection over to picows, or refuses it."""

    def __init__(self, server: WebSocketServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._read = b""
        self._request: UpgradeRequest | None = None
        self._deciding: asyncio.Future[Decision] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._server.doors.add(self)
        if self._server.overrun:
            self._finish()
            self._server.refused("full", None)
            transport.abort()
            return
        self._timer = asyncio.get_running_loop().call_later(
            self._server.open_timeout_s, self.give_up, 408, "timeout", "the opening took too long\n"
        )

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._finish()
            self._server.refused("gone", self._request)

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        if not self._read and (refusal := refused_unread(data)) is not None:
            self._refuse(refusal)
            return
        self._read += data
        if self._request is not None:
            if len(self._read) > MOST_HEAD_BYTES:
                self._transport.pause_reading()  # it talks before it is let in
            return
        head, end, rest = self._read.partition(b"\r\n\r\n")
        if not end or len(head) > MOST_HEAD_BYTES:
            if len(self._read) > MOST_HEAD_BYTES:
                self.give_up(431, NO_WEBSOCKET, f"a request's head has {MOST_HEAD_BYTES} bytes at most\n")
            return
        self._read = rest
        self._consider(head)

    def give_up(self, status: int, reason: str, text: str) -> None:
        """Refuse whatever it wanted."""
        self._refuse(Refusal(status, reason, text))

    def _consider(self, head: bytes) -> None:
        assert self._transport is not None  # noqa: S101 - a connection that is lost delivers nothing
        told = self._transport.get_extra_info
        secure = told("sslcontext") is not None or told("ssl_object") is not None
        try:
            self._request = parse_request(
                head, remote=_address(told("peername")), secure=secure, certificate=told("peercert") if secure else None
            )
            decision = self._server.decide(self._request)
        except BadRequest as error:
            self._refuse(error.refusal)
            return
        except Exception:
            log.exception("an opening could not be decided")
            self.give_up(500, "failed", "the opening could not be decided\n")
            return
        if isinstance(decision, (Acceptance, Dismissal, Refusal)):
            self._settle(decision)
        else:
            self._deciding = asyncio.ensure_future(decision)
            self._deciding.add_done_callback(self._decided)

    def _decided(self, deciding: asyncio.Future[Decision]) -> None:
        if deciding.cancelled() or self._transport is None:
            return
        error = deciding.exception()
        if error is not None:
            log.error("an opening could not be decided", exc_info=error)
            self.give_up(500, "failed", "the opening could not be decided\n")
        else:
            self._settle(deciding.result())

    def _settle(self, decision: Decision) -> None:
        if isinstance(decision, Refusal):
            self._refuse(decision)
            return
        transport, request = self._transport, self._request
        assert transport is not None and request is not None  # noqa: S101, PT018 - both are there once it is decided
        subprotocol: str | None = None
        handler: SocketHandler
        if isinstance(decision, Acceptance):
            subprotocol = decision.subprotocol
            handler = decision.handler
        else:
            handler = _Dismissed(decision)
        self._finish()
        take_over(
            transport,
            self._read,
            key=request.key,
            subprotocol=subprotocol,
            handler=handler,
            owner=self._server,
            remote=request.remote,
        )
        transport.resume_reading()

    def _refuse(self, refusal: Refusal) -> None:
        transport = self._transport
        if transport is None:
            return
        self._finish()
        self._server.refused(refusal.reason, self._request)
        transport.write(refusal_bytes(refusal))
        transport.close()

    def _finish(self) -> None:
        self._transport = None
        self._server.doors.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None  # it holds this door, which holds the timer
        if self._deciding is not None and not self._deciding.done():
            self._deciding.cancel()


class _Dismissed:
    """Closes as soon as it is opened."""

    def __init__(self, dismissal: Dismissal) -> None:
        self._dismissal = dismissal

    def opened(self, socket: ServerSocket) -> None:
        socket.close(self._dismissal.code, self._dismissal.reason)

    def text(self, data: bytes) -> None: ...

    def ignored(self, kind: str) -> None: ...

    def closed(self, reason: str) -> None: ...


def _address(peername: Any) -> str:
    return str(peername[0]) if isinstance(peername, tuple) and peername else ""
