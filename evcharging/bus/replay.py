"""Reading a stretch of the past: from some start up to the end as it is now, then no more.

A service reads its own topics this way at its start, to know what it had said before. Nothing is committed, nothing
goes to the dead letters: what cannot be decoded is logged, counted and passed over.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Container, Iterable, Mapping
from typing import Any

import structlog

from evcharging.bus import metrics
from evcharging.bus.protocol import Bus, Position, Start
from evcharging.bus.ratelimit import RateLimit
from evcharging.messages.envelope import Received, Undecodable, decode
from evcharging.messages.topics import Topic

__all__ = ["replay"]

log = structlog.get_logger(__name__)


async def replay(
    bus: Bus,
    topics: Mapping[Topic[Any], Start] | Iterable[Topic[Any]],
    since: Start = Position.BEGINNING,
    *,
    keys: Container[bytes | None] | None = None,
) -> AsyncIterator[Received[Any]]:
    """Yield what ``topics`` hold, in order within each partition, up to the end as of the first step.

    Records that arrive while the last of these are fetched may follow. Whoever leaves early closes the iterator
    (`contextlib.aclosing`), or its subscription stays open.

    Args:
        bus: where to read.
        topics: the topics, or the topics with where to begin in each.
        since: where to begin in every topic, where ``topics`` does not say.
        keys: only records with these keys, where given; the others are not even decoded.
    """
    starts = dict(topics) if isinstance(topics, Mapping) else dict.fromkeys(topics, since)
    by_name = {topic.name: topic for topic in starts}
    complaints = RateLimit(per_s=1.0)
    async with bus.subscribe({topic.name: start for topic, start in starts.items()}) as subscription:
        while not subscription.caught_up():
            for record in await subscription.getmany():
                if keys is not None and record.key not in keys:
                    continue
                try:
                    received = decode(
                        by_name[record.topic],
                        body=record.value,
                        headers=record.headers,
                        partition=record.partition,
                        offset=record.offset,
                        timestamp_ms=record.timestamp_ms,
                    )
                except Undecodable as error:
                    metrics.DECODE_ERRORS.labels(record.topic).inc()
                    if (unsaid := complaints.admit()) is not None:
                        log.error(  # noqa: TRY400 - the trace says nothing that the reason does not
                            "a record is passed over", reason=str(error), unsaid=unsaid, offset=record.offset
                        )
                else:
                    yield received
