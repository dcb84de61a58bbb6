"""Whose stations are this worker's, and what is to become of them: the partitions of swarm.desired decide.

A station that comes to this worker waits until its past is known and until whoever had it has let go, is silent, or had
time enough; then it begins. One whose partition goes is handed over; one that another worker has claimed with a higher
term is cut. It opens no socket and reads no topic itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

import structlog

from evcharging.apps.swarm import metrics
from evcharging.apps.swarm.fleet import Fleet
from evcharging.apps.swarm.memory import SwarmMemory
from evcharging.bus.consumer import Tombstone
from evcharging.messages.envelope import Received
from evcharging.messages.network import SwarmDesired

__all__ = ["Ownership"]

log = structlog.get_logger()

LOOK_EVERY_S: Final = 0.1
SILENT_AFTER_S: Final = 3.0
"""A worker that runs is heard of every second."""
LET_GO_WITHIN_S: Final = 5.0
CONTESTED_S: Final = 15.0
"""A station that was just claimed by another is left to it for so long; by then the partitions are known anew."""
SETTLE_WITHIN_S: Final = 60.0
SETTLE_AGAIN_S: Final = 10.0
STOPPED_AT_ONCE: Final = 64
"""Each has its own time to end in good order; of a thousand at once most would spend it waiting for the others."""


class Ownership:
    """The stations of the partitions that are dealt to this worker.

    Args:
        fleet: begins and ends stations.
        memory: knows who has them.
        may_begin: whether stations may begin at all now.
        now_s: Unix seconds.
        most: stations here at the same time.
    """

    def __init__(
        self,
        fleet: Fleet,
        memory: SwarmMemory,
        *,
        may_begin: Callable[[], bool],
        now_s: Callable[[], float],
        most: int,
    ) -> None:
        self._fleet = fleet
        self._memory = memory
        self._may_begin = may_begin
        self._now_s = now_s
        self._most = most
        self._wanted: dict[int, dict[str, SwarmDesired]] = {}
        self._since_s: dict[int, float] = {}
        self._open: dict[str, int] = {}
        """Stations to be looked at, with their partition."""
        self._at_work: dict[str, asyncio.Task[None]] = {}
        self._settling: dict[str, asyncio.Event] = {}
        self._refused: dict[str, SwarmDesired] = {}
        self._contested_until_s: dict[str, float] = {}
        self._settle_from_s: dict[str, float] = {}
        self._room_to_stop = asyncio.Semaphore(STOPPED_AT_ONCE)

    @property
    def left_waiting(self) -> int:
        """Stations that are to run and do not yet."""
        return sum(
            desired.running and station_id not in self._fleet
            for stations in self._wanted.values()
            for station_id, desired in stations.items()
        )

    async def assigned(self, partitions: frozenset[tuple[str, int]]) -> None:
        """The partitions are these from now on: hand over the stations of those that are gone."""
        numbers = {number for _topic, number in partitions}
        gone = self._wanted.keys() - numbers
        came = numbers - self._wanted.keys()
        leaving = [station_id for number in gone for station_id in self._wanted.pop(number)]
        for number in gone:
            self._since_s.pop(number, None)
        for number in came:
            self._wanted[number] = {}
            self._since_s[number] = self._now_s()
        log.info("partitions are dealt out", mine=sorted(numbers), came=sorted(came), gone=sorted(gone))
        for station_id in leaving:
            self._open.pop(station_id, None)
            self._refused.pop(station_id, None)
            self._settle_from_s.pop(station_id, None)
            await self._ended(self._at_work.pop(station_id, None))
        here = [station_id for station_id in leaving if station_id in self._fleet]
        if here:
            await self._fleet.hand_over(here)
            log.info("stations are handed over", count=len(here))

    async def take(self, batch: Sequence[Received[Any]]) -> None:
        """Take what is desired; it is acted on once everything that was there has been read."""
        for received in batch:
            desired: SwarmDesired = received.message
            self._wanted.setdefault(received.partition, {})[desired.station_id] = desired
            self._open[desired.station_id] = received.partition

    async def forget(self, tombstone: Tombstone) -> None:
        """The station is gone for good."""
        station_id = tombstone.key.decode("utf-8", "replace")
        if self._wanted.get(tombstone.partition, {}).pop(station_id, None) is not None:
            self._open[station_id] = tombstone.partition

    def claimed(self, station_id: str, term: int) -> None:
        """Another worker speaks for the station with ``term``: it is cut if ours is lower, and looked at again.

        A lower term is a late word of one who had the station before, written down after ours: ours is said again.
        """
        partition = next((number for number, stations in self._wanted.items() if station_id in stations), None)
        if station_id in self._fleet and term < self._fleet.term(station_id):
            self._fleet.say_again(station_id)
        elif station_id in self._fleet and term > self._fleet.term(station_id):
            self._contested_until_s[station_id] = self._now_s() + CONTESTED_S
            metrics.FENCED.inc()
            log.warning("another worker has the station; it is cut here", station_id=station_id, term=term)
            self._fleet.disown(station_id)
            self._work(station_id, partial(self._fleet.cut, station_id))
        if partition is not None:
            self._open[station_id] = partition

    def registered(self, station_id: str, status: str) -> None:
        """The station's boot was answered."""
        if status == "Accepted" and station_id in self._settling:
            self._settling[station_id].set()

    async def run(self, *, may_act: Callable[[], bool]) -> None:
        """Bring about what is desired, for ever; ``may_act``: whether everything that was there has been read."""
        try:
            while True:
                progressed = bool(self._open) and may_act() and await self._look()
                await asyncio.sleep(LOOK_EVERY_S if progressed else LOOK_EVERY_S * 2)
        finally:
            for task in self._at_work.values():
                task.cancel()

    async def _look(self) -> bool:
        """Look at every open station once; whether one was brought on."""
        before = len(self._open)
        for turn, (station_id, partition) in enumerate(list(self._open.items())):
            if station_id not in self._at_work and (
                partition not in self._wanted or self._settled(station_id, partition)
            ):
                self._open.pop(station_id, None)
            if turn % 100 == 99:
                await asyncio.sleep(0)
        return len(self._open) < before

    def _settled(self, station_id: str, partition: int) -> bool:
        """Bring one station a step on; whether there is nothing left to do for it."""
        desired = self._wanted[partition].get(station_id)
        begun = self._fleet.as_begun(station_id)
        if begun is None:
            return desired is None or self._begun_or_not_wanted(desired, partition)
        if desired is not None and desired.running and _same(desired, begun):
            return True
        self._work(station_id, partial(self._stop, station_id))
        return desired is None

    def _begun_or_not_wanted(self, desired: SwarmDesired, partition: int) -> bool:
        station_id = desired.station_id
        if not desired.running and self._now_s() < self._settle_from_s.get(station_id, 0.0):
            return False
        self._settle_from_s.pop(station_id, None)
        to_do = desired.running or self._fleet.left_something(station_id)
        if not to_do or self._refused.get(station_id) == desired:
            return True
        if not self._may_begin() or len(self._fleet) >= self._most or not self._free(station_id, partition):
            return False
        if desired.running:
            self._begin(desired)
        else:
            self._work(station_id, partial(self._settle, desired))
        return desired.running

    def _begin(self, desired: SwarmDesired) -> bool:
        refusal = self._fleet.begin(desired)
        if refusal is not None:
            self._refused[desired.station_id] = desired
            log.error("a station cannot begin", station_id=desired.station_id, reason=refusal)
        return refusal is None

    async def _settle(self, desired: SwarmDesired) -> None:
        """Tell the CSMS what was left open of a station that is not to run."""
        heard = self._settling[desired.station_id] = asyncio.Event()
        try:
            if not self._begin(desired):
                return
            try:
                async with asyncio.timeout(SETTLE_WITHIN_S):
                    await heard.wait()
            except TimeoutError:
                log.warning("a station's CSMS could not be told how it ended", station_id=desired.station_id)
            await self._stop(desired.station_id)
        finally:
            self._settling.pop(desired.station_id, None)
            self._settle_from_s[desired.station_id] = self._now_s() + SETTLE_AGAIN_S

    async def _stop(self, station_id: str) -> None:
        """End the station; what its CSMS has not heard by then it is told after this, see `_settle`."""
        async with self._room_to_stop:
            await self._fleet.stop(station_id)

    def _free(self, station_id: str, partition: int) -> bool:
        """Whether nobody else can still be running the station."""
        holder = self._memory.held_by(station_id)
        if holder is None:
            return True
        now_s = self._now_s()
        if now_s < self._contested_until_s.get(station_id, 0.0):
            return False
        self._contested_until_s.pop(station_id, None)
        return (
            self._memory.silent_s(holder, now_s) >= SILENT_AFTER_S
            or now_s - self._since_s.get(partition, now_s) >= LET_GO_WITHIN_S
        )

    def _work(self, station_id: str, work: Callable[[], Awaitable[None]]) -> None:
        before = self._at_work.get(station_id)

        async def after_what_is_under_way() -> None:
            await self._ended(before)
            await work()

        task = self._at_work[station_id] = asyncio.create_task(after_what_is_under_way(), name=f"swarm:{station_id}")
        task.add_done_callback(lambda done: self._worked(station_id, done))

    def _worked(self, station_id: str, done: asyncio.Task[None]) -> None:
        if self._at_work.get(station_id) is done:
            del self._at_work[station_id]
        if not done.cancelled() and (error := done.exception()) is not None:
            log.error("a station could not be brought to what is desired", station_id=station_id, exc_info=error)

    async def _ended(self, task: asyncio.Task[None] | None) -> None:
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait({task})


def _same(desired: SwarmDesired, begun: SwarmDesired) -> bool:
    def told(one: SwarmDesired) -> tuple[str | None, ...]:
        return one.profile, one.csms_url, one.ocpp_version

    return told(desired) == told(begun)
