"""The versions of OCPP that are spoken here, and the WebSocket subprotocols that name them."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["OcppVersion", "version_of"]


class OcppVersion(StrEnum):
    """A version of the standard."""

    V16 = "1.6"
    V201 = "2.0.1"
    V21 = "2.1"

    @property
    def subprotocol(self) -> str:
        """What the handshake calls it, as registered with IANA."""
        return f"ocpp{self.value}"


def version_of(subprotocol: str) -> OcppVersion | None:
    """The version that ``subprotocol`` names, or None."""
    return _BY_SUBPROTOCOL.get(subprotocol)


_BY_SUBPROTOCOL = {version.subprotocol: version for version in OcppVersion}
