"""Reading a log in memory: one subscription, with a group or without."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self

from evcharging.bus.memory_log import Member, MemoryLog
from evcharging.bus.progress import Progress
from evcharging.bus.protocol import (
    AssignmentCallback,
    BusError,
    Position,
    Record,
    Since,
    Start,
    SubscriptionHealth,
)

__all__ = ["MemorySubscription"]

_LOOK_AGAIN_S = 0.05


class MemorySubscription:
    """See `evcharging.bus.protocol.Subscription`. Made by `evcharging.bus.memory.MemoryBus.subscribe`."""

    def __init__(
        self,
        log: MemoryLog,
        starts: Mapping[str, Start],
        *,
        group: str | None,
        sticky: bool,
        on_assignment: AssignmentCallback | None,
        reachable: Callable[[], bool],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._starts = starts
        self._group = group
        self._sticky = sticky
        self._on_assignment = on_assignment
        self._reachable = reachable
        self._member: Member | None = None
        self._generation = -1
        self._progress = Progress(monotonic)
        self._turn = 0

    async def __aenter__(self) -> Self:
        if self._group is None:
            self._progress.assign({tp: self._start_of(tp) for tp in self._all_partitions()})
            self._set_targets()
        else:
            self._member = self._log.join(self._group, self._starts, sticky=self._sticky)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._group is not None and self._member is not None:
            self._log.leave(self._group, self._member)
            self._member = None

    async def getmany(self, *, timeout_s: float = 0.1, max_records: int = 1000) -> Sequence[Record]:
        """See `evcharging.bus.protocol.Subscription.getmany`."""
        deadline = time.monotonic() + timeout_s
        while True:
            await self._follow_assignment()
            records = self._take(max_records) if self._reachable() else []
            left_s = deadline - time.monotonic()
            if records or left_s <= 0:
                await asyncio.sleep(0)  # a log in memory always answers at once: let others have their turn
                return records
            await self._log.changed(self._starts, left_s if self._reachable() else min(left_s, _LOOK_AGAIN_S))

    async def commit(self, records: Iterable[Record]) -> None:
        """See `evcharging.bus.protocol.Subscription.commit`."""
        if self._group is None:
            raise BusError("a reader without a group has nothing to commit; subscribe with a group")
        if self._member is None:
            return
        offsets: dict[tuple[str, int], int] = {}
        for record in records:
            tp = (record.topic, record.partition)
            if tp in self._member.assigned:
                offsets[tp] = max(offsets.get(tp, 0), record.offset + 1)
        self._log.commit(self._group, offsets)

    async def rewind(self, records: Iterable[Record]) -> None:
        """See `evcharging.bus.protocol.Subscription.rewind`."""
        self._progress.rewind(records)

    def caught_up(self) -> bool:
        """See `evcharging.bus.protocol.Subscription.caught_up`."""
        return self._settled() and self._progress.caught_up()

    def partitions(self) -> frozenset[tuple[str, int]]:
        """See `evcharging.bus.protocol.Subscription.partitions`."""
        return self._progress.partitions() if self._settled() else frozenset()

    def health(self) -> SubscriptionHealth:
        """See `evcharging.bus.protocol.Subscription.health`."""
        for tp in self._progress.partitions():
            self._progress.saw_end(tp, self._log.bounds(*tp)[1])
        return self._progress.health()

    def _settled(self) -> bool:
        return self._group is None or (self._member is not None and self._member.generation == self._generation)

    async def _follow_assignment(self) -> None:
        member = self._member
        while member is not None and member.generation != self._generation:
            generation, assigned = member.generation, member.assigned
            before = self._progress.positions()
            self._progress.assign({tp: self._group_start_of(tp, before.get(tp)) for tp in assigned})
            self._set_targets()
            if self._on_assignment is not None:
                await self._on_assignment(assigned)
            self._generation = generation

    def _group_start_of(self, tp: tuple[str, int], before: int | None) -> int:
        assert self._group is not None  # noqa: S101 - only members of a group follow an assignment
        if self._starts[tp[0]] is Position.BEGINNING:
            return self._log.bounds(*tp)[0] if before is None else before
        return self._log.group(self._group).committed.get(tp, self._log.bounds(*tp)[0])

    def _start_of(self, tp: tuple[str, int]) -> int:
        start = self._starts[tp[0]]
        first, end = self._log.bounds(*tp)
        if isinstance(start, Since):
            return self._log.offset_since(*tp, int(start.moment.timestamp() * 1000))
        return end if start is Position.END else first

    def _set_targets(self) -> None:
        for tp in self._progress.partitions():
            self._progress.aim(tp, self._log.bounds(*tp)[1])

    def _all_partitions(self) -> Iterable[tuple[str, int]]:
        return [(topic, partition) for topic in self._starts for partition in range(self._log.partitions)]

    def _take(self, max_records: int) -> list[Record]:
        taken: list[Record] = []
        positions = self._progress.positions()
        order = sorted(positions)
        self._turn += 1
        for index in range(len(order)):
            tp = order[(index + self._turn) % len(order)]
            found = self._log.read(*tp, positions[tp], max_records - len(taken))
            if found:
                self._progress.returned(tp, found[0].offset, found[-1].offset)
                taken.extend(found)
            if len(taken) >= max_records:
                break
        return taken
