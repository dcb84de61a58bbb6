"""Says on swarm.status how the stations of this worker are, and knows what of it the log has.

A change goes out at once, a mere meter sample at most every few seconds; each station is told of again before its last
word runs out, and at least one of them every second, so that other workers hear that this one lives. Whatever concerns
a transaction can be waited for (`written`): the log has it before the CSMS hears of it, so that a worker killed in
between leaves nothing that only the CSMS knows. Where there is more to say than can be said, what somebody waits for
goes first.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

import structlog

from evcharging.apps.swarm import metrics
from evcharging.apps.swarm.book_entry import (
    BookEntry,
    acknowledged,
    everything_now,
    everything_of,
    resolve,
    set_by_the_csms,
    signature_of,
)
from evcharging.apps.swarm.marks import Marks
from evcharging.apps.swarm.statuses import REFRESH_S, Statuses
from evcharging.bus.protocol import Bus, BusOverloaded, RecordRefused
from evcharging.bus.ratelimit import RateLimit
from evcharging.messages.network import SwarmState, SwarmStatus
from evcharging.ocpp.station.interfaces import StationSnapshot, TransactionRecord

__all__ = ["REFRESH_S", "StatusBook"]

log = structlog.get_logger()

WRITTEN_WITHIN_S: Final = 10.0
TRY_AGAIN_S: Final = 0.2
GATHER_S: Final = 0.02
"""What comes so soon after the last words goes out together: the broker and all readers pay by the batch."""
SAMPLES_PER_S: Final = 500
"""Samples of meters, over all stations; with more stations each is sampled less often."""
MOST_UNDER_WAY: Final = 512
"""Statuses that are not on the log yet. The others wait here, each station once and with its newest state: in the bus
they would wait in line, whoever waits for them, and the log would hear of what is long past."""
BEAT_S: Final = 1.0
SAID_A_BEAT: Final = 150
"""So many stations are told of again in a second, or a thirtieth of all, those that were told of longest ago."""


class StatusBook:
    """One per worker. `open` a station, `mark` it when it changes, `close` it with its last word.

    Args:
        bus: where to.
        worker: its name, for people.
        holder: this life of it, for other workers.
        now: the time in UTC.
        may_speak: whether statuses may go out; what is marked meanwhile goes out later.
        sample_every_s: longest time between two statuses of a station that charges, as long as these are few enough.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        worker: str,
        holder: str,
        now: Callable[[], datetime],
        may_speak: Callable[[], bool],
        sample_every_s: float,
    ) -> None:
        self._bus = bus
        self._statuses = Statuses(worker=worker, holder=holder, now=now)
        self._may_speak = may_speak
        self._sample_every_s = sample_every_s
        self._entries: OrderedDict[str, BookEntry] = OrderedDict()
        """By the age of their last status, the oldest first."""
        self._marks = Marks()
        self._wake = asyncio.Event()
        self._under_way = 0
        self._room = asyncio.Event()
        self._complaints = RateLimit(per_s=0.2)

    def __contains__(self, station_id: str) -> bool:
        return station_id in self._entries

    def open(
        self,
        station_id: str,
        *,
        term: int,
        read: Callable[[], StationSnapshot],
        queue: Sequence[dict[str, Any]],
        kwh: float = 0.0,
        ocpp_version: str = "1.6",
    ) -> None:
        """Speak for a station from now on, and say so at once.

        ``read`` tells how it is, ``queue`` is its own, spelt by ``ocpp_version``; ``kwh`` was said of its last session.
        """
        self._entries[station_id] = BookEntry(term, read, queue, kwh, ocpp_version)
        self.mark(station_id, urgent=True)

    def ended(self, record: TransactionRecord) -> None:
        """A transaction of a station has ended: its energy is known for good."""
        entry = self._entries.get(record.station_id)
        if entry is not None:
            entry.energy_wh[record.connector_id] = record.energy_wh
        self.mark(record.station_id, urgent=True)

    def mark(self, station_id: str, *, urgent: bool = False) -> None:
        """The station is another one now; ``urgent``: say so even if it looks the same."""
        if station_id in self._entries:
            self._marks.add(station_id, urgent=urgent)
            self._wake.set()

    def set_anew(self, station_id: str) -> bool:
        """Whether the CSMS has set something at the station that the log may not have."""
        entry = self._entries.get(station_id)
        return entry is not None and entry.set_anew

    async def claimed(self, station_id: str) -> None:
        """Return once the log says that the station is this worker's; as `written` where it does not yet."""
        entry = self._entries.get(station_id)
        if entry is not None and not entry.on_the_log:
            await self.written(station_id)

    async def written(self, station_id: str) -> None:
        """Return once the log has what is so now; after ten seconds in any case, and at once without a broker."""
        entry = self._entries.get(station_id)
        if entry is None:
            return
        if not self._bus.health().connected:
            metrics.UNWRITTEN.inc()
            return
        said = entry.said_last if entry.said_last is not None and entry.said_of == everything_now(entry) else None
        if said is None:
            said = asyncio.get_running_loop().create_future()
            entry.waiters.append(said)
            self._marks.wait_for(station_id)
            self._wake.set()
        if not said.done():
            await asyncio.wait({said}, timeout=WRITTEN_WITHIN_S)
        if not said.done():
            metrics.UNWRITTEN.inc()
            if (unsaid := self._complaints.admit()) is not None:
                log.warning("the log is slow: a station goes on before it has what is so", unsaid=unsaid)

    async def close(
        self, station_id: str, snapshot: StationSnapshot | None = None, *, state: SwarmState = SwarmState.STOPPED
    ) -> SwarmStatus | None:
        """Say the last word of a station: it is let go of. Returns what was said, None where it was not ours."""
        entry = self.forget(station_id)
        if entry is None:
            return None
        status = self._statuses.of(station_id, entry, snapshot or entry.read(), state=state, released=True)
        while True:
            try:
                await self._bus.publish(self._statuses.event(status))
            except BusOverloaded:
                await asyncio.sleep(TRY_AGAIN_S)
            else:
                return status

    def forget(self, station_id: str) -> BookEntry | None:
        """Never speak for the station again, not even a last word: it is another worker's."""
        self._marks.forget(station_id)
        self._statuses.forget(station_id)
        entry = self._entries.pop(station_id, None)
        if entry is not None:
            resolve(entry.waiters)
        return entry

    def figures(self) -> tuple[Counter[str], float]:
        """Stations by state and the power of all, as last said."""
        states = Counter(entry.state.value for entry in self._entries.values())
        return states, sum(entry.kw for entry in self._entries.values())

    async def run(self) -> None:
        """Say what is to be said until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write())
            group.create_task(self._beat())

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        wrote_at = float("-inf")
        while True:
            await self._wake.wait()
            await asyncio.sleep(max(0.0, wrote_at + GATHER_S - loop.time()))
            self._wake.clear()
            turn = 0
            while self._marks:
                if not self._may_speak():
                    await asyncio.sleep(TRY_AGAIN_S)
                    continue
                if self._under_way >= MOST_UNDER_WAY:
                    self._room.clear()
                    await self._room.wait()
                    continue
                station_id, urgent = self._marks.take()
                try:
                    await self._say(station_id, urgent=urgent)
                except BusOverloaded:
                    self.mark(station_id, urgent=urgent)
                    await asyncio.sleep(TRY_AGAIN_S)
                turn += 1
                if turn % 200 == 0:
                    await asyncio.sleep(0)
            wrote_at = loop.time()

    def _sampled_every_s(self) -> float:
        return max(self._sample_every_s, len(self._entries) / SAMPLES_PER_S)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            now_s, sampled_every_s = asyncio.get_running_loop().time(), self._sampled_every_s()
            said = 0
            most = max(SAID_A_BEAT, len(self._entries) // int(REFRESH_S))
            for station_id, entry in self._entries.items():
                age_s = now_s - entry.said_at
                if said >= most or (said > 0 and age_s < sampled_every_s):
                    break
                due = age_s >= REFRESH_S or (entry.kw > 0.0 and age_s >= sampled_every_s)
                if due or (said == 0 and age_s >= BEAT_S):
                    self.mark(station_id, urgent=True)
                    said += 1

    async def _say(self, station_id: str, *, urgent: bool) -> None:
        entry = self._entries.get(station_id)
        if entry is None:
            return
        try:
            snapshot = entry.read()
        except Exception:
            log.exception("a station cannot be read", station_id=station_id)
            return
        now_s = asyncio.get_running_loop().time()
        signature = signature_of(snapshot, entry.queue)
        if not urgent and signature == entry.signature and now_s - entry.said_at < self._sampled_every_s():
            return
        everything = everything_of(snapshot, entry.queue)
        status = self._statuses.of(station_id, entry, snapshot)
        waiters, entry.waiters = entry.waiters, []
        try:
            said = await self._bus.publish(self._statuses.event(status))
        except BusOverloaded:
            entry.waiters[:0] = waiters
            raise
        except RecordRefused:
            log.exception("a status is too large", station_id=station_id)
            resolve(waiters)
            return
        entry.said_at, entry.signature, entry.said_of, entry.said_last = now_s, signature, everything, said
        self._under_way += 1
        said.add_done_callback(self._arrived)
        entry.said_to_be_set = set_by_the_csms(snapshot)
        if station_id in self._entries:
            self._entries.move_to_end(station_id)
        if waiters or not entry.on_the_log:
            said.add_done_callback(partial(acknowledged, entry, waiters))

    def _arrived(self, _: asyncio.Future[None]) -> None:
        self._under_way -= 1
        self._room.set()
