"""Many stations in one process: started at a pace, each a failure domain of its own, stopped within a bounded time.

An exception in one station is caught here, counted and logged; that station is made anew after a pause that grows, with
its registers and its open transactions, and no other station learns of it. The host knows nothing of what a station
does, of sockets (see `evcharging.ocpp.station.dialing`) or of why it is started.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import structlog

from evcharging.ocpp.station.interfaces import Backoff, StationClock, StationSettings, StationSnapshot

__all__ = ["HostCounts", "HostedStation", "StationHost"]

log = structlog.get_logger(__name__)

CALM_AFTER_S = 60.0
CUT_WITHIN_S = 5.0
STOPPED_AT_ONCE = 256
A_TURN = 25
"""So many stations begin or lose their socket before everything else in the process has its turn."""


class HostedStation(Protocol):
    """What the host needs of a station; `evcharging.ocpp.station.station.Station` is one."""

    @property
    def logs(self) -> tuple[str, ...]:
        """The last lines of its log, newest last."""
        ...

    async def run(self) -> None:
        """Live until stopped; a cancellation is a power loss."""
        ...

    async def stop(self, *, reason: str = "Local") -> None:
        """End what runs with ``reason``, deliver, close."""
        ...

    def drop(self) -> None:
        """Cut the socket."""
        ...

    def snapshot(self) -> StationSnapshot:
        """How it is now."""
        ...


@dataclass(frozen=True, slots=True)
class HostCounts:
    """Stations of a host: ``waiting`` for their turn of the ramp, ``running``, ``broken`` and about to be made anew.

    ``restarts`` counts every time a station was made anew, since the host began.
    """

    waiting: int
    running: int
    broken: int
    restarts: int


class StationHost:
    """Runs stations. `start` them at any time; they begin while `run` runs.

    Args:
        make: makes a station from its settings.
        clock: paces the ramp and the restarts.
        starts_per_s: how many stations begin in a second; 0: all at once.
        restart: the pauses before a broken station is made anew; they begin again after a calm minute.
        on_broken: told of each station that broke, with what it raised.
    """

    def __init__(
        self,
        make: Callable[[StationSettings], HostedStation],
        *,
        clock: StationClock,
        starts_per_s: float = 0.0,
        restart: Backoff | None = None,
        on_broken: Callable[[str, BaseException], None] | None = None,
    ) -> None:
        self._make = make
        self._clock = clock
        self._starts_per_s = starts_per_s
        self._restart = restart or Backoff()
        self._on_broken = on_broken
        self._hosted: dict[str, _Hosted] = {}
        self._waiting: deque[_Hosted] = deque()
        self._wake = asyncio.Event()
        self._restarts = 0

    def __contains__(self, station_id: str) -> bool:
        return station_id in self._hosted

    def __len__(self) -> int:
        return len(self._hosted)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._hosted))

    def get(self, station_id: str) -> HostedStation | None:
        """The station, once it began; None for one that waits or is not here."""
        hosted = self._hosted.get(station_id)
        return None if hosted is None else hosted.station

    def counts(self) -> HostCounts:
        """How many stations are at what."""
        waiting = len(self._waiting)
        broken = sum(hosted.broken for hosted in self._hosted.values())
        return HostCounts(waiting, len(self._hosted) - waiting - broken, broken, self._restarts)

    def start(self, settings: StationSettings) -> None:
        """Let a station begin when its turn comes.

        Raises:
            ValueError: a station of that id is here already.
        """
        if settings.station_id in self._hosted:
            raise ValueError(f"station {settings.station_id!r} is here already; stop it first")
        hosted = self._hosted[settings.station_id] = _Hosted(settings)
        self._waiting.append(hosted)
        self._wake.set()

    async def run(self) -> None:
        """Let stations begin, until cancelled; then those that still run lose their power."""
        try:
            await self._ramp()
        finally:
            await self.cut(tuple(self._hosted))

    async def stop(self, station_id: str, *, reason: str = "Local", within_s: float = 10.0) -> bool:
        """Stop a station in good order, by force where that takes longer than ``within_s``.

        Returns:
            Whether it ended in good order; true for one that was not here.
        """
        hosted = self._forget(station_id)
        if hosted is None or hosted.task is None:
            return True
        hosted.stopping = True
        in_order = False
        try:
            if hosted.station is not None and not hosted.broken:
                in_order = await self._ended_well(hosted.station, hosted.task, reason, within_s)
        finally:
            await _cancelled([hosted.task])
        return in_order

    async def stop_all(self, *, reason: str = "Local", within_s: float = 10.0) -> int:
        """Stop every station, so many at the same time that whatever else the process does still gets its turn.

        Returns:
            How many did not end in good order within ``within_s`` of the beginning.
        """
        room = asyncio.Semaphore(STOPPED_AT_ONCE)
        end_s = asyncio.get_running_loop().time() + within_s

        async def stop(station_id: str) -> bool:
            async with room:
                left_s = max(end_s - asyncio.get_running_loop().time(), 0.0)
                return await self.stop(station_id, reason=reason, within_s=left_s)

        outcomes = await asyncio.gather(*map(stop, tuple(self._hosted)))
        return outcomes.count(False)

    async def cut(self, station_ids: Iterable[str]) -> dict[str, StationSnapshot]:
        """End stations as a power loss does: nothing is sent, their transactions stay open.

        Returns:
            How each of those that had begun was at its end.
        """
        cut = [hosted for each in tuple(station_ids) if (hosted := self._forget(each)) is not None]
        await _cancelled([hosted.task for hosted in cut if hosted.task is not None])
        ends: dict[str, StationSnapshot] = {}
        for hosted in cut:
            if (snapshot := _snapshot_of(hosted)) is not None:
                ends[hosted.settings.station_id] = snapshot
        return ends

    async def drop_all(self) -> None:
        """Cut every socket; the stations live on and dial again."""
        for number, hosted in enumerate(tuple(self._hosted.values()), start=1):
            if hosted.station is not None:
                with contextlib.suppress(Exception):
                    hosted.station.drop()
            if number % A_TURN == 0:
                await asyncio.sleep(0)

    async def _ramp(self) -> None:
        due_s = self._clock.now_s()
        begun = 0
        while True:
            while self._waiting:
                if self._starts_per_s:
                    now_s = self._clock.now_s()
                    if due_s > now_s:
                        await self._clock.sleep(due_s - now_s)
                        continue
                    due_s = max(due_s, now_s - 1.0) + 1.0 / self._starts_per_s
                self._begin(self._waiting.popleft())
                begun += 1
                if begun % A_TURN == 0:
                    await asyncio.sleep(0)
            self._wake.clear()
            await self._wake.wait()

    def _begin(self, hosted: _Hosted) -> None:
        hosted.task = asyncio.create_task(self._keep(hosted), name=f"station:{hosted.settings.station_id}")

    async def _keep(self, hosted: _Hosted) -> None:
        pause_s = self._restart.first_s
        while True:
            began_s = self._clock.now_s()
            try:
                hosted.station = self._make(hosted.settings)
                hosted.broken = False
                await hosted.station.run()
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                self._broke(hosted, error)  # a cancellation of its own making that got out
            except Exception as error:  # noqa: BLE001 - a station's fault is its own, whatever it is
                self._broke(hosted, error)
                if hosted.stopping:
                    return
            else:
                if self._hosted.get(hosted.settings.station_id) is hosted:
                    del self._hosted[hosted.settings.station_id]
                return
            if self._clock.now_s() - began_s >= CALM_AFTER_S:
                pause_s = self._restart.first_s
            await self._clock.sleep(pause_s)
            pause_s = min(pause_s * 2, self._restart.longest_s)

    def _broke(self, hosted: _Hosted, error: BaseException) -> None:
        hosted.broken = True
        self._restarts += 1
        station_id = hosted.settings.station_id
        log.error("a station broke; it is made anew", station_id=station_id, error=repr(error), exc_info=error)
        snapshot = _snapshot_of(hosted)
        if snapshot is not None:
            hosted.settings = _as_it_was(hosted.settings, snapshot)
        if self._on_broken is not None:
            with contextlib.suppress(Exception):
                self._on_broken(station_id, error)

    async def _ended_well(self, station: HostedStation, task: asyncio.Task[None], reason: str, within_s: float) -> bool:
        try:
            async with asyncio.timeout(within_s):
                await station.stop(reason=reason)
                await asyncio.wait({task})
        except TimeoutError:
            return False
        except Exception:
            log.exception("a station did not stop in good order")
            return False
        return True

    def _forget(self, station_id: str) -> _Hosted | None:
        hosted = self._hosted.pop(station_id, None)
        if hosted is not None and hosted.task is None:
            with contextlib.suppress(ValueError):
                self._waiting.remove(hosted)
        return hosted


class _Hosted:
    __slots__ = ("broken", "settings", "station", "stopping", "task")

    def __init__(self, settings: StationSettings) -> None:
        self.settings = settings
        self.station: HostedStation | None = None
        self.task: asyncio.Task[None] | None = None
        self.broken = False
        self.stopping = False


def _snapshot_of(hosted: _Hosted) -> StationSnapshot | None:
    """How it is or was; a station that broke may not even be able to say so."""
    try:
        return None if hosted.station is None else hosted.station.snapshot()
    except Exception:
        log.exception("a station cannot be read", station_id=hosted.settings.station_id)
        return None


def _as_it_was(settings: StationSettings, snapshot: StationSnapshot) -> StationSettings:
    return replace(
        settings,
        register_wh=tuple(connector.register_wh for connector in snapshot.connectors),
        resume=tuple(connector.transaction for connector in snapshot.connectors if connector.transaction is not None),
        still_there={},
        charging_profiles=snapshot.charging_profiles,
        orders=snapshot.orders,
    )


async def _cancelled(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel and wait; a task that will not end is left after a while, since nobody may wait for it for ever."""
    for task in tasks:
        task.cancel()
    if tasks:
        _done, left = await asyncio.wait(tasks, timeout=CUT_WITHIN_S)
        if left:
            log.error("stations do not end", count=len(left), first=next(iter(left)).get_name())
