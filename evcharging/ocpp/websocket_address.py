"""From a websocket's URL to a connected TCP socket. No TLS, no handshake: those are the websocket client's."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import re
import socket
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from picows.url import parse_url

__all__ = [
    "BadUrl",
    "Resolved",
    "Target",
    "check_url",
    "connected_directly",
    "connected_socket",
    "resolve",
    "target_of",
]

PORTS: Final = {"ws": 80, "wss": 443}
_EXPECTED: Final = "expected an address such as ws://127.0.0.1:9000/ocpp/CP-001 or wss://csms.example/ocpp/CP-001"
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

    @property
    def only_ipv4(self) -> tuple[str, int] | None:
        """The one address there is, where it is one of IPv4."""
        if len(self.addresses) != 1 or self.addresses[0][0] != socket.AF_INET:
            return None
        host, port = self.addresses[0][1]
        return host, port


class Target(NamedTuple):
    """What a request for a websocket says of where it goes: the Host header, the request target, and for TLS."""

    netloc: str
    resource: str
    host: str
    secure: bool


def target_of(url: str) -> Target:
    """What a URL that `check_url` let through asks for."""
    if not url.isascii():
        parsed = parse_url(url)  # an IRI
        return Target(parsed.netloc, parsed.resource_name, parsed.host, parsed.is_secure)
    base, rest = _parted(url.partition("#")[0])
    resource = rest if rest.startswith("/") else f"/{rest}"
    return Target(base.partition("://")[2], resource, _endpoint(base)[0], base.startswith("wss:"))


def check_url(url: str) -> tuple[str, int]:
    """Return host and port of a websocket's URL.

    Raises:
        BadUrl: it is none, or holds what does not belong there; says what would be right.
    """
    base, rest = _parted(url)
    host, port = _endpoint(base)
    if _UNPRINTABLE.search(url):
        raise BadUrl(_EXPECTED)
    if rest.partition("#")[2]:
        raise BadUrl("expected no fragment (#) in the address")
    return host, port


def _parted(url: str) -> tuple[str, str]:
    """Scheme with host, which thousands of stations share, and the rest."""
    scheme, separator, rest = url.partition("://")
    end = min((place for mark in "/?#" if (place := rest.find(mark)) >= 0), default=len(rest))
    return f"{scheme.lower()}{separator}{rest[:end]}", rest[end:]


@lru_cache(maxsize=256)
def _endpoint(base: str) -> tuple[str, int]:
    try:
        parts = urlsplit(base)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadUrl(f"{error}; expected such as ws://127.0.0.1:9000/ocpp/CP-001") from None
    if parts.scheme not in PORTS or not host or port == 0:
        raise BadUrl(_EXPECTED)
    if parts.username is not None or parts.password is not None:
        raise BadUrl("expected no user and password in the address; give the password by its own setting")
    return host, port or PORTS[parts.scheme]


async def resolve(url: str) -> Resolved:
    """Look up where ``url`` leads.

    Raises:
        BadUrl: see `check_url`.
        OSError: the name is not known.
    """
    host, port = check_url(url)
    family = _family(host)
    if family is None:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return Resolved(url, tuple((family, address) for family, _, _, _, address in found))
    return Resolved(url, ((family, (host, port)),))


@lru_cache(maxsize=256)
def _family(host: str) -> int | None:
    """Of a literal address; None for a name."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return None
    return socket.AF_INET if version == 4 else socket.AF_INET6


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


async def connected_directly(protocol: asyncio.Protocol, address: tuple[str, int]) -> asyncio.Transport:
    """Connect ``protocol`` to an IPv4 address, without a socket of Python's in between: a third of a dial's CPU.

    Raises:
        OSError: nobody is there.
    """
    try:
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: protocol, *address)
    except OSError as error:
        raise _no_port_free(None) if error.errno == errno.EADDRNOTAVAIL else error from None
    return transport


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
            raise _no_port_free(source_address) from None
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


def _no_port_free(source_address: str | None) -> OSError:
    return OSError(
        errno.EADDRNOTAVAIL, f"no port is free for it at {source_address or 'this address'}; use more source addresses"
    )
