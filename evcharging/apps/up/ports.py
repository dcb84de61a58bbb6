"""Choosing the ports of a run: the usual one or the next that is free, and exactly the one that was asked for."""

from __future__ import annotations

from collections.abc import Collection

from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.runtime.http import bind

__all__ = ["HOST", "PortChooser"]

HOST = "127.0.0.1"
TRIED_PORTS = 200


class PortChooser:
    """Gives each port once. ``usual`` are the ports that services have by default: no service gets another's."""

    def __init__(self, usual: Collection[int]) -> None:
        self._usual = frozenset(usual)
        self._given: set[int] = set()

    def choose(self, flag: str, usual: int, asked: int | None) -> int:
        """The port for the service of ``flag``.

        Args:
            flag: named in errors, as ``--http-port``.
            usual: the port it has where nobody asked for another.
            asked: the port somebody asked for; 0 for any free one; None: the usual one, or the next that is free.

        Raises:
            UsageError: the port asked for is taken, or none of the next ones is free.
        """
        if asked is not None:
            port = _bound_port(asked, flag)
            if port in self._given:
                raise UsageError(f"{flag} {port}: the port is given to another service of this run; give another")
        else:
            port = self._usual_or_next_free(flag, usual)
        self._given.add(port)
        return port

    def _usual_or_next_free(self, flag: str, usual: int) -> int:
        for port in range(usual, min(usual + TRIED_PORTS, 65536)):
            if port in self._given or (port != usual and port in self._usual):
                continue
            try:
                return _bound_port(port, flag)
            except UsageError:
                continue
        raise UsageError(f"{flag}: no port from {usual} to {usual + TRIED_PORTS - 1} is free; give one")


def _bound_port(port: int, flag: str) -> int:
    """The port, once it was bound for a moment."""
    with bind(HOST, port, flag=flag) as sock:
        return int(sock.getsockname()[1])
