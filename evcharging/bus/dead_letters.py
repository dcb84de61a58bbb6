"""What a dead letter carries besides the record as it was: where it stood, why it is here, who set it aside."""

from __future__ import annotations

from evcharging.bus.protocol import Record

__all__ = ["LONGEST_REASON", "dead_letter_headers"]

LONGEST_REASON = 2000
"""Characters of a reason that are kept."""


def dead_letter_headers(record: Record, reason: str, *, attempts: int, group: str) -> list[tuple[str, bytes]]:
    """The headers to add to those of ``record``."""
    return [
        ("dlq_topic", record.topic.encode()),
        ("dlq_partition", str(record.partition).encode()),
        ("dlq_offset", str(record.offset).encode()),
        ("dlq_error", reason[:LONGEST_REASON].encode()),
        ("dlq_attempts", str(attempts).encode()),
        ("dlq_group", group.encode()),
    ]
