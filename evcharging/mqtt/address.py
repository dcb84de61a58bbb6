"""Where a broker is and how to speak to it: ``mqtt://[user:password@]host[:port]``, ``mqtts://`` for TLS.

The password is in no repr, no string and no error of this module.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from evcharging.mqtt.protocol import BadAddress

__all__ = ["MqttAddress"]

DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}
EXPECTED = "expected mqtt://[user:password@]host[:port], or mqtts:// for TLS"


@dataclass(frozen=True, slots=True)
class MqttAddress:
    """A broker's address, with credentials and, for TLS, the certificate authorities to trust."""

    host: str
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: Path | None = None

    @classmethod
    def parse(cls, url: str, *, ca_file: str | Path | None = None) -> MqttAddress:
        """Read an address. User and password may be percent-encoded.

        ``ca_file`` (PEM) replaces the machine's authorities, for ``mqtts`` only.

        Raises:
            BadAddress: another scheme, no host, a bad port, more than an address, or a CA file that cannot be used.
        """
        parts, port = _split(url)
        if parts.scheme not in DEFAULT_PORTS:
            raise BadAddress(f"MQTT address with scheme {parts.scheme!r}: {EXPECTED}")
        if not parts.hostname:
            raise BadAddress(f"MQTT address without a host: {EXPECTED}")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise BadAddress(f"MQTT address of host {parts.hostname!r} goes on after the port: {EXPECTED}")
        if parts.password and not parts.username:
            raise BadAddress(f"MQTT address of host {parts.hostname!r} has a password and no user: {EXPECTED}")
        tls = parts.scheme == "mqtts"
        if ca_file is not None and not tls:
            raise BadAddress("a CA file is for mqtts:// addresses only; change the scheme or leave the file out")
        address = cls(
            host=parts.hostname,
            port=port if port is not None else DEFAULT_PORTS[parts.scheme],
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            tls=tls,
            ca_file=Path(ca_file) if ca_file is not None else None,
        )
        address.tls_context()
        return address

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    def tls_context(self) -> ssl.SSLContext | None:
        """A context that checks the broker's certificate and name; None without TLS. Read once, then shared.

        Raises:
            BadAddress: the CA file cannot be read or is no PEM file.
        """
        return _context(self.ca_file) if self.tls else None


@lru_cache(maxsize=16)
def _context(ca_file: Path | None) -> ssl.SSLContext:
    # Loading the machine's authorities takes tens of milliseconds, and a process may hold 200 connections.
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise BadAddress(
            f"MQTT CA file {str(ca_file)!r} cannot be used ({error}); expected certificates in PEM"
        ) from None


def _split(url: str) -> tuple[SplitResult, int | None]:
    # urllib's own messages repeat what they were given, which may hold the password.
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        raise BadAddress(f"MQTT address that cannot be read: {EXPECTED}") from None
    try:
        return parts, parts.port
    except ValueError:
        raise BadAddress(f"MQTT address of host {parts.hostname!r}, port not 1 to 65535: {EXPECTED}") from None
