"""Checks on what a bus is asked to do; the same for every adapter."""

from __future__ import annotations

from collections.abc import Mapping

from evcharging.bus.protocol import Position, RecordRefused, Start
from evcharging.messages.topics import TOPICS

__all__ = ["COMPACTED", "checked_starts", "refuse_impossible"]

COMPACTED = frozenset(topic.name for topic in TOPICS if topic.compacted)
"""The names of the topics of which the broker keeps the last record of each key."""


def checked_starts(topics: Mapping[str, Start], group: str | None) -> dict[str, Start]:
    """Copy ``topics`` if a subscription can have them.

    Raises:
        ValueError: there is no topic, or a group is given a start other than COMMITTED or BEGINNING.
    """
    if not topics:
        raise ValueError("a subscription needs at least one topic, got none")
    if group is not None:
        for topic, start in topics.items():
            if start not in (Position.COMMITTED, Position.BEGINNING):
                raise ValueError(
                    f"group {group!r} cannot read {topic} from {start}: expected Position.COMMITTED or "
                    "Position.BEGINNING; leave the group out to read from elsewhere"
                )
    return dict(topics)


def refuse_impossible(topic: str, key: bytes | None) -> None:
    """Refuse what a broker would refuse for ever.

    Raises:
        RecordRefused: a record without a key for a compacted topic.
    """
    if key is None and topic in COMPACTED:
        raise RecordRefused(f"a record without a key for {topic}, which is compacted: expected a key")
