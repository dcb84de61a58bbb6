"""One connector: its charger, its cable, what runs and what is expected there, and the state that follows from it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evcharging.domain.charger_state import ChargerState, FaultCode
from evcharging.domain.charging_schedules import ChargingProfile
from evcharging.domain.vehicle import VehicleSpec
from evcharging.ocpp.station.interfaces import ConnectorState, Reading, StationCharger, Timer, TransactionRecord
from evcharging.ocpp.station.status_line import StatusLine
from evcharging.ocpp.station.wire import Condition, Sample
from evcharging.ocpp.stop_notes import StopNote

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station

_CONDITIONS = {
    FaultCode.NONE: Condition.NONE,
    FaultCode.GROUND_FAULT: Condition.GROUND_FAULT,
    FaultCode.OVER_TEMPERATURE: Condition.OVER_TEMPERATURE,
    FaultCode.CONTACTOR_WELDED: Condition.CONTACTOR_WELDED,
    FaultCode.COMMUNICATION_LOSS: Condition.COMMUNICATION_LOSS,
}


@dataclass(slots=True)
class Transaction:
    """A transaction that runs here.

    Attributes:
        samples: What is kept for the message of its end.
        allowance_wh: Register at which power is cut, the CSMS not having accepted the card; None for no such limit.
        stop_at_allowance: Whether it also ends there.
        cap_wh: Energy at which the policy ends it; None where none applies.
        factor: Share of the rated current that the policy leaves.
        over: Set when it ends, for whom waits for that.
        leaves_at_s: When the driver ends it, in Unix seconds; None where that is not settled.
        leaving: Until then.
    """

    record: TransactionRecord
    samples: list[Sample] = field(default_factory=list)
    allowance_wh: float | None = None
    stop_at_allowance: bool = False
    cap_wh: float | None = None
    factor: float = 1.0
    sampling: Timer | None = None
    watching: Timer | None = None
    over: asyncio.Future[None] | None = None
    leaves_at_s: float | None = None
    leaving: Timer | None = None


@dataclass(slots=True)
class Expected:
    """A card that was accepted and waits for its vehicle; `profile` came with the remote start."""

    id_tag: str
    parent_id_tag: str | None
    timer: Timer
    remote_start_id: int | None = None
    profile: ChargingProfile | None = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """A connector kept for a card, or for those of its group, until `expires_at_s`."""

    reservation_id: int
    id_tag: str
    parent_id_tag: str | None
    expires_at_s: float
    timer: Timer


class Connector:
    """A connector from 1 on.

    Attributes:
        reading: The charger as it was last read.
        vehicle: What is on the cable, None without.
        finished: Whether its session is over and it has not left yet.
        operative: False while it is out of service; `closing` while it will be, once its transaction has ended.
        locked_for: The card for which a cable without a vehicle is kept locked, None where it is not.
        condition: What is wrong beyond the charger's own faults (emergency stop).
        stop_note: Why its last session ended, where the standard has no word for it.
    """

    __slots__ = (
        "_station",
        "charger",
        "closing",
        "condition",
        "expected",
        "finished",
        "limit_timer",
        "line",
        "locked_for",
        "number",
        "operative",
        "reading",
        "reservation",
        "stop_note",
        "transaction",
        "vehicle",
    )

    def __init__(self, station: Station, number: int, charger: StationCharger) -> None:
        self._station = station
        self.number = number
        self.charger = charger
        self.line = StatusLine(station, number)
        self.reading: Reading = charger.advance(station.clock.now_s())
        self.vehicle: VehicleSpec | None = None
        self.finished = False
        self.operative = True
        self.closing = False
        self.locked_for: str | None = None
        self.condition = Condition.NONE
        self.transaction: Transaction | None = None
        self.expected: Expected | None = None
        self.reservation: Reservation | None = None
        self.limit_timer: Timer | None = None
        self.stop_note: StopNote | None = None

    @property
    def state(self) -> ConnectorState:
        """The state as it was last derived."""
        return self.line.state

    @property
    def free(self) -> bool:
        """Whether a session may begin here: in service, no fault, nothing running or expected."""
        return (
            self.operative
            and not self.closing
            and self.transaction is None
            and self.expected is None
            and self.locked_for is None
            and self.line.state is not ConnectorState.FAULTED
        )

    def read(self) -> Reading:
        """Bring the charger to now and read it."""
        return self.read_at(self._station.clock.now_s())

    def read_at(self, now_s: float) -> Reading:
        """As `read`, for who has looked at the clock."""
        reading = self.reading = self.charger.advance(now_s)
        return reading

    def refresh(self) -> None:
        """Read the charger, derive the state and tell it if it changed."""
        self.read()
        self.show()

    def show(self) -> None:
        """Derive the state from what was last read and tell it if it changed."""
        condition = self.condition
        if condition is Condition.NONE:
            condition = _CONDITIONS[self.reading.fault]
        if self.line.show(self._derive(condition), condition):
            self._station.connector_changed(self)

    def forget_expected(self) -> None:
        """Wait no longer for the vehicle of an accepted card."""
        if self.expected is not None:
            self.expected.timer.cancel()
            self.expected = None

    def forget_reservation(self) -> None:
        """Keep the connector for nobody any more."""
        if self.reservation is not None:
            self.reservation.timer.cancel()
            self.reservation = None

    def _derive(self, condition: Condition) -> ConnectorState:
        if condition is not Condition.NONE:
            return ConnectorState.FAULTED
        if self.transaction is not None:
            return self._charging_state()
        if not self.operative:
            return ConnectorState.UNAVAILABLE
        if self.locked_for is not None or (self.vehicle is not None and self.finished):
            return ConnectorState.FINISHING
        if self.vehicle is not None or self.expected is not None:
            return ConnectorState.PREPARING
        return ConnectorState.AVAILABLE if self.reservation is None else ConnectorState.RESERVED

    def _charging_state(self) -> ConnectorState:
        reading = self.reading
        if reading.state is ChargerState.CHARGING and reading.power_w > 0.0:
            return ConnectorState.CHARGING
        if reading.state in {ChargerState.SUSPENDED, ChargerState.PLUGGED}:
            return ConnectorState.SUSPENDED_EVSE
        return ConnectorState.SUSPENDED_EV
