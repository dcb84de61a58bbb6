"""Cards and vehicles that come together at a station, in either order: the first waits for the other.

What begins and ends a transaction is in `charging`; here it is decided whose session may begin where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evcharging.domain.authorization import same_id_tag
from evcharging.domain.charger_state import ChargerError, ChargerState
from evcharging.domain.charging_schedules import ChargingProfile
from evcharging.domain.vehicle import VehicleSpec
from evcharging.ocpp.station import wording
from evcharging.ocpp.station.charging import LOCAL
from evcharging.ocpp.station.connector import Connector, Expected, Transaction

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station


class Arrivals:
    """The cards at the reader and the vehicles at the cables of one station."""

    __slots__ = ("_station",)

    def __init__(self, station: Station) -> None:
        self._station = station

    async def present(self, id_tag: str, connector_id: int | None) -> bool:
        """Take a card at the reader: it stops what it may stop, else it starts a session; return whether it may."""
        station = self._station
        locked = next((one for one in station.connectors if same_id_tag(one.locked_for, id_tag)), None)
        if locked is not None:
            self.unlock(locked)
            return True
        running = self._stoppable(id_tag, connector_id)
        if running is not None and running.transaction is not None:
            return await self._stop(running, running.transaction, id_tag)
        connector = self.choose(id_tag, connector_id)
        if connector is None or not station.registration.may_transact:
            return False
        info = await station.authorizing.to_start(id_tag)
        if info is None or not self.allowed(connector, id_tag, info.parent_id_tag):
            return False
        self.expect(connector, id_tag, info.parent_id_tag)
        return True

    def choose(self, id_tag: str, connector_id: int | None) -> Connector | None:
        """Return the connector for a session: the one named, else one reserved, then one plugged, then any; if free."""
        station = self._station
        if connector_id is not None:
            named = station.connector(connector_id)
            return named if named is not None and self.allowed(named, id_tag, None, strict=False) else None
        free = [connector for connector in station.connectors if self.allowed(connector, id_tag, None, strict=False)]
        return max(
            free,
            key=lambda connector: (connector.reservation is not None, connector.vehicle is not None, -connector.number),
            default=None,
        )

    def allowed(self, connector: Connector, id_tag: str, parent_id_tag: str | None, *, strict: bool = True) -> bool:
        """Return whether a card may begin here. Not `strict`, a reservation for a group lets others try."""
        return connector.free and self._station.reservations.admits(connector, id_tag, parent_id_tag, strict=strict)

    def barred_by_policy(self) -> str | None:
        """Why the station's policy lets no session begin from afar now; None where it does, or there is none."""
        life = self._station.life
        reason = None if life is None else life.refuses_start()
        if reason is not None:
            self._station.log(wording.remote_start_refused(reason))
        return reason

    def expect(
        self,
        connector: Connector,
        id_tag: str,
        parent_id_tag: str | None,
        *,
        remote_start_id: int | None = None,
        profile: ChargingProfile | None = None,
    ) -> None:
        """A card was accepted: begin with the vehicle that is there, else wait for one."""
        station = self._station
        if station.stopping:
            return
        timer = station.clock.call_later(
            station.parameters.connection_timeout_s, lambda: self._nobody_came(connector, expected)
        )
        expected = connector.expected = Expected(id_tag, parent_id_tag, timer, remote_start_id, profile)
        if connector.vehicle is not None and connector.finished:
            try:
                self._same_vehicle_again(connector)
            except ChargerError as error:
                connector.forget_expected()
                connector.refresh()
                station.log(f"Charging not started - {error}")
                return
        if connector.vehicle is not None:
            station.charging.begin(connector)
        else:
            connector.refresh()
            if station.life is not None:
                station.life.vehicle_wanted(connector)

    def plug_in(self, connector: Connector, vehicle: VehicleSpec) -> None:
        """A vehicle comes. Raises ChargerError where one is there."""
        connector.read()
        connector.charger.plug(vehicle)
        connector.vehicle = vehicle
        connector.finished = False
        if connector.transaction is not None:
            connector.charger.start()  # it was only unplugged at the vehicle's side, and goes on
        elif connector.expected is not None and connector.operative:
            self._station.charging.begin(connector)
        connector.refresh()

    def unplug(self, connector: Connector) -> None:
        """The vehicle leaves. Raises ChargerError where the charger cannot be told: the vehicle is still there."""
        station = self._station
        if connector.vehicle is None:
            return
        connector.read()
        if connector.transaction is not None and station.parameters.stop_on_disconnect:
            if not station.parameters.unlock_on_disconnect:
                connector.locked_for = connector.transaction.record.id_tag
            station.charging.end(connector, "EVDisconnected")
        connector.charger.unplug()
        connector.vehicle = None
        connector.finished = False
        connector.refresh()

    def unlock(self, connector: Connector) -> None:
        """Let go of a cable that was left at the station when its vehicle was unplugged."""
        connector.locked_for = None
        connector.refresh()

    async def _stop(self, connector: Connector, transaction: Transaction, id_tag: str) -> bool:
        if not await self._station.authorizing.to_stop(id_tag, transaction.record):
            return False
        if connector.transaction is transaction:
            self._station.charging.end(connector, LOCAL, id_tag=id_tag)
        return True

    def _nobody_came(self, connector: Connector, expected: Expected) -> None:
        if connector.expected is expected:
            connector.expected = None
            self._station.log(f"Connector {connector.number} no vehicle came for {expected.id_tag}")
            connector.refresh()

    def _stoppable(self, id_tag: str, connector_id: int | None) -> Connector | None:
        """Return the connector whose transaction a card means: the one named, else the one it began."""
        if connector_id is not None:
            named = self._station.connector(connector_id)
            return named if named is not None and named.transaction is not None else None
        running = [connector for connector in self._station.connectors if connector.transaction is not None]
        for connector in running:
            if connector.transaction is not None and same_id_tag(connector.transaction.record.id_tag, id_tag):
                return connector
        return running[0] if len(running) == len(self._station.connectors) else None

    def _same_vehicle_again(self, connector: Connector) -> None:
        """A new card for the vehicle of a session that is over: it goes on from the charge it has."""
        vehicle, soc = connector.vehicle, connector.read().soc
        if vehicle is not None and connector.reading.state is ChargerState.FINISHED:
            same = VehicleSpec(
                vehicle.capacity_kwh,
                vehicle.onboard_kw,
                vehicle.arrival_soc if soc is None else soc,
                vehicle.taper,
                vehicle.dc_peak_kw,
                vehicle.dc_curve,
            )
            connector.charger.plug(same)
            connector.vehicle = same
        connector.finished = False
