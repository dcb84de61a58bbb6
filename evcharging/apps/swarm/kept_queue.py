"""Where a swarm station keeps its transaction messages: in memory, and by its status on the log.

A worker that takes the station over finds them there and delivers them. The log has them before the CSMS does, see
`evcharging.apps.swarm.gate`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["KeptQueue"]


class KeptQueue:
    """A `evcharging.ocpp.station.interfaces.QueueStore`.

    Args:
        entries: what the last worker left.
        on_change: told after each change.
    """

    __slots__ = ("_on_change", "entries")

    def __init__(self, entries: Iterable[dict[str, Any]], *, on_change: Callable[[], None]) -> None:
        self.entries = [dict(entry) for entry in entries]
        self._on_change = on_change

    def load(self) -> list[dict[str, Any]]:
        """What is kept, oldest first; the same objects, in a list of the caller's own."""
        return list(self.entries)

    def append(self, entry: dict[str, Any]) -> None:
        """Keep ``entry`` behind the others."""
        self.entries.append(entry)
        self._on_change()

    def update(self, entry: dict[str, Any]) -> None:
        """The entry has changed in place."""
        self._on_change()

    def remove(self, entry: dict[str, Any]) -> None:
        """Forget ``entry``; one that is not there is forgotten already."""
        for index, kept in enumerate(self.entries):
            if kept["key"] == entry["key"]:
                del self.entries[index]
                self._on_change()
                return

    def close(self) -> None:
        """What is kept stays for the last status."""
