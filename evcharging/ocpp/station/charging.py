"""Transactions at a station: begun once card and vehicle are there, watched, and ended with a reason.

Every beginning and every end becomes a message that is kept until the CSMS has answered it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from evcharging.domain.authorization import IdTagInfo, InvalidIdOutcome
from evcharging.domain.charger_state import ChargerError, FaultCode
from evcharging.domain.charging_schedules import ProfileRejected
from evcharging.ocpp.station import wording
from evcharging.ocpp.station.connector import Connector, Transaction
from evcharging.ocpp.station.interfaces import ConnectorState, TransactionRecord
from evcharging.ocpp.station.outbox import Kind
from evcharging.ocpp.station.wire import Condition, Context
from evcharging.ocpp.stop_notes import StopNote

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

    def end(
        self, connector: Connector, reason: str, *, id_tag: str | None = None, note: StopNote | None = None
    ) -> None:
        """End what runs at a connector, with the standard's `reason`; `id_tag` is the card that did it.

        A `note`, which says more than the standard's word, is told before the end itself.
        """
        station, transaction = self._station, connector.transaction
        if transaction is None:
            return
        sample = station.metering.sample(connector, Context.END)
        connector.charger.stop()
        for timer in (transaction.sampling, transaction.watching, transaction.leaving, connector.limit_timer):
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
        connector.stop_note = note
        if note is not None:
            connector.refresh()
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

    def begin(self, connector: Connector) -> None:
        """The card and the vehicle are both there: begin, if the charger can."""
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
            station.life.begins(connector, transaction)
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
        self.watch(connector, transaction)

    def watch(self, connector: Connector, transaction: Transaction) -> None:
        """Look at a session as often as the station is set to, and when a limit of energy should be reached."""

        def look() -> None:
            if connector.transaction is transaction:
                connector.read()
                self.observe(connector)
            if connector.transaction is transaction:
                self.watch(connector, transaction)

        delay_s = self._station.settings.watch_interval_s
        if connector.reading.power_w > 0.0:
            for left_wh in _left_wh(connector, transaction):
                delay_s = min(delay_s, max(_LEAST_LOOK_S, left_wh / connector.reading.power_w * _S_PER_H))
        if transaction.watching is not None:
            transaction.watching.cancel()
        transaction.watching = self._station.clock.call_later(delay_s, look)

    def _tell_state(self, connector: Connector, transaction: Transaction) -> None:
        if connector.state not in _SUSPENSIONS:
            return
        station = self._station
        sample = station.metering.sample(connector, Context.TRIGGER)
        request = station.wire.state_changed(transaction.record, connector.state, sample)
        if request is not None:
            station.outbox.keep(request, local_id=transaction.record.local_id, kind=Kind.METER)


def _left_wh(connector: Connector, transaction: Transaction) -> Iterator[float]:
    """Yield what a session may still take before the policy or a refused card ends it."""
    register_wh = connector.reading.register_wh
    if transaction.cap_wh is not None:
        yield transaction.record.meter_start_wh + transaction.cap_wh - register_wh
    if transaction.allowance_wh is not None:
        yield transaction.allowance_wh - register_wh
