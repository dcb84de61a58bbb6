"""What it means to a station that its socket opens and closes, and that the CSMS accepts it: `LinkEvents`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evcharging.ocpp.station import wording

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station


class Connection:
    """The coming and going of one station's connection."""

    __slots__ = ("_station",)

    def __init__(self, station: Station) -> None:
        self._station = station

    async def opened(self, attempts: int) -> None:
        """A socket stands: register. Raises OcppError where it ends before that is done."""
        station = self._station
        station.log(wording.reconnected(attempts + 1) if station.link.reconnects else wording.connected())
        station.listener.connected(station.settings.station_id)
        await station.registration.register()

    def closed(self, reason: str) -> None:
        """The socket is gone: nothing is sent until there is another one."""
        station = self._station
        station.outbox.shut()
        station.registration.pause()
        station.log(wording.disconnected(reason))
        station.listener.disconnected(station.settings.station_id, reason)
        station.listener.changed(station.settings.station_id)

    def not_opened(self, reason: str, pause_s: float) -> None:
        """No socket could be opened."""
        station = self._station
        station.log(wording.not_connected(reason, pause_s))
        station.listener.disconnected(station.settings.station_id, reason)

    def accepted(self, booted: bool) -> None:
        """The CSMS takes calls: send what waits, and tell the states that it does not know."""
        station = self._station
        station.outbox.open()
        if booted:
            station.wire.status_forgotten()
        station.tell_statuses(again=booted)
        station.listener.changed(station.settings.station_id)
