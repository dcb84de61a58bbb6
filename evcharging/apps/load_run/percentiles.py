"""Durations in an HDR histogram: exact to three digits from a microsecond to ten minutes, in constant memory.

The only module that knows the histogram library.
"""

from __future__ import annotations

from typing import Final

from hdrh.histogram import HdrHistogram

__all__ = ["Percentiles"]

_LEAST_US: Final = 1
_MOST_US: Final = 600_000_000
_US_PER_S: Final = 1_000_000.0


class Percentiles:
    """A histogram of durations in s; what is longer than ten minutes counts as ten minutes."""

    __slots__ = ("_histogram",)

    def __init__(self, *, digits: int = 3) -> None:
        self._histogram = HdrHistogram(_LEAST_US, _MOST_US, digits)

    def record(self, seconds: float) -> None:
        """Add a duration."""
        self._histogram.record_value(min(_MOST_US, max(_LEAST_US, round(seconds * _US_PER_S))))

    def add(self, other: Percentiles) -> None:
        """Add all of another one's."""
        self._histogram.add(other._histogram)

    def reset(self) -> None:
        """Forget everything."""
        self._histogram.reset()

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self._histogram.get_total_count())

    @property
    def mean_s(self) -> float | None:
        """Their mean, None without any."""
        return float(self._histogram.get_mean_value()) / _US_PER_S if self.count else None

    def at_s(self, *percentiles: float) -> tuple[float | None, ...]:
        """The durations that so many percent do not exceed, None without any. Takes milliseconds: it walks them all."""
        if not self.count:
            return (None,) * len(percentiles)
        found = self._histogram.get_percentile_to_value_dict(sorted(percentiles))
        return tuple(found[percentile] / _US_PER_S for percentile in percentiles)
