"""Sessions at a station: a card and a vehicle come together, a transaction begins, is watched, and ends with a reason.

The two may come in either order; the first waits for the other. Every beginning and every end becomes a message that
is kept until the CSMS has answered it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from evcharging.domain.authorization import IdTagInfo, InvalidIdOutcome
from evcharging.domain.charger_state import ChargerError, ChargerState, FaultCode
from evcharging.domain.charging_schedules import ChargingProfile, ProfileRejected
from evcharging.domain.vehicle import VehicleSpec
from evcharging.ocpp.station import wording
from evcharging.ocpp.station.connector import Connector, Expected, Transaction
from evcharging.ocpp.station.interfaces import ConnectorState, TransactionRecord
from evcharging.ocpp.station.outbox import Kind
from evcharging.ocpp.station.wire import Condition, Context

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station

LOCAL: Final = "Local"
_NAMESPACE: Final = uuid.UUID("6f1f7bb3-5d0e-4f0c-9c64-0f7a3f7d3a51")
_S_PER_H: Final = 3600.0
_LEAST_LOOK_S: Final = 0.5
_SUSPENSIONS: Final = {ConnectorState.CHARGING, ConnectorState.SUSPENDED_EV, ConnectorState.SUSPENDED_EVSE}


class Charging:
    """Begins and ends the transactions of one station."""

    __slots__ = ("_begun", "_station", "delivered_wh", "sessions")

    def __init__(self, station: Station) -> None:
        self._station = station
        self._begun = 0
        self.sessions = 0
        """Transactions that have ended."""
        self.delivered_wh = 0
        """Their energy."""

    async def present(self, id_tag: str, connector_id: int | None) -> bool:
        """Take a card at the reader: it stops what it may stop, else it starts a session; return whether it may."""
        station = self._station
        running = self._stoppable(id_tag, connector_id)
        if running is not None and running.transaction is not None:
            transaction = running.transaction
            if not await station.authorizing.to_stop(id_tag, transaction.record):
                return False
            if running.transaction is transaction:
                self.end(running, LOCAL, id_tag=id_tag)
            return True
        connector = self.choose(id_tag, connector_id)
        if connector is None or not station.registration.may_transact:
            return False
        info = await station.authorizing.to_start(id_tag)
        if info is None:
            return False
        if not self.allowed(connector, id_tag, info.parent_id_tag):
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
        timer = station.clock.call_later(
            station.parameters.connection_timeout_s, lambda: self._nobody_came(connector, expected)
        )
        expected = connector.expected = Expected(id_tag, parent_id_tag, timer, remote_start_id, profile)
        if connector.vehicle is not None and connector.finished:
            self._same_vehicle_again(connector)
        if connector.vehicle is not None:
            self._begin(connector)
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
            self._begin(connector)
        connector.refresh()

    def unplug(self, connector: Connector) -> None:
        """The vehicle leaves."""
        station = self._station
        if connector.vehicle is None:
            return
        connector.read()
        if connector.transaction is not None and station.parameters.stop_on_disconnect:
            self.end(connector, "EVDisconnected")
        connector.charger.unplug()
        connector.vehicle = None
        connector.finished = False
        connector.refresh()

    def observe(self, connector: Connector) -> None:
        """Look at what was last read: limits of energy, faults, the state; then the policy."""
        transaction = connector.transaction
        if connector.reading.fault is not FaultCode.NONE:
            self.fault(connector)
            return
        if transaction is None:
            connector.show()
            return
        reached = transaction.allowance_wh is not None and connector.reading.register_wh >= transaction.allowance_wh
        if reached and transaction.stop_at_allowance:
            self.end(connector, "DeAuthorized")
        elif reached and connector.reading.limit_amps > 0.0:
            self._station.power.apply(connector)
        before = connector.state
        connector.show()
        if connector.transaction is transaction and before is not connector.state:
            self._tell_state(connector, transaction)
        if self._station.life is not None:
            self._station.life.watch(connector)

    def fault(self, connector: Connector) -> None:
        """An outlet failed: its transaction is over, with the energy until then."""
        connector.read()
        if connector.transaction is not None:
            self._station.log(wording.faulted(connector.number, connector.reading.fault))
            self.end(connector, "Other")
        connector.forget_expected()
        connector.show()

    def emergency_stop(self, connector: Connector) -> None:
        """The emergency button: nothing flows here until it is released."""
        connector.condition = Condition.EMERGENCY_STOP
        if connector.transaction is not None:
            self.end(connector, "EmergencyStop")
        connector.forget_expected()
        connector.refresh()

    def release(self, connector: Connector) -> None:
        """The emergency button is released, a fault was mended: a vehicle whose session it ended is still there."""
        connector.condition = Condition.NONE
        connector.refresh()

    def not_accepted(self, record: TransactionRecord, outcome: InvalidIdOutcome, info: IdTagInfo) -> None:
        """The CSMS took the transaction and refused its card."""
        station = self._station
        station.log(wording.refused(record.id_tag, info.status.value))
        connector = station.connector(record.connector_id)
        if connector is None or connector.transaction is None or connector.transaction.record is not record:
            return
        if outcome.stop:
            self.end(connector, "DeAuthorized")
            return
        transaction = connector.transaction
        transaction.allowance_wh = record.meter_start_wh + float(outcome.max_energy_wh)
        transaction.stop_at_allowance = station.parameters.authorization.stop_transaction_on_invalid_id
        connector.read()
        self.observe(connector)

    def end(self, connector: Connector, reason: str, *, id_tag: str | None = None) -> None:
        """End what runs at a connector, with the standard's `reason`; `id_tag` is the card that did it."""
        station, transaction = self._station, connector.transaction
        if transaction is None:
            return
        sample = station.metering.sample(connector, Context.END)
        connector.charger.stop()
        for timer in (transaction.sampling, transaction.watching, connector.limit_timer):
            if timer is not None:
                timer.cancel()
        connector.limit_timer = None
        station.metering.keep(transaction, sample)
        record = transaction.record
        record.ended_at_s = sample.at_s
        record.reason = reason
        connector.transaction = None
        if transaction.over is not None and not transaction.over.done():
            transaction.over.set_result(None)
        connector.finished = True
        self.sessions += 1
        self.delivered_wh += record.energy_wh
        station.profiles.end_transaction(connector.number)
        if not transaction.samples or transaction.samples[-1] is not sample:
            transaction.samples.append(sample)
        request = station.wire.ended(record, transaction.samples, id_tag)
        station.outbox.keep(request, local_id=record.local_id, kind=Kind.END)
        station.log(wording.charging_stopped(record.energy_wh))
        station.listener.transaction_ended(record)
        if connector.closing:
            connector.closing = False
            connector.operative = False
        station.power.apply_all()
        connector.refresh()
        station.availability.session_over()
        if station.life is not None:
            station.life.session_over(connector)

    def end_all(self, reason: str) -> None:
        """End everything that runs."""
        for connector in self._station.connectors:
            self.end(connector, reason)

    def _begin(self, connector: Connector) -> None:
        station, expected = self._station, connector.expected
        if expected is None:
            return
        connector.forget_expected()
        reservation = station.reservations.use(connector, expected.id_tag, expected.parent_id_tag)
        connector.show()
        now_s = station.clock.now_s()
        register_wh = int(connector.read().register_wh)
        self._begun += 1
        record = TransactionRecord(
            station_id=station.settings.station_id,
            connector_id=connector.number,
            local_id=str(uuid.uuid5(_NAMESPACE, f"{station.settings.station_id}/{now_s}/{self._begun}")),
            id_tag=expected.id_tag,
            parent_id_tag=expected.parent_id_tag,
            started_at_s=now_s,
            meter_start_wh=register_wh,
            meter_wh=register_wh,
            reservation_id=reservation,
            began_offline=not station.online,
            remote_start_id=expected.remote_start_id,
        )
        transaction = Transaction(record)
        connector.transaction = transaction
        if station.life is not None:
            station.life.begins(transaction)
        try:
            if expected.profile is not None:
                station.power.install(connector.number, expected.profile)
            station.power.apply(connector)
            connector.charger.start()
        except (ChargerError, ProfileRejected) as error:
            connector.transaction = None
            connector.refresh()
            station.log(f"Charging not started - {error}")
            return
        station.records[record.local_id] = record
        sample = station.metering.sample(connector, Context.BEGIN)
        station.metering.keep(transaction, sample)
        station.outbox.keep(station.wire.began(record, sample), local_id=record.local_id, kind=Kind.BEGIN)
        station.log(wording.charging_started(station.environment))
        station.listener.transaction_began(record)
        station.power.apply_all()
        connector.refresh()
        station.metering.begin(connector, transaction)
        self._watch(connector, transaction)

    def _watch(self, connector: Connector, transaction: Transaction) -> None:
        """Look at a session as often as the station is set to, and when a limit of energy should be reached."""

        def look() -> None:
            if connector.transaction is transaction:
                connector.read()
                self.observe(connector)
            if connector.transaction is transaction:
                self._watch(connector, transaction)

        delay_s = self._station.settings.watch_interval_s
        if connector.reading.power_w > 0.0:
            for left_wh in _left_wh(connector, transaction):
                delay_s = min(delay_s, max(_LEAST_LOOK_S, left_wh / connector.reading.power_w * _S_PER_H))
        transaction.watching = self._station.clock.call_later(delay_s, look)

    def _tell_state(self, connector: Connector, transaction: Transaction) -> None:
        if connector.state not in _SUSPENSIONS:
            return
        station = self._station
        sample = station.metering.sample(connector, Context.TRIGGER)
        request = station.wire.state_changed(transaction.record, connector.state, sample)
        if request is not None:
            station.outbox.keep(request, local_id=transaction.record.local_id, kind=Kind.METER)

    def _same_vehicle_again(self, connector: Connector) -> None:
        """A new card for the vehicle of a session that is over: it goes on from the charge it has."""
        vehicle, soc = connector.vehicle, connector.read().soc
        if vehicle is not None and connector.reading.state is ChargerState.FINISHED:
            connector.vehicle = VehicleSpec(
                vehicle.capacity_kwh,
                vehicle.onboard_kw,
                vehicle.arrival_soc if soc is None else soc,
                vehicle.taper,
                vehicle.dc_peak_kw,
                vehicle.dc_curve,
            )
            connector.charger.plug(connector.vehicle)
        connector.finished = False

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
            if connector.transaction is not None and connector.transaction.record.id_tag.lower() == id_tag.lower():
                return connector
        return running[0] if len(running) == len(self._station.connectors) else None


def _left_wh(connector: Connector, transaction: Transaction) -> Iterator[float]:
    """Yield what a session may still take before the policy or a refused card ends it."""
    register_wh = connector.reading.register_wh
    if transaction.cap_wh is not None:
        yield transaction.record.meter_start_wh + transaction.cap_wh - register_wh
    if transaction.allowance_wh is not None:
        yield transaction.allowance_wh - register_wh
