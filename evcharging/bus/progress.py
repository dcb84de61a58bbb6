"""What a reader knows of its own progress: positions, ends, lag, standstill, records that were gone.

Both adapters keep their books here, so that lag and jumps mean the same on each. It reads no log and asks no broker.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import structlog

from evcharging.bus import metrics
from evcharging.bus.checks import COMPACTED
from evcharging.bus.protocol import Record, SubscriptionHealth

__all__ = ["Progress"]

log = structlog.get_logger(__name__)

Partition = tuple[str, int]


class Progress:
    """Positions of one reader in the partitions that it has."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._position: dict[Partition, int] = {}
        self._furthest: dict[Partition, int] = {}
        self._target: dict[Partition, int] = {}
        self._end: dict[Partition, int] = {}
        self._jumps = 0
        self._moved_at = monotonic()
        self._ends_seen_at = monotonic()
        self._mark: tuple[float, dict[Partition, int]] | None = None
        """When ends were seen that are not all reached yet, and which."""
        self._level_at: float | None = None
        """Everything that was there by then was returned."""

    def assign(self, positions: Mapping[Partition, int]) -> None:
        """Forget what was; read from ``positions`` on."""
        self._position = dict(positions)
        self._furthest = dict(positions)
        self._target = {}
        self._end = {}
        self._moved_at = self._monotonic()
        self._mark = self._level_at = None

    def aim(self, partition: Partition, end: int) -> None:
        """The reader has caught up with ``partition`` once it has returned every record before ``end``."""
        self._target[partition] = end
        self.saw_end(partition, end)

    def saw_end(self, partition: Partition, end: int) -> None:
        """The partition ends at ``end`` now."""
        if partition in self._position:
            if self.lag() == 0:
                self._moved_at = self._monotonic()
            self._end[partition] = end
            self._ends_seen_at = self._monotonic()

    def returned(self, partition: Partition, first: int, last: int) -> None:
        """Records from offset ``first`` to ``last`` were handed to the reader.

        Records that it had before and has put back are no progress.
        """
        self.skipped_to(partition, first)
        self._position[partition] = last + 1
        if last >= self._end.get(partition, 0):
            self._end[partition] = last + 1
        if last >= self._furthest.get(partition, 0):
            self._furthest[partition] = last + 1
            self._moved_at = self._monotonic()

    def skipped_to(self, partition: Partition, offset: int) -> None:
        """The next record there is stands at ``offset``; those between are gone, unless compaction took them."""
        expected = self._position.get(partition)
        if expected is None or offset <= expected:
            return
        self._position[partition] = offset
        topic, number = partition
        if topic not in COMPACTED:
            self._jumps += offset - expected
            metrics.RECORDS_LOST.labels(topic).inc(offset - expected)
            log.error(
                "records were gone before they could be read (retention)",
                topic=topic,
                partition=number,
                expected_offset=expected,
                found_offset=offset,
                records=offset - expected,
            )

    def passed(self, partition: Partition, offset: int) -> None:
        """Everything before ``offset`` was looked at; what was not handed over on the way is gone."""
        if offset > self._position.get(partition, offset):
            self.skipped_to(partition, offset)
            self._furthest[partition] = max(offset, self._furthest[partition])
            self._moved_at = self._monotonic()

    def rewind(self, records: Iterable[Record]) -> dict[Partition, int]:
        """Go back to the first of ``records`` in each partition that is still read; return where to."""
        lowest: dict[Partition, int] = {}
        for record in records:
            partition = (record.topic, record.partition)
            if partition in self._position:
                lowest[partition] = min(lowest.get(partition, record.offset), record.offset)
        self._position.update(lowest)
        if lowest:
            self._mark = self._level_at = None
        return lowest

    def partitions(self) -> frozenset[Partition]:
        """The partitions that are read."""
        return frozenset(self._position)

    def positions(self) -> dict[Partition, int]:
        """The offset to be returned next, by partition."""
        return dict(self._position)

    def overtakes(self, ends: Mapping[Partition, int], asked_at: Mapping[Partition, int]) -> bool:
        """Whether a position lies behind its partition's end: the log is not the one that was read.

        ``asked_at`` are the positions when the ends were asked for; what was read since may well lie behind them.
        """
        return any(
            min(position, asked_at.get(partition, 0)) > ends.get(partition, position)
            for partition, position in self._position.items()
        )

    def caught_up(self) -> bool:
        """Whether every position has reached its target, and every partition has one."""
        target = self._target
        return all(position >= target.get(partition, position + 1) for partition, position in self._position.items())

    def lag(self) -> int:
        """Records between the positions and the ends that were seen last."""
        end = self._end
        return sum(max(end.get(partition, 0) - position, 0) for partition, position in self._position.items())

    def behind_s(self) -> float:
        """How long ago the reader had everything that was there; infinite where it never had, or went back since.

        It is known as often as this is asked, since the ends of one look are to be reached before the next counts.
        """
        if not self._position:
            return 0.0
        for _ in range(2):  # where the ends of before are reached, those of now may be too
            if self._mark is None and self._end.keys() >= self._position.keys():
                self._mark = (self._ends_seen_at, dict(self._end))
            if self._mark is None:
                break
            seen_at, ends = self._mark
            if any(position < ends[partition] for partition, position in self._position.items()):
                break
            self._level_at, self._mark = seen_at, None
        return math.inf if self._level_at is None else self._monotonic() - self._level_at

    def health(self) -> SubscriptionHealth:
        """The figures as of the ends that were seen last."""
        lag = self.lag()
        stalled_s = self._monotonic() - self._moved_at if lag else 0.0
        return SubscriptionHealth(
            assigned=len(self._position),
            lag=lag,
            stalled_s=stalled_s,
            jumps=self._jumps,
            behind_s=self.behind_s(),
        )
