"""The stations of this worker: begun from what their past says, stopped, handed over, or let go of without a word.

It acts on what it is told and decides nothing: whose a station is, and when, is `evcharging.apps.swarm.ownership`'s.
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog

from evcharging.apps.swarm import metrics
from evcharging.apps.swarm.book import StatusBook
from evcharging.apps.swarm.gate import Gate
from evcharging.apps.swarm.handover import Past, before_it_began, past_of
from evcharging.apps.swarm.kept_queue import KeptQueue
from evcharging.apps.swarm.memory import SwarmMemory
from evcharging.apps.swarm.settings import SwarmSettings
from evcharging.domain.behaviour import BehaviourProfile, UnknownProfile, profile_named
from evcharging.messages.network import SwarmDesired, SwarmState
from evcharging.ocpp.station.dialing import SourceAddresses, TooManyStations
from evcharging.ocpp.station.host import HostedStation, StationHost
from evcharging.ocpp.station.interfaces import StationSettings, StationSnapshot
from evcharging.ocpp.versions import OcppVersion

__all__ = ["Fleet"]

log = structlog.get_logger()

GOODBYE_WITHIN_S: Final = 0.5
STOP_WITHIN_S: Final = 10.0
WORDS_A_TURN: Final = 50


class Fleet:
    """What runs here.

    Args:
        settings: of the worker.
        host: runs the stations.
        book: speaks for them.
        gate: has their sockets.
        memory: knows their past.
        profiles: the behaviours there are.
        ssl_context: for CSMS behind TLS.
        now: the time in UTC.
    """

    def __init__(
        self,
        settings: SwarmSettings,
        *,
        host: StationHost,
        book: StatusBook,
        gate: Gate,
        memory: SwarmMemory,
        profiles: Mapping[str, BehaviourProfile],
        ssl_context: ssl.SSLContext | None,
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._host = host
        self._book = book
        self._gate = gate
        self._memory = memory
        self._profiles = profiles
        self._ssl_context = ssl_context
        self._now = now
        self._addresses = SourceAddresses()
        self._running: dict[str, _Begun] = {}

    def __contains__(self, station_id: str) -> bool:
        return station_id in self._running

    def __len__(self) -> int:
        return len(self._running)

    def as_begun(self, station_id: str) -> SwarmDesired | None:
        """What the station was begun with; None where it does not run here."""
        begun = self._running.get(station_id)
        return None if begun is None else begun.desired

    def term(self, station_id: str) -> int:
        """The term by which the station is this worker's; 0 where it does not run here."""
        begun = self._running.get(station_id)
        return 0 if begun is None else begun.term

    def left_something(self, station_id: str) -> bool:
        """Whether its CSMS has still to hear something of the station."""
        return past_of(self._memory.last(station_id)).unsettled

    def begin(self, desired: SwarmDesired) -> str | None:
        """Let a station begin where it was left off. Returns why it cannot; None where it can."""
        station_id = desired.station_id
        version = OcppVersion(desired.ocpp_version or self._settings.version)
        url = (desired.csms_url or self._settings.csms_url).rstrip("/")
        try:
            profile = profile_named(self._profiles, desired.profile)
            address = self._addresses.address_for(url)
        except (UnknownProfile, TooManyStations, ValueError) as error:
            return str(error)
        last = self._memory.last(station_id)
        past = past_of(last, goes_on_at=self._now() if desired.running else None, ocpp_version=version.value)
        if past_of(last).unsettled and not past.unsettled:
            log.warning(
                "what its CSMS has not heard was said in another OCPP", station_id=station_id, now=version.value
            )
        queue = KeptQueue(past.queue, on_change=lambda: self._book.mark(station_id))
        begun = self._running[station_id] = _Begun(
            desired, self._memory.term(station_id) + 1, before_it_began(station_id, desired.profile, past)
        )
        self._host.start(self._station_settings(station_id, url, version, profile, address, past, queue))
        self._book.open(
            station_id,
            term=begun.term,
            read=lambda: begun.snapshot(self._host.get(station_id)),
            queue=queue.entries,
            kwh=0.0 if last is None else last.kwh,
            ocpp_version=version.value,
        )
        if past.registers_wh:
            metrics.TAKEN_OVER.labels("with a transaction" if past.transactions else "idle").inc()
        return None

    async def stop(self, station_id: str) -> None:
        """End the station in good order, its transaction with the reason Local, and say that it is stopped."""
        self._look_once_more([station_id])
        await self._host.stop(station_id, reason="Local", within_s=STOP_WITHIN_S)
        await self._last_word(station_id, SwarmState.STOPPED)

    async def stop_all(self, within_s: float) -> None:
        """End every station in good order."""
        ids = tuple(self._running)
        self._look_once_more(ids)
        left = await self._host.stop_all(reason="Local", within_s=within_s)
        if left:
            log.warning("stations did not end in good order", count=left, within_s=within_s)
        await self._last_words(ids)

    async def hand_over(self, station_ids: Iterable[str]) -> None:
        """Let stations go as they are, transactions open, for another worker to go on with."""
        ids = [station_id for station_id in station_ids if station_id in self._running]
        self._look_once_more(ids)
        goodbyes = [task for each in ids if (task := self._gate.say_goodbye(each)) is not None]
        if goodbyes:
            await asyncio.wait(goodbyes, timeout=GOODBYE_WITHIN_S)
        await self._host.cut(ids)
        await self._last_words(ids)

    def say_again(self, station_id: str) -> None:
        """Have the last record of the station be of this worker, for the log may keep no other."""
        self._book.mark(station_id, urgent=True)

    def disown(self, station_id: str) -> None:
        """Speak for the station no more: it is another worker's already. `cut` it at once."""
        self._book.forget(station_id)
        self._gone(station_id)

    async def cut(self, station_id: str) -> None:
        """Take the power from a station that was disowned. Nothing is said: not to its CSMS, not on the log."""
        await self._host.cut([station_id])

    async def drop_all(self) -> None:
        """Cut every socket; the stations stay and dial again as soon as they may."""
        await self._host.drop_all()

    def _station_settings(
        self,
        station_id: str,
        url: str,
        version: OcppVersion,
        profile: BehaviourProfile,
        address: str | None,
        past: Past,
        queue: KeptQueue,
    ) -> StationSettings:
        settings = self._settings
        return StationSettings(
            station_id=station_id,
            csms_url=url,
            version=version,
            connectors=settings.connectors,
            spec=settings.spec,
            profile=profile,
            password=settings.csms_password.get_secret_value() if settings.csms_password else None,
            ssl_context=self._ssl_context if url.startswith("wss:") else None,
            source_address=address,
            seed=zlib.crc32(f"{settings.seed}/{station_id}".encode()),
            watch_interval_s=settings.status_interval_s,
            register_wh=past.registers_wh,
            resume=past.transactions,
            still_there=past.still_there,
            charging_profiles=past.charging_profiles,
            orders=past.orders,
            queue=queue,
        )

    def _look_once_more(self, station_ids: Iterable[str]) -> None:
        """Keep hold of stations that the host is about to forget."""
        for station_id in station_ids:
            if (begun := self._running.get(station_id)) is not None:
                begun.station = self._host.get(station_id) or begun.station

    async def _last_words(self, station_ids: Sequence[str]) -> None:
        for turn, station_id in enumerate(station_ids):
            await self._last_word(station_id, SwarmState.OFFLINE)
            if turn % WORDS_A_TURN == 0:
                await asyncio.sleep(0)

    async def _last_word(self, station_id: str, state: SwarmState) -> None:
        begun = self._running.get(station_id)
        if begun is None:
            return
        try:
            snapshot = replace(begun.snapshot(None), running=state is not SwarmState.STOPPED, connected=False)
        except Exception:
            log.exception("a station cannot be read at its end", station_id=station_id)
            snapshot = begun.waiting
        status = await self._book.close(station_id, snapshot, state=state)
        if status is not None:
            self._memory.note(status)
        self._gone(station_id)

    def _gone(self, station_id: str) -> None:
        begun = self._running.pop(station_id, None)
        if begun is not None:
            self._addresses.give_back((begun.desired.csms_url or self._settings.csms_url).rstrip("/"))


class _Begun:
    __slots__ = ("desired", "station", "term", "waiting")

    def __init__(self, desired: SwarmDesired, term: int, waiting: StationSnapshot) -> None:
        self.desired = desired
        self.term = term
        self.waiting = waiting
        self.station: HostedStation | None = None

    def snapshot(self, station: HostedStation | None) -> StationSnapshot:
        """How it is, was at its end, or will begin."""
        self.station = station or self.station
        return self.waiting if self.station is None else self.station.snapshot()
