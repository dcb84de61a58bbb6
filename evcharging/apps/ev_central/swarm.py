"""The simulated stations that are to run: how many, which, with which behaviour.

Each change is a row and a record on ``swarm.desired``, in one transaction; workers act on the record. Stations made by
number are ``PY-SIM-0001`` and on; a scale concerns these alone, a station of any other name is started and stopped by
it. Runs no station itself.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count as counting
from typing import get_args
from uuid import uuid4

import structlog

from evcharging.apps.ev_central.engines import require_no_engine
from evcharging.apps.ev_central.errors import TooManyStations, UnknownStation
from evcharging.apps.ev_central.swarm_station import Desired
from evcharging.apps.ev_central.swarm_view import SwarmView
from evcharging.apps.ev_central.transactions import Transactions
from evcharging.domain.behaviour import DEFAULT_PROFILE, BehaviourProfile, profile_named
from evcharging.messages.network import StationVersion, SwarmDesired
from evcharging.messages.topics import SWARM_DESIRED
from evcharging.store.simulator import swarm
from evcharging.store.simulator.swarm import SwarmStationRow

__all__ = ["Scaled", "Swarm", "next_steps", "station_id_of"]

log = structlog.get_logger()

NUMBERED = re.compile(r"PY-SIM-(\d{4,9})")
STATIONS_A_TRANSACTION = 1_000


@dataclass(frozen=True, slots=True)
class Scaled:
    """What a change of scale has changed."""

    running: int
    started: int
    stopped: int


class Swarm:
    """What is wanted of simulated stations. Enter a database's rows with `load`, then call in any order.

    Args:
        transactions: where rows and records are written.
        view: is told of each change once it is stored, so that whoever asked sees it at once.
        profiles: the behaviours there are.
        most_stations: the bound on stations that run.
        csms_url: where stations connect, without their id; None: where their worker has them connect.

    Raises, from every method that changes something: `DatabaseUnavailable`; nothing more was done then.
    """

    def __init__(
        self,
        transactions: Transactions,
        view: SwarmView,
        profiles: Mapping[str, BehaviourProfile],
        *,
        most_stations: int,
        csms_url: str | None = None,
    ) -> None:
        self._transactions = transactions
        self._view = view
        self._profiles = profiles
        self._most = most_stations
        self._csms_url = csms_url
        self._one_at_a_time = asyncio.Lock()

    async def scale(
        self, number: int, profile: str = DEFAULT_PROFILE, ocpp_version: StationVersion | None = None
    ) -> Scaled:
        """Have ``number`` numbered stations run.

        Those that run go on as they are; the lowest numbers that do not are started with ``profile`` and
        ``ocpp_version`` (None: their worker's), the highest that do are stopped.

        Raises:
            TooManyStations: over the bound.
            evcharging.domain.behaviour.UnknownProfile: there is none of that name.
        """
        if number > self._most:
            raise TooManyStations(number, self._most)
        profile_named(self._profiles, profile)
        started = stopped = 0
        async with self._one_at_a_time:
            while True:
                to_start, to_stop = await self._step(number, profile, ocpp_version)
                if not to_start and not to_stop:
                    return Scaled(running=number, started=started, stopped=stopped)
                started += to_start
                stopped += to_stop

    async def start(
        self, station_id: str, profile: str | None = None, ocpp_version: StationVersion | None = None
    ) -> None:
        """Have one station run, whatever its name; one that runs already takes on another behaviour.

        Args:
            station_id: any id that OCPP and Kafka can carry.
            profile: None: what it had before, else `DEFAULT_PROFILE`.
            ocpp_version: None: what it had before, else its worker's.

        Raises:
            TooManyStations: over the bound.
            evcharging.domain.behaviour.UnknownProfile: there is none of that name.
            IdTaken: by a charge point that an engine runs.
        """
        async with self._one_at_a_time, self._transactions.begin() as work:
            before = (await swarm.stations(work.transaction, [station_id])).get(station_id)
            wanted = profile or (before.profile if before is not None else DEFAULT_PROFILE)
            profile_named(self._profiles, wanted)
            if before is None or not before.running:
                running = len(await swarm.running_ids(work.transaction))
                if running >= self._most:
                    raise TooManyStations(running + 1, self._most)
                await require_no_engine(work.transaction, station_id)
            version = ocpp_version or (before.ocpp_version if before is not None else None)
            row = self._row(station_id, profile=wanted, ocpp_version=version)
            if before is not None and replace(before, changed_at=row.changed_at) == row:
                return
            await swarm.save_stations(work.transaction, [row])
            work.send(SWARM_DESIRED, _message(row), cause=str(uuid4()), kind="swarm-desired")
        self._show([row])

    async def stop(self, station_id: str) -> None:
        """Have one station end its transaction and leave its CSMS.

        Raises:
            UnknownStation: it was never started.
        """
        async with self._one_at_a_time, self._transactions.begin() as work:
            before = (await swarm.stations(work.transaction, [station_id])).get(station_id)
            if before is None:
                raise UnknownStation(station_id)
            if not before.running:
                return
            row = replace(before, running=False, changed_at=work.now)
            await swarm.save_stations(work.transaction, [row])
            work.send(SWARM_DESIRED, _message(row), cause=str(uuid4()), kind="swarm-desired")
        self._show([row])

    async def load(self) -> None:
        """Have the view show what is stored."""
        async with self._transactions.database.read() as transaction:
            rows = await swarm.every_station(transaction)
        for row in rows:
            self._view.remember(row.station_id, _desired(row))

    async def announce(self) -> int:
        """Publish what the topic does not say, or says otherwise than the rows; call it once the view has caught up.

        A broker that has lost its topics learns the swarm anew. A station that only the topic knows, whose rows must
        have been lost, gets its row again. Returns how many records were published.
        """
        said = dict(self._view.said())
        published = 0
        async with self._one_at_a_time:
            async with self._transactions.begin() as work:
                rows = {row.station_id: row for row in await swarm.every_station(work.transaction)}
                lost = [
                    SwarmStationRow(
                        station_id=station_id,
                        running=running,
                        profile=profile[:64],
                        csms_url=csms_url,
                        ocpp_version=version,
                        changed_at=work.now,
                    )
                    for station_id, (running, profile, csms_url, version) in said.items()
                    if station_id not in rows
                ]
                await swarm.save_stations(work.transaction, lost)
            untold = [
                row for row in rows.values() if said.get(row.station_id, (False, *_desired(row)[1:])) != _desired(row)
            ]
            for start in range(0, len(untold), STATIONS_A_TRANSACTION):
                part = untold[start : start + STATIONS_A_TRANSACTION]
                async with self._transactions.begin() as work:
                    cause = str(uuid4())
                    for row in part:
                        message = _message(replace(row, changed_at=work.now))
                        work.send(SWARM_DESIRED, message, cause=cause, kind=row.station_id)
                published += len(part)
        if published or lost:
            log.info("the swarm is announced", published=published, entered=len(lost))
        return published

    async def _step(self, number: int, profile: str, ocpp_version: str | None) -> tuple[int, int]:
        """Bring the rows a step nearer to ``number``; how many were started and stopped, both 0 when that is done."""
        async with self._transactions.begin() as work:
            to_start, to_stop = next_steps(await swarm.running_ids(work.transaction), number)
            rows = [self._row(station_id, profile=profile, ocpp_version=ocpp_version) for station_id in to_start]
            stopping = await swarm.stations(work.transaction, to_stop)
            rows += [replace(row, running=False, changed_at=work.now) for row in stopping.values()]
            await swarm.save_stations(work.transaction, rows)
            cause = str(uuid4())
            for row in rows:
                work.send(SWARM_DESIRED, _message(row), cause=cause, kind=row.station_id)
        self._show(rows)
        return len(to_start), len(to_stop)

    def _row(self, station_id: str, *, profile: str, ocpp_version: str | None) -> SwarmStationRow:
        return SwarmStationRow(
            station_id=station_id,
            running=True,
            profile=profile,
            csms_url=self._csms_url,
            ocpp_version=ocpp_version,
            changed_at=self._transactions.now(),
        )

    def _show(self, rows: Sequence[SwarmStationRow]) -> None:
        for row in rows:
            self._view.remember(row.station_id, _desired(row))


def station_id_of(number: int) -> str:
    """``PY-SIM-0001`` for 1."""
    return f"PY-SIM-{number:04d}"


def next_steps(running: Iterable[str], number: int) -> tuple[list[str], list[str]]:
    """Which stations to start and which to stop next, of those that a scale to ``number`` wants, a thousand at most.

    Returns:
        The lowest numbers that do not run, and the highest that do; stations without a number are left alone.
    """
    numbers = {found for station_id in running if (found := _number_of(station_id)) is not None}
    missing = min(number - len(numbers), STATIONS_A_TRANSACTION)
    to_start: list[str] = []
    free = (candidate for candidate in counting(1) if candidate not in numbers)
    while len(to_start) < missing:
        to_start.append(station_id_of(next(free)))
    surplus = min(len(numbers) - number, STATIONS_A_TRANSACTION)
    to_stop = [station_id_of(highest) for highest in sorted(numbers, reverse=True)[: max(0, surplus)]]
    return to_start, to_stop


def _number_of(station_id: str) -> int | None:
    match = NUMBERED.fullmatch(station_id)
    number = int(match[1]) if match else 0
    return number if number > 0 and station_id_of(number) == station_id else None


def _message(row: SwarmStationRow) -> SwarmDesired:
    return SwarmDesired(
        ts=row.changed_at,
        station_id=row.station_id,
        running=row.running,
        profile=row.profile,
        csms_url=row.csms_url,
        ocpp_version=_spoken(row.ocpp_version),
    )


def _desired(row: SwarmStationRow) -> Desired:
    return row.running, row.profile, row.csms_url, _spoken(row.ocpp_version)


def _spoken(version: str | None) -> StationVersion | None:
    """What a row says, unless no station speaks it (any more)."""
    return next((spoken for spoken in get_args(StationVersion) if spoken == version), None)
