"""An open websocket at the station's end: whole texts in and out, bounded both ways, and dropped when its peer is dead.

Together with `evcharging.ocpp.websocket_client`, which opens it, the only module that knows picows on the client side.
It never reconnects, and knows nothing of what the texts say.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import structlog
from picows import WSFrame, WSListener, WSMsgType, WSTransport

from evcharging.ocpp.errors import ConnectionLost
from evcharging.ocpp.timer_wheel import Due, TimerWheel

__all__ = ["ABNORMAL", "BinaryMessage", "WebSocket"]

log = structlog.get_logger()

# Looked up once: to find a member of an enumeration takes 150 ns, and each text asks for three.
TEXT, BINARY, CONTINUATION = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION
PING, CLOSE = WSMsgType.PING, WSMsgType.CLOSE
MOST_UNSENT_BYTES: Final = 1 << 20
"""What may wait for a peer that does not read; more drops it."""
CLOSE_TIMEOUT_S: Final = 3.0
MOST_EARLY_TEXTS: Final = 64
"""Texts that may come before the caller of `dial` has its socket."""
ABNORMAL: Final = 1006
"""The close code of a connection that ended without a close frame (RFC 6455, section 7.4.1); never sent."""
NO_CODE: Final = 1005
"""That of a close frame without a code; never sent."""


class BinaryMessage(bytes):
    """What no station should send, and protocol faults do: a binary message."""


class WebSocket(WSListener):
    """An open websocket, or one that was open. Made by `dial`."""

    __slots__ = (
        "_awaiting_pong",
        "_begun",
        "_ended",
        "_failing",
        "_fragments",
        "_fragments_bytes",
        "_heard",
        "_keepalive",
        "_loop",
        "_on_closed",
        "_on_text",
        "_paused",
        "_ping_after_s",
        "_reason",
        "_stall",
        "_stalled_after_s",
        "_transport",
        "_waiting",
        "close_code",
        "max_bytes",
        "subprotocol",
    )

    def __init__(
        self,
        on_text: Callable[[bytes], None],
        on_closed: Callable[[str], None],
        max_bytes: int,
        *,
        ping_after_s: float,
        stalled_after_s: float,
    ) -> None:
        self.subprotocol: str | None = None
        """What the server chose."""
        self.close_code: int | None = None
        """With which the connection ended, whoever ended it; 1006 for without one, None while it is open."""
        self._on_text = on_text
        self._on_closed = on_closed
        self.max_bytes = max_bytes
        self._ping_after_s = ping_after_s
        self._stalled_after_s = stalled_after_s
        self._loop = asyncio.get_running_loop()
        self._transport: WSTransport | None = None
        self._begun: list[bytes] | None = []
        """What came before `begin`; None from then on."""
        self._fragments: list[bytes] | None = None
        self._fragments_bytes = 0
        self._heard = True
        self._awaiting_pong = False
        self._keepalive: Due | None = None
        self._paused = False
        self._stall: asyncio.TimerHandle | None = None
        self._failing: asyncio.TimerHandle | None = None
        self._reason: str | None = None
        self._ended = False
        self._waiting: asyncio.Future[None] | None = None

    def send(self, data: bytes) -> None:
        """Send one text message, in UTF-8; it is buffered while the peer is slow to read.

        A `BinaryMessage` goes out as what it is.

        Raises:
            ConnectionLost: the connection is over, or was ended now, because the peer does not read.
        """
        transport = self._transport
        if transport is None or self._reason is not None:
            raise ConnectionLost(self._reason or "the websocket is not open")
        if self._paused:
            self._bound_unsent()
        transport.send(TEXT if type(data) is bytes else _message_type(data), data)

    def ping(self) -> None:
        """Send a ping. A peer that says nothing at all until the next look is dropped."""
        if self._transport is not None and self._reason is None:
            self._transport.send_ping()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with ``code`` and return when the connection is over: at once if it is, after 3 s at the latest."""
        if self._ended or self._transport is None:
            return
        self._fail(code, f"closed with {code}", told=reason)
        if self._waiting is None:
            self._waiting = self._loop.create_future()
        await asyncio.shield(self._waiting)

    def abort(self) -> None:
        """Drop the connection at once, as a broken network does. `on_closed` is called soon."""
        self._drop("dropped")

    def begin(self) -> None:
        """Hand on what came early, and from now on everything as it comes. For `dial`."""
        early, self._begun = self._begun or [], None
        for text in early:
            self._hand_on(text)
        if self._ended:
            self._tell()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The handshake is done."""
        self._transport = transport
        for said in (transport.request, transport.response):
            said.headers.clear()  # nobody reads them any more, and picows keeps them as long as the connection
        self._keepalive = TimerWheel.of(self._loop).call_later(self._ping_after_s, self._look)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A frame came."""
        self._heard = True
        kind = frame.msg_type
        if self._failing is not None and kind != CLOSE:
            return
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._fail(1002, "the peer set reserved bits, and no extension was agreed")
            return
        if kind == TEXT and frame.fin and self._fragments is None:
            if frame.payload_size > self.max_bytes:
                self._too_big()
            else:
                self._whole(frame.get_payload_as_bytes())
        elif kind in {TEXT, CONTINUATION}:
            self._fragment(frame)
        elif kind == PING:
            transport.send_pong(frame.get_payload_as_bytes())
            if self._paused:
                with contextlib.suppress(ConnectionLost):
                    self._bound_unsent()
        elif kind == CLOSE:
            self._closed_by_peer(transport)
        elif kind == BINARY:
            self._fail(1003, "the peer sent a binary message")

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The connection is over."""
        self._ended = True
        handshake = transport.close_handshake
        if self._reason is None:
            # Not ended here, and no close frame came: what picows found against the protocol, or nothing at all.
            sent = handshake.sent if handshake is not None else None
            self.close_code = ABNORMAL if sent is None else int(sent.code)  # type: ignore[call-overload]
            self._reason = "the connection was lost" if sent is None else f"{sent.reason or 'protocol error'}"
            if sent is not None:
                _swallow(self._loop, transport)
        if self.close_code is None:
            self.close_code = ABNORMAL
        for handle in (self._keepalive, self._stall, self._failing):
            if handle is not None:
                handle.cancel()
        self._transport = None
        self._fragments = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
        if self._begun is None:
            self._tell()

    def pause_writing(self) -> None:
        """The peer does not read as fast as it is written to."""
        self._paused = True
        if self._stall is None:
            self._stall = self._loop.call_later(self._stalled_after_s, self._stalled)

    def resume_writing(self) -> None:
        """The peer has read."""
        self._paused = False
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _tell(self) -> None:
        on_closed, self._on_closed = self._on_closed, _nothing
        try:
            on_closed(self._reason or "")
        except Exception:
            log.exception("the end of a websocket could not be handled")

    def _whole(self, text: bytes) -> None:
        if not text.isascii():
            try:
                text.decode()
            except UnicodeDecodeError:
                self._fail(1007, "the peer sent a text that is no UTF-8")
                return
        if self._begun is None:
            self._hand_on(text)
        elif len(self._begun) < MOST_EARLY_TEXTS:
            self._begun.append(text)
        else:
            self._fail(1008, f"the peer sent more than {MOST_EARLY_TEXTS} texts along with the handshake")

    def _hand_on(self, text: bytes) -> None:
        try:
            self._on_text(text)
        except Exception:
            log.exception("a text could not be handled")
            self._fail(1011, "a text could not be handled")

    def _fragment(self, frame: WSFrame) -> None:
        begins = frame.msg_type == TEXT
        if begins != (self._fragments is None):
            self._fail(1002, "the peer mixed up the fragments of its messages")
            return
        if self._fragments is None:
            self._fragments = []
            self._fragments_bytes = 0
        self._fragments_bytes += frame.payload_size
        if self._fragments_bytes > self.max_bytes:
            self._fragments = None
            self._too_big()
            return
        self._fragments.append(frame.get_payload_as_bytes())
        if frame.fin:
            text, self._fragments = b"".join(self._fragments), None
            self._whole(text)

    def _too_big(self) -> None:
        self._fail(1009, f"the peer sent a message of more than {self.max_bytes} bytes")

    def _closed_by_peer(self, transport: WSTransport) -> None:
        received = transport.close_handshake.recv
        if self._reason is None:
            code = int(received.code) if received is not None else 0  # type: ignore[call-overload]
            said = received.reason if received is not None else None
            self.close_code = code or NO_CODE
            self._reason = f"closed by the peer with {self.close_code}" + (f" ({said[:123]})" if said else "")
            answered = 1000 if code in {0, NO_CODE, ABNORMAL} else code
            transport.send_close(answered)  # type: ignore[arg-type]  # any code may be sent, not only the listed ones
        transport.disconnect()
        if self._failing is None:
            self._failing = self._loop.call_later(CLOSE_TIMEOUT_S, self._cut)

    def _fail(self, code: int, reason: str, *, told: str | None = None) -> None:
        """Close with ``code`` for ``reason``, and cut the connection if the peer takes its time."""
        transport = self._transport
        if transport is None or self._failing is not None:
            return
        self._reason = reason
        self.close_code = code
        text = (reason if told is None else told).encode()[:123].decode("utf-8", "ignore")
        transport.send_close(code, text)  # type: ignore[arg-type]  # as above
        self._failing = self._loop.call_later(CLOSE_TIMEOUT_S, self._cut)

    def _drop(self, reason: str) -> None:
        if self._transport is not None:
            if self._reason is None:
                self._reason = reason
                self.close_code = ABNORMAL
            self._cut()

    def _cut(self) -> None:
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def _bound_unsent(self) -> None:
        if self._transport is None:
            return
        unsent = self._transport.underlying_transport.get_write_buffer_size()
        if unsent > MOST_UNSENT_BYTES:
            self._drop(f"dropped: the peer does not read, {unsent} bytes are unsent")
            raise ConnectionLost(self._reason)

    def _stalled(self) -> None:
        self._drop(f"dropped: the peer has not read for {self._stalled_after_s:g} s")

    def _look(self) -> None:
        """Whether anything came since the last look; if not, ask, and at the next look drop."""
        self._keepalive = TimerWheel.of(self._loop).call_later(self._ping_after_s, self._look)
        if self._heard:
            self._heard = self._awaiting_pong = False
        elif self._awaiting_pong:
            self._drop(f"dropped: no answer to a ping within {self._ping_after_s:g} s")
        else:
            self._awaiting_pong = True
            if self._transport is not None:
                self._transport.send_ping()


def _message_type(data: bytes) -> WSMsgType:
    return BINARY if isinstance(data, BinaryMessage) else TEXT


def _nothing(_reason: str) -> None:
    return None


_swallowing: set[asyncio.Task[None]] = set()


def _swallow(loop: asyncio.AbstractEventLoop, transport: WSTransport) -> None:
    """Retrieve the exception that picows keeps for `wait_disconnected`, or the loop would complain of it."""

    async def wait() -> None:
        with contextlib.suppress(Exception):
            await transport.wait_disconnected()

    task = loop.create_task(wait())
    _swallowing.add(task)
    task.add_done_callback(_swallowing.discard)
