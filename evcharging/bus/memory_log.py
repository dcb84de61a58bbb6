"""A log in memory with Kafka's behaviour: topics, partitions, offsets, committed offsets, groups.

It holds records and nothing else: no network, no time but that of the records, no decoding. One log is shared by every
bus of its name in the process (`shared_log`), so that services run in one process without a broker. A partition can be
bounded (``retain``); what falls off is gone, as with a broker's retention.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from evcharging.bus.assignment import Partition, deal_in_ranges, deal_stickily
from evcharging.bus.partitioning import partition_for
from evcharging.bus.protocol import Record

__all__ = ["DEFAULT_PARTITIONS", "Group", "Member", "MemoryLog", "forget_log", "shared_log"]

DEFAULT_PARTITIONS = 4
KEPT_ON = 1_000

_shared: dict[str, MemoryLog] = {}


def shared_log(name: str) -> MemoryLog:
    """The log of that name in this process, made at first use."""
    return _shared.setdefault(name, MemoryLog())


def forget_log(name: str) -> None:
    """Drop the log of that name with all it holds; whoever has it keeps it."""
    _shared.pop(name, None)


@dataclass(eq=False)
class Member:
    """One reader in a group: what it reads, what it was given, and in which generation."""

    name: str
    topics: frozenset[str]
    assigned: frozenset[Partition] = frozenset()
    generation: int = 0


@dataclass
class Group:
    """Members and committed offsets of one group."""

    sticky: bool = False
    members: dict[str, Member] = field(default_factory=dict)
    committed: dict[Partition, int] = field(default_factory=dict)
    generation: int = 0


@dataclass(slots=True)
class _Partition:
    """``records`` still holds ``gone`` that were dropped: to move up all the others for each one would cost more."""

    first: int = 0
    gone: int = 0
    records: list[Record] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.first + len(self.records) - self.gone


class MemoryLog:
    """Topics with their partitions, and the groups that read them.

    Args:
        partitions: how many partitions every topic has.
        retain: how many records a partition keeps; ``None`` keeps all.
    """

    def __init__(self, *, partitions: int = DEFAULT_PARTITIONS, retain: int | None = None) -> None:
        self.partitions = partitions
        self.retain = retain
        self._topics: dict[str, list[_Partition]] = {}
        self._groups: defaultdict[str, Group] = defaultdict(Group)
        self._names = itertools.count(1)
        self._keyless = itertools.count()
        self._readers: dict[str, set[asyncio.Future[None]]] = {}
        """Those that wait, by topic."""

    def partition_of(self, key: bytes | None) -> int:
        """Where a record of ``key`` goes; one without a key goes to each partition in turn."""
        return next(self._keyless) % self.partitions if key is None else partition_for(key, self.partitions)

    def append(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]],
        timestamp_ms: int,
    ) -> Record:
        """Add one record at the end and wake whoever waits for it."""
        part = self._partition(topic, partition)
        record = Record(topic, partition, part.end, key, value, tuple(headers), timestamp_ms)
        part.records.append(record)
        if self.retain is not None and len(part.records) - part.gone > self.retain:
            self.drop_before(topic, partition, part.end - self.retain)
        if topic in self._readers:
            _wake(self._readers.pop(topic))
        return record

    def drop_before(self, topic: str, partition: int, offset: int) -> None:
        """Forget the records before ``offset``, as retention would."""
        part = self._partition(topic, partition)
        gone = min(max(offset - part.first, 0), len(part.records) - part.gone)
        part.first += gone
        part.gone += gone
        if part.gone > min(KEPT_ON, len(part.records) // 2):
            del part.records[: part.gone]
            part.gone = 0

    def read(self, topic: str, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """Up to ``limit`` records from ``offset`` on, or from the first there is where ``offset`` is gone."""
        part = self._partition(topic, partition)
        index = max(offset - part.first, 0) + part.gone
        return part.records[index : index + limit]

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """The first offset there is, and the offset that the next record will get."""
        part = self._partition(topic, partition)
        return part.first, part.end

    def offset_since(self, topic: str, partition: int, moment_ms: int) -> int:
        """The offset of the first record not older than ``moment_ms``; the end where there is none."""
        part = self._partition(topic, partition)
        kept = itertools.islice(part.records, part.gone, None)
        return next((record.offset for record in kept if record.timestamp_ms >= moment_ms), part.end)

    def group(self, name: str) -> Group:
        """The group of that name, made at first use."""
        return self._groups[name]

    def join(self, group: str, topics: Iterable[str], *, sticky: bool = False) -> Member:
        """Add a member and deal the partitions out anew."""
        member = Member(f"member-{next(self._names):06}", frozenset(topics))
        state = self._groups[group]
        state.sticky = sticky
        state.members[member.name] = member
        self._rebalance(state)
        return member

    def leave(self, group: str, member: Member) -> None:
        """Take a member out and deal its partitions to the others."""
        state = self._groups[group]
        if state.members.pop(member.name, None) is not None:
            self._rebalance(state)

    def commit(self, group: str, offsets: dict[Partition, int]) -> None:
        """Set committed offsets: each is the offset of the record to be read next."""
        self._groups[group].committed.update(offsets)

    async def changed(self, topics: Iterable[str], timeout_s: float) -> None:
        """Wait for a new record on one of these topics, or for a rebalance, up to ``timeout_s``."""
        waiter = asyncio.get_running_loop().create_future()
        waited_for = tuple(topics)
        for topic in waited_for:
            self._readers.setdefault(topic, set()).add(waiter)
        try:
            await asyncio.wait((waiter,), timeout=timeout_s)
        finally:
            for topic in waited_for:
                self._readers.get(topic, set()).discard(waiter)

    def _partition(self, topic: str, partition: int) -> _Partition:
        parts = self._topics.get(topic)
        if parts is None:
            parts = self._topics[topic] = [_Partition() for _ in range(self.partitions)]
        return parts[partition]

    def _rebalance(self, group: Group) -> None:
        group.generation += 1
        topics = {name: member.topics for name, member in group.members.items()}
        counts = {topic: self.partitions for reads in topics.values() for topic in reads}
        if group.sticky:
            before = {name: member.assigned for name, member in group.members.items()}
            dealt = deal_stickily(topics, counts, before)
        else:
            dealt = deal_in_ranges(topics, counts)
        for name, member in group.members.items():
            member.assigned = frozenset(dealt[name])
            member.generation = group.generation
        for waiters in self._readers.values():
            _wake(waiters)


def _wake(waiters: Iterable[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
