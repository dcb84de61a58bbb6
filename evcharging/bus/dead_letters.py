"""Records that a group sets aside: as they were, with where they stood, why they are here and who put them here."""

from __future__ import annotations

import asyncio

import structlog

from evcharging.bus import metrics
from evcharging.bus.protocol import Bus, BusOverloaded, Record, RecordRefused
from evcharging.messages.envelope import Headers
from evcharging.messages.topics import dead_letter_name

__all__ = ["LONGEST_REASON", "DeadLetters", "dead_letter_headers"]

log = structlog.get_logger(__name__)

LONGEST_REASON = 2000
"""Characters of a reason that are kept."""

PAUSE_S = 0.2


class DeadLetters:
    """Writes to ``<topic>.dlq`` what the reader of ``group`` cannot handle."""

    def __init__(self, bus: Bus, *, group: str, reader: str) -> None:
        self._bus = bus
        self._group = group
        self._reader = reader

    async def put(self, record: Record, reason: str, *, attempts: int) -> None:
        """Set ``record`` aside and wait until the broker has it, however long that takes: it is committed afterwards.

        A record that leaves no room for the reason is set aside without its value.

        Raises:
            BusStopped: the bus was stopped before the broker had it.
        """
        where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        headers = dead_letter_headers(record, reason, attempts=attempts, group=self._group)
        try:
            await self._publish(record, record.value, [*record.headers, *headers])
        except RecordRefused as error:
            log.error(  # noqa: TRY400 - the trace says nothing that the error does not
                "a dead letter is too large; its reason is kept without it",
                reader=self._reader,
                error=str(error),
                **where,
            )
            headers = dead_letter_headers(record, f"{reason} ({error})", attempts=attempts, group=self._group)
            await self._publish(record, b"", headers)
        metrics.DEAD_LETTERS.labels(record.topic).inc()
        log.error("a record went to the dead letters", reader=self._reader, reason=reason, **where)

    async def _publish(self, record: Record, value: bytes | None, headers: Headers) -> None:
        while True:
            try:
                accepted = await self._bus.publish_raw(dead_letter_name(record.topic), record.key, value, headers)
            except BusOverloaded:
                await asyncio.sleep(PAUSE_S)
            else:
                await accepted
                return


def dead_letter_headers(record: Record, reason: str, *, attempts: int, group: str) -> list[tuple[str, bytes]]:
    """The headers to add to those of ``record``."""
    return [
        ("dlq_topic", record.topic.encode()),
        ("dlq_partition", str(record.partition).encode()),
        ("dlq_offset", str(record.offset).encode()),
        ("dlq_error", reason[:LONGEST_REASON].encode(errors="backslashreplace")),
        ("dlq_attempts", str(attempts).encode()),
        ("dlq_group", group.encode()),
    ]
