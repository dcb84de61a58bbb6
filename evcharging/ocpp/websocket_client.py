"""Opens a station's websocket: name, TCP, TLS and handshake, with what stopped it as a typed error.

Beside `evcharging.ocpp.websocket`, the only module that knows picows on the client side. It never follows a redirect,
never offers compression, never reconnects, and knows nothing of what the texts say::

    OcppError
    └── DialFailed           there is no websocket: name, network, TLS, time, or no HTTP in answer
        └── DialRefused      the server answered, and said no: ``status`` is its HTTP status
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import re
import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from picows import (
    WSAutoPingStrategy,
    WSError,
    WSHandshakeError,
    WSListener,
    WSUpgradeRequest,
    WSUpgradeResponse,
)
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # its stubs leave it out

from evcharging.ocpp.errors import OcppError
from evcharging.ocpp.websocket import WebSocket
from evcharging.ocpp.websocket_address import Resolved, connected_directly, connected_socket, resolve, target_of

__all__ = ["DialFailed", "DialRefused", "WebSocket", "basic_authorization", "dial"]

PING_AFTER_S: Final = 15.0
"""Of silence; so long again for the answer, and a dead peer is found within 45 s."""
STALLED_AFTER_S: Final = 30.0
"""A peer that has not read for so long, while something waits for it, is dropped."""

TLS_WITHIN_S: Final = 10.0
"""A server that speaks TLS does so within that; one that does not may wait for us as we do for it."""

READ_BUFFER_BYTES: Final = 2048
"""To begin with; it grows with the messages."""

_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"})
"""What OpenSSL says of an answer in plain text."""
_CONNECT_FAILED: Final = "Connect call failed"
"""What asyncio says of every failure to connect; the number says which it was."""
_OTHER_PORT: Final = "try ws://, or its port for wss://"
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] (\d{3})")
_SILENT: Final = logging.LoggerAdapter(logging.getLogger("evcharging.ocpp.websocket"), {})
"""For picows, which else makes a logger for each connection. What it would say is told by errors and reasons."""
_SILENT.logger.setLevel(logging.CRITICAL + 1)


class DialFailed(OcppError):
    """No websocket could be opened; the message says where it stopped."""


class DialRefused(DialFailed):
    """The server answered the handshake with another status than 101, or agreed to no subprotocol (``status`` 101)."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"HTTP {status}: {reason}" if status != 101 else reason)
        self.status = status
        self.reason = reason


async def dial(
    url: str,
    *,
    subprotocols: Sequence[str],
    headers: Mapping[str, str],
    ssl_context: ssl.SSLContext | None,
    on_text: Callable[[bytes], None],
    on_closed: Callable[[str], None],
    max_frame_bytes: int,
    open_timeout_s: float,
    source_address: str | None = None,
    ping_after_s: float = PING_AFTER_S,
    stalled_after_s: float = STALLED_AFTER_S,
) -> WebSocket:
    """Open ``url`` (``ws`` or ``wss``) and return the socket once the handshake is done.

    Await it in the task that uses the socket: what came along with the handshake is handed on after the caller has
    gone on to its next await.

    Args:
        url: without credentials; see `basic_authorization`.
        subprotocols: in the order of preference. The server has to choose one of them.
        headers: sent with the handshake beside the usual ones.
        ssl_context: for ``wss``; None trusts what this machine trusts.
        on_text: called with each text message, whole, as UTF-8.
        on_closed: called once with the reason when the connection has ended; never after a failed dial.
        max_frame_bytes: of a message, fragments together; a longer one ends the connection with 1009.
        open_timeout_s: for all of it: name, connection, TLS and handshake.
        source_address: address of this machine to connect from.
        ping_after_s: silence after which a ping is sent; it has as long for its answer.
        stalled_after_s: how long the peer may leave what it is sent unread.

    Raises:
        DialRefused: the server said no.
        DialFailed: anything else.
    """
    websocket = WebSocket(
        on_text, on_closed, max_frame_bytes, ping_after_s=ping_after_s, stalled_after_s=stalled_after_s
    )
    try:
        async with asyncio.timeout(open_timeout_s):
            address = await resolve(url)
            _check_headers(headers)
            await _open(websocket, address, source_address, ssl_context, subprotocols, headers)
    except TimeoutError:
        raise DialFailed(f"{_shown(url)}: no websocket within {open_timeout_s:g} s") from None
    except DialFailed:
        raise
    except ssl.SSLCertVerificationError as error:
        raise DialFailed(f"{_shown(url)}: its certificate is not trusted ({error.verify_message})") from error
    except ssl.SSLError as error:
        raise DialFailed(f"{_shown(url)}: {_tls_failure(error)}") from error
    except ConnectionError as error:
        raise DialFailed(f"{_shown(url)}: {_ended(error, url)}") from error
    except WSHandshakeError as error:
        raise _refusal(url, error) from None
    except (OSError, WSError, ValueError) as error:
        raise DialFailed(f"{_shown(url)}: {_told(error)}") from error
    asyncio.get_running_loop().call_soon(websocket.begin)
    return websocket


