"""One open WebSocket on the server's side: whole text messages in and out, close and abort, signs of life.

The only module that knows picows as a server. Measured with 3,000 sockets under uvloop, a message of 350 bytes and its
answer (`docs/adr/0005`): picows takes 12 µs of CPU a round trip and 10 KiB a socket, websockets 15 with compression off
48 µs and 16 KiB. It never looks into a message, and knows nothing of OCPP.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol

import structlog
from picows import (
    WSAutoPingStrategy,
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # its stubs leave it out

from evcharging.ocpp.errors import ConnectionLost

__all__ = ["ServerSocket", "SocketHandler", "SocketOwner", "take_over"]

log = structlog.get_logger()

CLOSE_WITHIN_S: Final = 3.0
FIRST_BUFFER_BYTES: Final = 2048
MOST_UNSENT_BYTES: Final = 4 * 1024 * 1024
BEATS_TO_PING: Final = 2
BEATS_TO_DIE: Final = 5

PASSED_OVER: Final = {1002: "protocol_error", 1009: "too_long"}
TEXT, BINARY, CONTINUATION = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION
PING, CLOSE = WSMsgType.PING, WSMsgType.CLOSE


class SocketHandler(Protocol):
    """What one socket talks to. Should a method raise, its socket is closed with 1011."""

    def opened(self, socket: ServerSocket) -> None:
        """The opening is complete; sending may begin."""

    def text(self, data: bytes) -> None:
        """One whole text message (its UTF-8 is not checked)."""

    def ignored(self, kind: str) -> None:
        """A message was passed over: ``binary``, ``too_long``, ``protocol_error``; or a ``ping`` was answered."""

    def closed(self, reason: str) -> None:
        """The socket is gone; called once, after `opened`."""


class SocketOwner(Protocol):
    """Who keeps the sockets that are open."""

    @property
    def max_message_bytes(self) -> int:
        """A longer message ends its socket with 1009."""
        ...

    def enter(self, opened: ServerSocket) -> None:
        """A socket is open."""

    def leave(self, closed: ServerSocket) -> None:
        """It is gone."""


def take_over(
    transport: asyncio.Transport,
    read: bytes,
    *,
    key: str,
    subprotocol: str | None,
    handler: SocketHandler,
    owner: SocketOwner,
    remote: str,
) -> None:
    """Complete an opening that was decided on, and run its socket from now on.

    Args:
        transport: where the request was read from.
        read: what the client sent behind its request.
        key: the client's nonce (Sec-WebSocket-Key).
        subprotocol: what is agreed upon; None sends no such header.
        handler: what the socket talks to.
        owner: who keeps it.
        remote: the peer's address, for the handler.
    """
    headers = {} if subprotocol is None else {"Sec-WebSocket-Protocol": subprotocol}
    opening = WSUpgradeResponseWithListener(
        WSUpgradeResponse.create_101_response(headers), ServerSocket(owner, handler, remote)
    )
    protocol = WSProtocol(
        None,
        None,
        False,  # not the client's side
        lambda _request: opening,
        _QUIET,
        True,  # an exception in a listener ends its socket
        None,  # the opening had its deadline
        False,  # one beat pings all sockets: a task for each would cost 2 KiB
        0,
        0,
        WSAutoPingStrategy.PING_WHEN_IDLE,
        False,  # pings are answered here, since they are signs of life
        owner.max_message_bytes,
        None,
        FIRST_BUFFER_BYTES,
    )
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    read = _canonical_request(key) + read
    while read:
        buffer = protocol.get_buffer(len(read))
        size = min(len(buffer), len(read))
        buffer[:size] = read[:size]
        protocol.buffer_updated(size)
        read = read[size:]


class ServerSocket(WSListener):
    """One open socket. Made by the server; its handler is given it in `SocketHandler.opened`."""

    __slots__ = (
        "_closing",
        "_handler",
        "_owner",
        "_parts",
        "_quiet_beats",
        "_reason",
        "_size",
        "_transport",
        "remote",
    )

    def __init__(self, owner: SocketOwner, handler: SocketHandler, remote: str) -> None:
        self.remote = remote
        self._owner = owner
        self._handler = handler
        self._transport: WSTransport | None = None
        self._parts: list[bytes] | None = None
        self._size = 0
        self._quiet_beats = 0
        self._reason: str | None = None
        self._closing: asyncio.TimerHandle | None = None

    def send(self, data: bytes) -> None:
        """Send one text message.

        Raises:
            ConnectionLost: the socket is closed, or closing.
        """
        transport = self._transport
        if transport is None or transport.is_close_frame_sent:
            raise ConnectionLost(self._reason or "the socket is closed")
        transport.send(TEXT, data)
        if transport.underlying_transport.get_write_buffer_size() > MOST_UNSENT_BYTES:
            self.abort("does not read what it is sent")

    def close(self, code: int, reason: str) -> None:
        """Say goodbye and close; a peer that does not answer within 3 s is cut off. Idempotent."""
        transport = self._transport
        if transport is None or transport.is_close_frame_sent:
            return
        self._reason = self._reason or reason
        transport.send_close(_close_code(code), reason.encode()[:120])
        self._closing = asyncio.get_running_loop().call_later(CLOSE_WITHIN_S, self.abort, reason)
        self.resume_reading()  # or the peer's answer would not be heard

    def abort(self, reason: str) -> None:
        """Cut the connection, without a goodbye."""
        if self._transport is not None:
            self._reason = self._reason or reason
            self._transport.underlying_transport.abort()

    def pause_reading(self) -> None:
        """Leave what the peer sends in the network. What was read already may still be delivered."""
        if self._transport is not None:
            self._transport.underlying_transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again. Idempotent."""
        if self._transport is not None:
            self._transport.underlying_transport.resume_reading()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Of picows: the answer to the opening is on its way."""
        self._transport = transport
        self._owner.enter(self)
        self._handler.opened(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Of picows: one frame, which may be a part of a message."""
        self._quiet_beats = 0
        kind = frame.msg_type
        if transport.is_close_frame_sent and kind != CLOSE:
            return  # nothing could be answered any more
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._fail(1002, "no extension was agreed upon")
        elif kind == TEXT and frame.fin and self._parts is None:
            self._deliver(frame.get_payload_as_bytes())
        elif kind in (TEXT, BINARY, CONTINUATION):
            self._take_part(kind, frame)
        elif kind == PING:
            transport.send_pong(frame.get_payload_as_bytes())
            self._handler.ignored("ping")
        elif kind == CLOSE:
            if not transport.is_close_frame_sent:
                self._reason = self._reason or f"closed by the peer ({frame.get_close_code().value})"
            transport.send_close(_close_code(frame.get_close_code().value))
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Of picows: the connection is gone."""
        self._transport = None
        if self._closing is not None:
            self._closing.cancel()
        sent = transport.close_handshake and transport.close_handshake.sent
        if self._reason is None:  # picows gave it up, or nobody
            self._reason = sent.reason if sent else "the connection was lost"
            self._tell_failure(sent.code.value if sent else None)
        self._owner.leave(self)
        self._handler.closed(self._reason)

    def pause_writing(self) -> None:
        """Of picows: more than a little is unsent; `send` bounds it."""

    def resume_writing(self) -> None:
        """Of picows: it was sent."""

    def beat(self) -> None:
        """Ping a peer that has been quiet, cut off one that does not answer. Called by the server at even intervals."""
        self._quiet_beats += 1
        if self._quiet_beats >= BEATS_TO_DIE:
            self.abort("no answer to pings")
        elif self._quiet_beats >= BEATS_TO_PING and self._transport is not None:
            self._transport.send_ping()

    def _take_part(self, kind: WSMsgType, frame: WSFrame) -> None:
        """A message in several frames, or a binary one."""
        if (kind == CONTINUATION) != (self._parts is not None):
            self._fail(1002, "a fragment out of order")
            return
        if kind == BINARY:
            self._size = -1
        parts = self._parts = self._parts or []
        if self._size >= 0:
            self._size += frame.payload_size
            parts.append(frame.get_payload_as_bytes())
        if self._size > self._owner.max_message_bytes:
            self._fail(1009, f"a message over {self._owner.max_message_bytes} bytes")
        elif frame.fin:
            binary, self._parts, self._size = self._size < 0, None, 0
            if binary:
                self._handler.ignored("binary")
            else:
                self._deliver(b"".join(parts))

    def _deliver(self, message: bytes) -> None:
        try:
            self._handler.text(message)
        except Exception:
            log.exception("a message could not be taken", remote=self.remote)
            self.close(1011, "internal error")

    def _fail(self, code: int, reason: str) -> None:
        self._parts, self._size = [], -1
        self.close(code, reason)
        self._tell_failure(code)

    def _tell_failure(self, code: int | None) -> None:
        if code in PASSED_OVER:
            self._handler.ignored(PASSED_OVER[code])


def _canonical_request(key: str) -> bytes:
    """The request in the one spelling that picows accepts, whatever the client's was."""
    return (
        "GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {key}\r\n\r\n"
    ).encode()


def _close_code(code: int) -> WSCloseCode:
    return WSCloseCode(code) if code in _SENDABLE else WSCloseCode.OK


_SENDABLE = {int(code.value) for code in WSCloseCode} - {WSCloseCode.NO_INFO.value, WSCloseCode.ABNORMAL_CLOSURE.value}

_log = logging.getLogger("picows.server")
_log.setLevel(logging.CRITICAL)  # why a socket ended is told to its handler; a line for each would be a flood's weapon
_QUIET = logging.LoggerAdapter(_log, {})  # picows makes a logger for each socket unless it is given an adapter
