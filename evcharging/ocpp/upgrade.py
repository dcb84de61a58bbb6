"""The opening of a WebSocket as a server sees it: the request's head in, an answer out. No sockets, no decisions.

Lenient where chargers are: any order and case of headers, ``Connection: keep-alive, Upgrade``, blanks around values.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

__all__ = [
    "MOST_HEAD_BYTES",
    "BadRequest",
    "Refusal",
    "UpgradeRequest",
    "parse_request",
    "refusal_bytes",
    "refused_unread",
]

MOST_HEAD_BYTES: Final = 16 * 1024
NO_WEBSOCKET: Final = "no_websocket"
TLS_TO_PLAIN: Final = "tls_to_plain_port"
TLS_HANDSHAKE: Final = b"\x16"
"""The first byte of a TLS connection; no HTTP request begins so."""
END_OF_HEAD: Final = b"\r\n\r\n"


class BadRequest(Exception):
    """What came is no request for a WebSocket; ``refusal`` is the answer."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP answer that ends the opening.

    ``text`` says what is wrong and what would be right; ``reason`` is a word to count it by.
    """

    status: int
    reason: str
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """A request for a WebSocket.

    ``target`` is the request target as it was sent (percent-encoded), ``headers`` have names in lower case; of several
    headers of one name the values are joined by commas. ``certificate`` is the client's, as `ssl.SSLSocket.getpeercert`
    tells it, where TLS verified one.
    """

    target: str
    headers: Mapping[str, str] = field(repr=False)  # Authorization is one of them
    remote: str = ""
    secure: bool = False
    certificate: Mapping[str, Any] | None = None

    @property
    def subprotocols(self) -> tuple[str, ...]:
        """What the client offers, in its order of preference."""
        offered = self.headers.get("sec-websocket-protocol", "")
        return tuple(name for part in offered.split(",") if (name := part.strip()))

    @property
    def key(self) -> str:
        """The client's nonce, which the answer is made from."""
        return self.headers["sec-websocket-key"]


def parse_request(
    head: bytes, *, remote: str = "", secure: bool = False, certificate: Mapping[str, Any] | None = None
) -> UpgradeRequest:
    """Read the head of a request, without the empty line that ends it.

    Raises:
        BadRequest: it is no HTTP/1.1 GET that asks for a WebSocket of version 13 (RFC 6455 section 4.2.1).
    """
    try:
        request_line, *lines = head.decode("latin-1").split("\r\n")
        method, target, protocol = request_line.split(" ")
        headers = _headers(lines)
    except ValueError:
        raise BadRequest(Refusal(400, NO_WEBSOCKET, "no HTTP request\n")) from None
    if protocol != "HTTP/1.1":
        raise BadRequest(Refusal(505, NO_WEBSOCKET, f"{protocol[:20]}; a WebSocket is opened with HTTP/1.1\n"))
    if method != "GET":
        raise BadRequest(Refusal(405, NO_WEBSOCKET, "only GET, to open a WebSocket\n", {"Allow": "GET"}))
    if not _lists(headers, "upgrade", "websocket") or not _lists(headers, "connection", "upgrade"):
        raise BadRequest(
            Refusal(
                426, NO_WEBSOCKET, "chargers connect here, by WebSocket: ws://…/ocpp/<id>\n", {"Upgrade": "websocket"}
            )
        )
    if headers.get("sec-websocket-version") != "13":
        raise BadRequest(
            Refusal(426, NO_WEBSOCKET, "WebSocket version 13 is spoken here\n", {"Sec-WebSocket-Version": "13"})
        )
    if not _is_key(headers.get("sec-websocket-key", "")):
        raise BadRequest(Refusal(400, NO_WEBSOCKET, "Sec-WebSocket-Key: expected 16 bytes in base64\n"))
    if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        raise BadRequest(Refusal(400, NO_WEBSOCKET, "a request for a WebSocket has no body\n"))
    return UpgradeRequest(target, headers, remote, secure, certificate)


def refused_unread(data: bytes) -> Refusal | None:
    """Return the refusal of what can be told from its first byte; None for what has to be read.

    Who speaks TLS to a port without it waits for an answer, as does the port for the end of a request: unless one of
    them says something, both wait for long. Bytes that are no TLS end the client's handshake at once.
    """
    if data[:1] != TLS_HANDSHAKE:
        return None
    return Refusal(400, TLS_TO_PLAIN, "no TLS at this port: connect with ws://, or to the port for wss://\n")


def refusal_bytes(refusal: Refusal) -> bytes:
    """The whole HTTP answer; the connection is closed behind it."""
    body = refusal.text.encode()
    lines = [
        f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}",
        *(f"{name}: {value}" for name, value in refusal.headers.items()),
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join(lines).encode() + END_OF_HEAD + body


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise ValueError(line)
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _lists(headers: Mapping[str, str], name: str, token: str) -> bool:
    return any(part.strip().lower() == token for part in headers.get(name, "").split(","))


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False