def basic_authorization(user: str, password: str) -> str:
    """The value of the Authorization header for Basic authentication (RFC 7617, in UTF-8)."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")


async def _open(
    websocket: WebSocket,
    address: Resolved,
    source_address: str | None,
    ssl_context: ssl.SSLContext | None,
    subprotocols: Sequence[str],
    headers: Mapping[str, str],
) -> None:
    """Connect, and do the handshake.

    What ws_connect does, without its redirects, proxies and tasks: a fifth of a dial's CPU.
    """

    def accept(_request: WSUpgradeRequest, response: WSUpgradeResponse) -> WSListener:
        websocket.subprotocol = _agreed(subprotocols, response)
        return websocket

    target = target_of(address.url)
    protocol = WSProtocol(
        target.netloc,
        target.resource,
        True,  # the client's side
        accept,
        _SILENT,
        True,  # an exception in the listener ends its socket
        None,  # the whole dial has its deadline
        False,  # the websocket has its own signs of life
        0,
        0,
        WSAutoPingStrategy.PING_WHEN_IDLE,
        False,  # pings are answered there, since they are signs of life
        websocket.max_bytes,
        {"Sec-WebSocket-Protocol": ", ".join(subprotocols), **headers},
        READ_BUFFER_BYTES,
    )
    direct = address.only_ipv4
    if direct is not None and source_address is None and not target.secure:
        transport = await connected_directly(protocol, direct)
    else:
        sock = await connected_socket(address, source_address)
        tls: dict[str, Any] = {}
        if target.secure:
            tls = {
                "ssl": ssl_context or True,
                "server_hostname": target.host,
                "ssl_handshake_timeout": TLS_WITHIN_S,
            }
        try:
            transport, _ = await asyncio.get_running_loop().create_connection(lambda: protocol, sock=sock, **tls)
        except BaseException:
            sock.close()
            raise
    try:
        await protocol.wait_until_handshake_complete()
    except BaseException:
        transport.abort()
        raise
    if protocol.listener is None:
        raise DialFailed(f"{_shown(address.url)}: the server closed the connection and gave no answer")


def _agreed(offered: Sequence[str], response: WSUpgradeResponse) -> str:
    """What the server chose. Raises DialRefused where that does not fit what was offered."""
    chosen = response.headers.get("Sec-WebSocket-Protocol")
    extensions = response.headers.get("Sec-WebSocket-Extensions")
    if extensions:
        raise DialRefused(101, f"the server chose the extension {extensions[:60]!r}, and none was offered")
    if chosen is None:
        raise DialRefused(101, f"the server chose no subprotocol; offered were {', '.join(offered)}")
    if chosen not in offered:
        raise DialRefused(101, f"the server chose the subprotocol {chosen[:60]!r}, which was not offered")
    return chosen


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not f"{name}{value}".isprintable():
            raise ValueError(f"the header {name!r} has characters that no header may have")


def _refusal(url: str, error: WSHandshakeError) -> DialFailed:
    status = int(error.response.status) if error.response is not None and hasattr(error.response, "status") else None
    if status is None:
        line = _STATUS_LINE.match(error.raw_header or b"")
        status = int(line[1]) if line else None
    if status is None or status == 101:
        return DialFailed(f"{_shown(url)}: {error}")
    reason = ""
    if error.response is not None and 300 <= status < 400:
        reason = f"redirected to {error.response.headers.get('Location', 'nowhere')[:200]}; redirects are not followed"
    said = (error.raw_body or b"")[:200].decode("utf-8", "replace").strip()
    return DialRefused(status, reason or (said if said.isprintable() and said else "the handshake was refused"))


def _tls_failure(error: ssl.SSLError) -> str:
    if error.reason in _NO_TLS:
        return f"the TLS handshake failed: the server does not speak TLS at this port; {_OTHER_PORT}"
    return f"the TLS handshake failed ({error.reason or error})"


def _ended(error: ConnectionError, url: str) -> str:
    """A connection that was there ended, or there was none (then the error has a number)."""
    if error.errno is not None and error.errno not in {errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED}:
        return _told(error)
    if isinstance(error, ConnectionAbortedError):  # what event loops raise where ssl_handshake_timeout is over
        return f"no TLS handshake within {TLS_WITHIN_S:g} s: the server may not speak TLS at this port; {_OTHER_PORT}"
    if url.startswith("wss:"):
        return f"the server closed the connection, perhaps since it does not speak TLS at this port; {_OTHER_PORT}"
    return "the server closed the connection meanwhile"


def _told(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno and str(error.strerror).startswith(_CONNECT_FAILED):
        return os.strerror(error.errno)
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _shown(url: str) -> str:
    """The address without what may be secret in it."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the URL"
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"
