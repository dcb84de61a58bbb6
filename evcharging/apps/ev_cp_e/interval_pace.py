"""Which readings of the register end an interval: one a second, as the charger gives them."""

from __future__ import annotations

from typing import Final

__all__ = ["IntervalPace"]

SHORTEST_INTERVAL_S: Final = 0.5
"""The charger says its register at once when its state changes; that is no reason for an interval of its own."""
LONGEST_GAP_S: Final = 1.5
"""Between two readings; after more, somebody was held up."""
CATCH_UP_S: Final = 0.5
"""So long after a gap, readings may be those that waited in it to be read."""


class IntervalPace:
    """Watches the readings of one session. Times are monotonic seconds."""

    def __init__(self, began_s: float) -> None:
        self._closed_s = self._read_s = began_s
        self._late_until_s = began_s

    def ends_with_reading(self, now_s: float) -> bool:
        """Take note of a reading; returns whether the interval ends with it. Say so with `closed` if it does."""
        gap_s, self._read_s = now_s - self._read_s, now_s
        if gap_s > LONGEST_GAP_S:
            self._late_until_s = now_s + CATCH_UP_S
        return now_s >= self._late_until_s and now_s - self._closed_s >= SHORTEST_INTERVAL_S

    def closed(self, now_s: float) -> None:
        """An interval was closed."""
        self._closed_s = now_s
