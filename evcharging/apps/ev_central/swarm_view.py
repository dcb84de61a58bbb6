"""The swarm as it is now, in memory: what ``/stations`` and ``/ws`` show of simulated stations.

Fed with what is read from the ``swarm.*`` topics, in that order, and with what Central itself has decided. Pure: it has
no clock, reads no topic and no database. Its memory is bounded by the number of stations, which is bounded too. A
station's record is encoded once for all who ask, until it changes.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from evcharging.apps.ev_central.swarm_station import Desired, LogTail, StationPicture, StationRecord
from evcharging.domain.behaviour import BehaviourProfile
from evcharging.messages.base import Message
from evcharging.messages.network import SwarmDesired, SwarmLog, SwarmStatus
from evcharging.messages.topics import SWARM_DESIRED, SWARM_STATUS

__all__ = ["Beyond", "SwarmChanges", "SwarmView"]

MOST_STATIONS = 100_000
MOST_NEW_LINES = 5_000
MOST_GONE = 10_000


@dataclass(frozen=True, slots=True)
class SwarmChanges:
    """What has changed since changes were last taken."""

    stations: Sequence[str]
    gone: Sequence[str]
    lines: Sequence[SwarmLog]


@dataclass(frozen=True, slots=True)
class Beyond:
    """What the swarm adds to what Central knows of its charge points.

    ``stations`` that charge at somebody else's CSMS, so that Central knows no session of theirs, with the energy on
    their meters; and how many stations, of all, are ``online`` and not among those that supply already.
    """

    stations: int
    online: int
    energy_wh: float


class SwarmView:
    """Every simulated station: what it is meant to do, what it does, the last lines of its log.

    Args:
        profiles: behaviour by name, for the limits that are shown.
        most_stations: the bound; what is said of a station beyond it does not count.
    """

    def __init__(self, profiles: Mapping[str, BehaviourProfile], *, most_stations: int = MOST_STATIONS) -> None:
        self._profiles = profiles
        self._most = most_stations
        self._stations: dict[str, StationPicture] = {}
        self._ids: list[str] = []
        self._online: set[str] = set()
        self._changed: dict[str, None] = {}
        self._gone: deque[str] = deque(maxlen=MOST_GONE)
        self._lines: deque[SwarmLog] = deque(maxlen=MOST_NEW_LINES)
        self._apply: Mapping[type[Message], Callable[[Any, datetime], bool]] = {
            SwarmDesired: self._apply_desired,
            SwarmStatus: self._apply_status,
            SwarmLog: self._apply_line,
        }

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, station_id: object) -> bool:
        station = self._stations.get(str(station_id))
        return station is not None and station.is_station

    def apply(self, message: Message, received_at: datetime) -> bool:
        """Take one message in. False where it changes nothing that is shown: known, late, or beyond a bound."""
        apply = self._apply.get(type(message))
        return apply is not None and apply(message, received_at)

    def remember(self, station_id: str, desired: Desired) -> None:
        """Enter what Central wants of a station, which counts before anybody has said it on the topic."""
        station = self._station(station_id)
        if station is not None and station.want(desired):
            self._touch(station)

    def forget(self, topic: str, station_id: str) -> bool:
        """Take in that a topic says nothing of a station any more; gone is one that none says anything of."""
        station = self._stations.get(station_id)
        if station is None or not station.is_station:
            return False
        if topic == SWARM_DESIRED.name:
            station.desired = station.said_desired = None
        elif topic == SWARM_STATUS.name:
            station.state = None
        if station.is_station:
            return self._touch(station)
        del self._stations[station_id]
        del self._ids[bisect_left(self._ids, station_id)]
        self._online.discard(station_id)
        self._changed.pop(station_id, None)
        self._gone.append(station_id)
        return True

    def expire(self, now: datetime) -> None:
        """Take stations whose last word holds no longer for out of reach."""
        for station in self._stations.values():
            if station.expire(now):
                self._touch(station)

    def said(self) -> Mapping[str, Desired]:
        """What the topic says that stations are to do."""
        return {
            station_id: station.said_desired
            for station_id, station in self._stations.items()
            if station.said_desired is not None
        }

    def ids(self, *, after: str | None = None) -> Sequence[str]:
        """The stations' ids in order, those after ``after``."""
        return self._ids[bisect_right(self._ids, after) :] if after is not None else self._ids

    def record(self, station_id: str) -> StationRecord | None:
        """One station; None where it was never heard of."""
        station = self._stations.get(station_id)
        return None if station is None or not station.is_station else self._record(station)

    def profile_of(self, station_id: str) -> BehaviourProfile | None:
        """How a station behaves; None where it is none of the swarm's, or Central has no such profile."""
        station = self._stations.get(station_id)
        return None if station is None or not station.is_station else self._profiles.get(station.profile)

    def encoded(self, station_ids: Iterable[str]) -> list[bytes]:
        """Records as JSON, of those stations that are known."""
        texts: list[bytes] = []
        for station_id in station_ids:
            station = self._stations.get(station_id)
            if station is None or not station.is_station:
                continue
            if station.text is None:
                text = orjson.dumps(self._record(station))
                station.text = memoryview(text).tobytes()  # its own takes 4 KiB, for as long as it is kept
            texts.append(station.text)
        return texts

    def lines(self, station_id: str) -> list[str]:
        """The last lines of a station's log, newest last."""
        station = self._stations.get(station_id)
        return [] if station is None or station.log is None else station.log.lines()

    def meter(self, station_id: str) -> tuple[float, float] | None:
        """What a station draws, kW, and the energy of its session, kWh; None where it does not say."""
        station = self._stations.get(station_id)
        return (
            None if station is None or station.state is None else (station.kw if station.online else 0.0, station.kwh)
        )

    def said_at(self, station_id: str) -> datetime | None:
        """When it last said what it draws; None where it never did."""
        station = self._stations.get(station_id)
        return None if station is None else station.said_at

    def drawing(self) -> Iterable[str]:
        """The stations that draw power."""
        return [station_id for station_id in self._online if self._stations[station_id].kw > 0]

    def beyond(self, known: AbstractSet[str], supplying: AbstractSet[str]) -> Beyond:
        """Add up what is not among the charge points ``known`` to Central, and not among those ``supplying``."""
        strangers = [station for each in self._stations.keys() - known if (station := self._stations[each]).is_station]
        return Beyond(
            stations=len(strangers),
            online=len(self._online - supplying),
            energy_wh=math.fsum(station.register_wh for station in strangers),
        )

    def take_changes(self) -> SwarmChanges:
        """What has changed since the last call, for one caller."""
        changes = SwarmChanges(
            stations=list(self._changed),
            gone=[station_id for station_id in self._gone if station_id not in self],
            lines=list(self._lines),
        )
        self._changed.clear()
        self._gone.clear()
        self._lines.clear()
        return changes

    def _apply_desired(self, desired: SwarmDesired, _received_at: datetime) -> bool:
        station = self._station(desired.station_id)
        return station is not None and station.apply_desired(desired) and self._touch(station)

    def _apply_status(self, status: SwarmStatus, received_at: datetime) -> bool:
        station = self._station(status.station_id)
        return station is not None and station.apply_status(status, received_at) and self._touch(station)

    def _apply_line(self, line: SwarmLog, _received_at: datetime) -> bool:
        station = self._station(line.station_id)
        if station is None:
            return False
        if station.log is None:
            station.log = LogTail()
        station.log.append(line.line)
        self._lines.append(line)
        return True

    def _station(self, station_id: str) -> StationPicture | None:
        station = self._stations.get(station_id)
        if station is None and len(self._stations) < self._most:
            station = self._stations[station_id] = StationPicture(station_id)
        return station

    def _record(self, station: StationPicture) -> StationRecord:
        return station.record(self._profiles.get(station.profile))

    def _touch(self, station: StationPicture) -> bool:
        station.text = None
        place = bisect_right(self._ids, station.station_id)
        if place == 0 or self._ids[place - 1] != station.station_id:
            insort(self._ids, station.station_id)
        if station.online:
            self._online.add(station.station_id)
        else:
            self._online.discard(station.station_id)
        self._changed[station.station_id] = None
        return True
