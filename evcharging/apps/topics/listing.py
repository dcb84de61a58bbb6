"""The table of topics: what is in each, and how much of it, where a broker can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from evcharging.bus.kafka_offsets import PartitionOffsets
from evcharging.messages.topics import TOPICS, dead_letter_name

__all__ = ["Offsets", "topic_rows", "topic_table"]

Offsets = Mapping[str, Mapping[int, PartitionOffsets]]
"""By topic, by partition."""


def topic_rows(offsets: Offsets | None) -> list[dict[str, Any]]:
    """One row a topic, then one for each of its dead-letter topics that exists.

    Args:
        offsets: what the broker has; None where none was asked, which leaves ``partitions`` None.
    """
    rows = []
    for topic in TOPICS:
        described = {"message": topic.model.__name__, "key": topic.keyed_by, "compacted": topic.compacted}
        rows.append({"topic": topic.name, **described, "partitions": _partitions(topic.name, offsets)})
        dead = dead_letter_name(topic.name)
        if offsets is not None and dead in offsets:
            rows.append({"topic": dead, **described, "compacted": False, "partitions": _partitions(dead, offsets)})
    return rows


def topic_table(rows: list[dict[str, Any]]) -> Table:
    """The rows for people."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("topic", "message", "key", "compacted"):
        table.add_column(column, no_wrap=True)
    table.add_column("records", justify="right")
    table.add_column("end offset by partition")
    for row in rows:
        partitions = row["partitions"]
        table.add_row(
            row["topic"],
            row["message"],
            row["key"],
            "yes" if row["compacted"] else "",
            "" if partitions is None else str(sum(held["end"] - held["first"] for held in partitions)),
            ""
            if partitions is None
            else " ".join(f"{held['partition']}:{held['end']}" for held in partitions) or "none yet",
        )
    return table


def _partitions(name: str, offsets: Offsets | None) -> list[dict[str, int]] | None:
    if offsets is None:
        return None
    return [
        {"partition": number, "first": held.first, "end": held.end} for number, held in offsets.get(name, {}).items()
    ]
