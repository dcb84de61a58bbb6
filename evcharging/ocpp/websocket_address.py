"""From a websocket's URL to a connected TCP socket. No TLS, no handshake: those are the websocket client's."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import re
import socket
import sys
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

__all__ = ["BadUrl", "Resolved", "check_url", "connected_socket", "resolve"]

PORTS: Final = {"ws": 80, "wss": 443}
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f]")
_BIND_ADDRESS_NO_PORT: Final = 24
"""IP_BIND_ADDRESS_NO_PORT of Linux: the port is chosen when connecting, so that it need be free only to that peer."""


class BadUrl(ValueError):
    """A URL under which there can be no websocket."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A URL and the addresses behind it, the first to be tried first."""

    url: str
    addresses: tuple[tuple[int, Any], ...]
    """Family and socket address of each."""


def check_url(url: str) -> tuple[str, int]:
    """Return host and port of a websocket's URL.

    Raises:
        BadUrl: it is none, or holds what does not belong there; says what would be right.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadUrl(f"{error}; expected such as ws://127.0.0.1:9000/ocpp/CP-001") from None
    if parts.scheme not in PORTS or not host or port == 0 or _UNPRINTABLE.search(url):
        raise BadUrl("expected an address such as ws://127.0.0.1:9000/ocpp/CP-001 or wss://csms.example/ocpp/CP-001")
    if parts.username is not None or parts.password is not None:
        raise BadUrl("expected no user and password in the address; give the password by its own setting")
    if parts.fragment:
        raise BadUrl("expected no fragment (#) in the address")
    return host, port or PORTS[parts.scheme]


async def resolve(url: str) -> Resolved:
    """Look up where ``url`` leads.

    Raises:
        BadUrl: see `check_url`.
        OSError: the name is not known.
    """
    host, port = check_url(url)
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return Resolved(url, tuple((family, address) for family, _, _, _, address in found))
    return Resolved(url, ((socket.AF_INET if version == 4 else socket.AF_INET6, (host, port)),))


async def connected_socket(resolved: Resolved, source_address: str | None) -> socket.socket:
    """Connect to the first of the addresses that takes it, from ``source_address`` if one is given.

    Raises:
        OSError: none did; the error is that of the last.
    """
    failure: OSError = OSError(errno.EADDRNOTAVAIL, "the name has no address")
    for family, address in resolved.addresses:
        try:
            return await _connect(family, address, source_address)
        except OSError as error:
            failure = error
    raise failure


async def _connect(family: int, address: Any, source_address: str | None) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if source_address is not None:
            _bind(sock, source_address)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise OSError(
                error.errno, f"no port is free for it at {source_address or 'this address'}; use more source addresses"
            ) from None
        raise
    except BaseException:
        sock.close()
        raise
    return sock


def _bind(sock: socket.socket, source_address: str) -> None:
    if sys.platform == "linux" and sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
    try:
        sock.bind((source_address, 0))
    except OSError as error:
        raise OSError(f"cannot connect from {source_address} ({error.strerror})") from None
