"""The last log lines of one station, kept small: ten thousand stations keep fifty each."""

import sys
from array import array

from evcharging.ocpp.station.interfaces import LOG_LINES_KEPT
from evcharging.ocpp.station.wording import stamped


class LogBook:
    """Lines in the order they were written, the oldest dropped. Stations mostly say the same, so words are shared."""

    __slots__ = ("_messages", "_times_s")

    def __init__(self) -> None:
        self._times_s = array("d")
        self._messages: list[str] = []

    def write(self, at_s: float, message: str) -> str:
        """Keep a message and return its line."""
        if len(self._messages) == LOG_LINES_KEPT:
            del self._times_s[0], self._messages[0]
        self._times_s.append(at_s)
        self._messages.append(sys.intern(message))
        return stamped(at_s, message)

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines, newest last."""
        return tuple(map(stamped, self._times_s, self._messages))
