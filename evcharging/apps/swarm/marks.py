"""Which stations are to be told of, and in which order: mostly those that somebody waits for, else as they were marked.

Pure: it knows neither what is said nor when.
"""

from __future__ import annotations

from typing import Final

__all__ = ["Marks"]

WAITED_FOR_IN_A_ROW: Final = 4
"""After so many that are waited for one of the others has its turn, so that no change is left untold for ever."""


class Marks:
    """Each station at most once, however often it is marked. True while there is one to be told of."""

    def __init__(self) -> None:
        self._marked: dict[str, bool] = {}
        self._waited_for: dict[str, None] = {}
        self._in_a_row = 0

    def __bool__(self) -> bool:
        return bool(self._marked or self._waited_for)

    def add(self, station_id: str, *, urgent: bool) -> None:
        """The station may be another one; ``urgent``: it is to be told of even if it looks the same."""
        self._marked[station_id] = urgent or self._marked.get(station_id, False)

    def wait_for(self, station_id: str) -> None:
        """Somebody waits until the station has been told of, whatever it looks like."""
        self._waited_for[station_id] = None

    def forget(self, station_id: str) -> None:
        """The station is not to be told of any more."""
        self._marked.pop(station_id, None)
        self._waited_for.pop(station_id, None)

    def take(self) -> tuple[str, bool]:
        """The next one, which must be there, and whether it is to be told of even if it looks the same."""
        if self._waited_for and (self._in_a_row < WAITED_FOR_IN_A_ROW or not self._marked):
            station_id = next(iter(self._waited_for))
            self._in_a_row += 1
        else:
            station_id = next(iter(self._marked))
            self._in_a_row = 0
        urgent = self._marked.pop(station_id, False) or station_id in self._waited_for
        self._waited_for.pop(station_id, None)
        return station_id, urgent
