"""A station's standing with its CSMS: boots until it is accepted, then heartbeats while nothing else passes.

While a boot is Pending or Rejected the station says nothing but the next boot, not before the interval it was told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from evcharging.ocpp.errors import ConnectionLost, OcppError
from evcharging.ocpp.exchange import Payload
from evcharging.ocpp.station import wording
from evcharging.ocpp.station.interfaces import Timer
from evcharging.ocpp.station.wire import RegistrationStatus

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station

BOOT_PAUSE_S: Final = 60.0
"""Before the next boot where the CSMS left it open or gave no good answer, so that it is not flooded."""


class Registration:
    """Whether and how the CSMS has accepted a station."""

    __slots__ = ("_awaited", "_heartbeat", "_on_accepted", "_opened_at_s", "_station", "reason", "status")

    def __init__(self, station: Station, *, on_accepted: Callable[[bool], None]) -> None:
        self._station = station
        self._on_accepted = on_accepted
        self._heartbeat: Timer | None = None
        self._opened_at_s = 0.0
        self._awaited: asyncio.Future[None] | None = None
        self.reason = "PowerUp"
        """Why the next boot happens."""
        self.status: RegistrationStatus | None = None
        """What the CSMS said since the last boot; None before it said anything."""

    @property
    def accepted(self) -> bool:
        """Whether the last boot was accepted."""
        return self.status is RegistrationStatus.ACCEPTED

    @property
    def may_transact(self) -> bool:
        """Whether transactions may begin: not while Pending or Rejected; an outage before any answer stops none."""
        return not self._station.stopping and self.status in {None, RegistrationStatus.ACCEPTED}

    async def register(self) -> None:
        """Boot on a new socket until accepted, unless it was before. Raises OcppError where the connection ends."""
        station = self._station
        self._opened_at_s = station.clock.now_s()
        if self.accepted and not station.settings.boot_on_reconnect:
            self._begin_heartbeats()
            self._on_accepted(False)
            return
        self.status = None
        while not self.accepted:
            pause_s = await self._boot()
            if not self.accepted:
                await station.link.pause(pause_s)
            if not station.link.connected:
                raise ConnectionLost("closed while waiting to boot again")

    async def boot_again(self) -> None:
        """Boot because the CSMS asked for it."""
        before = self.accepted
        self.reason = "Triggered"
        pause_s = await self._boot()
        if not before:
            self._station.link.wake()
            return
        while not self.accepted:
            await self._station.clock.sleep(pause_s)
            pause_s = await self._boot()

    async def until_accepted(self) -> None:
        """Return once a boot was accepted."""
        while not self.accepted:
            self._awaited = asyncio.get_running_loop().create_future()
            await self._awaited

    def forget(self, reason: str) -> None:
        """The station reboots: it has to be accepted again."""
        self.status = None
        self.reason = reason
        self.pause()

    def pause(self) -> None:
        """No heartbeats: there is no connection."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            self._heartbeat = None

    def reset_heartbeat(self) -> None:
        """Take up a changed heartbeat interval."""
        self.pause()
        if self.accepted and self._station.link.connected:
            self._begin_heartbeats()

    async def _boot(self) -> float:
        """Boot once and return the pause before the next attempt, in s."""
        station = self._station
        station.log(wording.boot_sent())
        before = self.accepted
        try:
            answer = station.wire.read_boot(await station.link.call(station.wire.boot(self.reason)))
        except ConnectionLost:
            raise
        except OcppError as error:
            station.log(wording.boot_failed(str(error)))
            return BOOT_PAUSE_S
        self.status = answer.status
        waited_s = station.clock.now_s() - self._opened_at_s
        station.listener.registered(station.settings.station_id, answer.status.value, waited_s)
        station.log(wording.boot_answered(answer.status.value, answer.interval_s))
        if not self.accepted:
            self.pause()
            station.outbox.shut()
            return answer.interval_s or BOOT_PAUSE_S
        if answer.interval_s > 0:
            station.parameters.heartbeat_interval_s = answer.interval_s
        self.reset_heartbeat()
        if not before:
            self._on_accepted(True)
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)
        return 0.0

    def _begin_heartbeats(self) -> None:
        interval_s = self._station.parameters.heartbeat_interval_s
        if interval_s > 0:
            self._heartbeat = self._station.clock.call_later(interval_s, self._beat)

    def _beat(self) -> None:
        """Send a heartbeat if nothing passed for an interval: HeartbeatInterval counts inactivity (1.6, 9.1.10)."""
        station = self._station
        interval_s = station.parameters.heartbeat_interval_s
        idle_s = station.clock.now_s() - station.link.active_at_s
        if idle_s >= interval_s * 0.999:
            station.outbox.post(station.wire.heartbeat(), self._answered)
            idle_s = 0.0
        self._heartbeat = station.clock.call_later(interval_s - idle_s, self._beat)

    def _answered(self, answer: Payload | OcppError) -> None:
        if isinstance(answer, OcppError):
            self._station.log(wording.heartbeat_failed(str(answer)))
