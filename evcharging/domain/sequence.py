"""Which numbers of a sequence have come, told from the highest one and the gaps below it.

Its size grows with the number of gaps, not with the length of the sequence or the width of a gap.
"""

from bisect import bisect_right
from collections.abc import Iterable
from enum import Enum


class Admission(Enum):
    """What became of a number."""

    APPLIED = "applied"
    """It was new: the next one, or one that was missing."""
    DUPLICATE = "duplicate"
    """It had come before."""
    GAP = "gap"
    """It was new, and numbers before it have not come."""


class SequenceLog:
    """Numbers from `first` on, each admitted once.

    Args:
        first: The number a sequence begins with.
        last: The highest number that has come; `first - 1` where none has.
        missing: Ranges of numbers under `last` that have not come, rising and apart.
    """

    def __init__(self, first: int, *, last: int | None = None, missing: Iterable[range] = ()) -> None:
        self._last = first - 1 if last is None else last
        self._missing = list(missing)
        self._first = first

    @property
    def last(self) -> int:
        """The highest number that has come."""
        return self._last

    @property
    def missing(self) -> tuple[range, ...]:
        """Ranges of numbers that have not come though a higher one has."""
        return tuple(self._missing)

    def admit(self, seq: int) -> Admission:
        """Take note of a number. Raises ValueError for one before the first."""
        if seq < self._first:
            raise ValueError(f"a sequence begins with {self._first}, got {seq}")
        if seq > self._last:
            gap = range(self._last + 1, seq)
            self._last = seq
            if not gap:
                return Admission.APPLIED
            self._missing.append(gap)
            return Admission.GAP
        return self._fill(seq)

    def _fill(self, seq: int) -> Admission:
        index = bisect_right(self._missing, seq, key=lambda gap: gap.start) - 1
        if index < 0 or seq not in self._missing[index]:
            return Admission.DUPLICATE
        gap = self._missing[index]
        self._missing[index : index + 1] = filter(len, (range(gap.start, seq), range(seq + 1, gap.stop)))
        return Admission.APPLIED
