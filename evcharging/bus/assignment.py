"""Dealing partitions out to the members of a group, for the in-memory log; Kafka's clients do it themselves."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

__all__ = ["deal_in_ranges", "deal_stickily"]

Partition = tuple[str, int]


def deal_in_ranges(members: Mapping[str, AbstractSet[str]], counts: Mapping[str, int]) -> dict[str, set[Partition]]:
    """Give each member, in the order of names, a range of every topic it reads; topics of equal count go together.

    Args:
        members: the topics that each member reads.
        counts: the number of partitions of each topic.
    """
    dealt: dict[str, set[Partition]] = {member: set() for member in members}
    for topic in sorted({topic for topics in members.values() for topic in topics}):
        readers = sorted(member for member, topics in members.items() if topic in topics)
        each, left_over = divmod(counts[topic], len(readers))
        first = 0
        for rank, member in enumerate(readers):
            size = each + (1 if rank < left_over else 0)
            dealt[member].update((topic, partition) for partition in range(first, first + size))
            first += size
    return dealt


def deal_stickily(
    members: Mapping[str, AbstractSet[str]], counts: Mapping[str, int], before: Mapping[str, AbstractSet[Partition]]
) -> dict[str, set[Partition]]:
    """Keep each partition with its member as far as a fair share allows; deal the rest to whoever has least."""
    dealt: dict[str, set[Partition]] = {member: set() for member in members}
    for topic in sorted({topic for topics in members.values() for topic in topics}):
        readers = sorted(member for member, topics in members.items() if topic in topics)
        each, left_over = divmod(counts[topic], len(readers))
        free = {(topic, partition) for partition in range(counts[topic])}
        kept: dict[str, list[Partition]] = {}
        for member in sorted(readers, key=lambda reader: -len(_of_topic(before.get(reader, set()), topic))):
            share = each + (1 if left_over > 0 else 0)
            kept[member] = sorted(_of_topic(before.get(member, set()), topic) & free)[:share]
            left_over -= len(kept[member]) > each
            free -= set(kept[member])
        for partition in sorted(free):
            kept[min(readers, key=lambda reader: (len(kept[reader]), reader))].append(partition)
        for member, partitions in kept.items():
            dealt[member].update(partitions)
    return dealt


def _of_topic(partitions: AbstractSet[Partition], topic: str) -> set[Partition]:
    return {partition for partition in partitions if partition[0] == topic}
