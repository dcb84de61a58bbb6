"""What every station was last said to do, by whichever worker: read from swarm.status without a group, all partitions.

It keeps the records as bytes, since most are never looked at, and compares terms: a worker that woke up late may still
say something of a station that has long been another's. It never publishes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson
import structlog
from pydantic import ValidationError

from evcharging.bus.protocol import Bus, Position, Record
from evcharging.messages.network import SwarmStatus
from evcharging.messages.topics import SWARM_STATUS

__all__ = ["SwarmMemory"]

log = structlog.get_logger()


class _Last(NamedTuple):
    body: bytes
    term: int
    holder: str
    released: bool


class SwarmMemory:
    """The last status of every station.

    Args:
        bus: where to read.
        holder: this life of this worker; what it said itself is kept, and is no news.
        on_foreign: told of each status of another worker: station, term, holder.
    """

    def __init__(self, bus: Bus, *, holder: str, on_foreign: Callable[[str, int, str], None]) -> None:
        self._subscription = bus.subscribe({SWARM_STATUS.name: Position.BEGINNING})
        self._holder = holder
        self._on_foreign = on_foreign
        self._last: dict[str, _Last] = {}
        self._heard_ms: dict[str, int] = {}
        self._read_to_the_end = asyncio.Event()

    async def run(self) -> None:
        """Read for ever."""
        async with self._subscription:
            while True:
                for record in await self._subscription.getmany(timeout_s=0.25):
                    self._take(record)
                if self._subscription.caught_up():
                    self._read_to_the_end.set()

    async def wait_caught_up(self) -> None:
        """Wait until everything that was there at the start is known."""
        await self._read_to_the_end.wait()

    def up_to_date(self) -> bool:
        """Whether everything that is known to be there has been read."""
        return self._read_to_the_end.is_set() and self._subscription.health().lag == 0

    def progressing(self) -> bool:
        """Whether reading makes progress."""
        return self._subscription.health().progressing

    def last(self, station_id: str) -> SwarmStatus | None:
        """The last that counts of a station; None where nothing is known, or nothing that makes sense."""
        last = self._last.get(station_id)
        if last is None:
            return None
        try:
            return SwarmStatus.from_json(last.body)
        except ValidationError as error:
            reason = str(error).splitlines()[0]
            log.warning("a station's past cannot be read; it begins anew", station_id=station_id, reason=reason)
            return None

    def note(self, status: SwarmStatus) -> None:
        """Know what this worker has just said of a station it let go of, before it is read back."""
        handover = status.handover
        if handover is not None and handover.term >= self.term(status.station_id):
            self._last[status.station_id] = _Last(status.to_json(), handover.term, handover.holder, handover.released)

    def term(self, station_id: str) -> int:
        """The highest term that a worker claimed the station with; 0: none did."""
        last = self._last.get(station_id)
        return 0 if last is None else last.term

    def held_by(self, station_id: str) -> str | None:
        """The other worker that has not let go of the station; None where none has it."""
        last = self._last.get(station_id)
        return None if last is None or last.released or last.holder in ("", self._holder) else last.holder

    def silent_s(self, holder: str, now_s: float) -> float:
        """For how long, at ``now_s`` Unix seconds, nothing was heard of a worker."""
        return now_s - self._heard_ms.get(holder, 0) / 1000

    def _take(self, record: Record) -> None:
        if record.key is None:
            return
        station_id = record.key.decode("utf-8", "replace")
        if record.value is None:
            self._last.pop(station_id, None)
            return
        term, holder, released = _handover(record.value)
        if holder:
            self._heard_ms[holder] = max(record.timestamp_ms, self._heard_ms.get(holder, 0))
        known = self._last.get(station_id)
        if known is None or term >= known.term:
            self._last[station_id] = _Last(record.value, term, holder, released)
        if holder and holder != self._holder:
            self._on_foreign(station_id, term, holder)


def _handover(body: bytes) -> tuple[int, str, bool]:
    """Term, holder and whether it let go; nobody's where there is nothing to be read."""
    try:
        handover: Any = orjson.loads(body).get("handover")
        return int(handover["term"]), str(handover["holder"]), bool(handover.get("released", False))
    except (orjson.JSONDecodeError, AttributeError, TypeError, KeyError, ValueError):
        return 0, "", True
