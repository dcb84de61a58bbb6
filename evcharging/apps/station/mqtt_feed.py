"""Tells MQTT of a station's chargers, each a unit, as an engine does of its own. Commands are the CSMS's alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Protocol

from evcharging.domain.states import MqttStatus
from evcharging.mqtt.payloads import UnitEvent, UnitState, UnitTelemetry
from evcharging.ocpp.station.interfaces import ConnectorSnapshot, ConnectorState, Reading, StationSnapshot

__all__ = ["MqttFeed", "MqttPublisher"]

STATUSES: Final = {
    ConnectorState.AVAILABLE: MqttStatus.AVAILABLE,
    ConnectorState.RESERVED: MqttStatus.AVAILABLE,
    ConnectorState.PREPARING: MqttStatus.PREPARING,
    ConnectorState.CHARGING: MqttStatus.CHARGING,
    ConnectorState.SUSPENDED_EV: MqttStatus.CHARGING,
    ConnectorState.SUSPENDED_EVSE: MqttStatus.CHARGING,
    ConnectorState.FINISHING: MqttStatus.FINISHING,
    ConnectorState.UNAVAILABLE: MqttStatus.UNAVAILABLE,
    ConnectorState.FAULTED: MqttStatus.FAULTED,
}


class MqttPublisher(Protocol):
    """What is needed of `evcharging.mqtt.publisher.UnitPublisher`."""

    def online(self, unit_id: str, *, rating_kw: float | None = None) -> None:
        """Announce a unit."""
        ...

    def telemetry(self, payload: UnitTelemetry) -> bool:
        """Publish what a unit measures."""
        ...

    def state(self, payload: UnitState) -> bool:
        """Publish a unit's state."""
        ...

    def event(self, payload: UnitEvent) -> bool:
        """Publish an event."""
        ...


class MqttFeed:
    """The MQTT side of one station.

    Args:
        mqtt: publishes.
        units: the unit of each connector, in their order.
        rating_kw: the most each delivers.
        read: what a connector's charger shows now.
        price, currency: for the cost of the session.
        now: the time in UTC.
    """

    def __init__(
        self,
        mqtt: MqttPublisher,
        units: Sequence[str],
        *,
        rating_kw: float,
        read: Callable[[int], Reading],
        price: Callable[[], float],
        currency: str,
        now: Callable[[], datetime],
    ) -> None:
        self._mqtt = mqtt
        self._units = units
        self._rating_kw = rating_kw
        self._read = read
        self._price = price
        self._currency = currency
        self._now = now
        self._seq = 0
        self._told: dict[str, tuple[MqttStatus, float, str | None]] = {}

    def measure(self, snapshot: StationSnapshot) -> None:
        """Publish telemetry of every connector."""
        self._seq += 1
        for unit_id, connector in zip(self._units, snapshot.connectors, strict=True):
            self._mqtt.telemetry(self._telemetry(unit_id, connector))

    def follow(self, snapshot: StationSnapshot) -> None:
        """Publish the state of each connector whose status, limit or session is another than was told."""
        for unit_id, connector in zip(self._units, snapshot.connectors, strict=True):
            told = (STATUSES[connector.state], connector.limit_amps, _session_id(connector))
            before = self._told.get(unit_id)
            if told == before:
                continue
            if before is None:
                self._mqtt.online(unit_id, rating_kw=self._rating_kw)
            self._told[unit_id] = told
            status, limit_a, session_id = told
            self._mqtt.state(
                UnitState(
                    ts=self._now(),
                    unit_id=unit_id,
                    status=status,
                    session_id=session_id,
                    limit_a=limit_a,
                    rating_kw=self._rating_kw,
                )
            )
            last_session = before[2] if before is not None else None
            if session_id != last_session:
                began = session_id is not None
                event = UnitEvent(
                    ts=self._now(),
                    unit_id=unit_id,
                    event="session_started" if began else "session_ended",
                    session_id=session_id if began else last_session,
                )
                self._mqtt.event(event)

    def _telemetry(self, unit_id: str, connector: ConnectorSnapshot) -> UnitTelemetry:
        reading = self._read(connector.connector_id)
        record = connector.transaction
        power_kw = round(reading.power_w / 1000.0, 3)
        energy_kwh = 0.0 if record is None else max(0.0, reading.register_wh - record.meter_start_wh) / 1000.0
        return UnitTelemetry(
            ts=self._now(),
            unit_id=unit_id,
            seq=self._seq,
            status=STATUSES[connector.state],
            session_id=_session_id(connector),
            power_kw=power_kw,
            energy_kwh=round(energy_kwh, 4),
            current_a=round(reading.amps, 2),
            voltage_v=round(reading.volts, 1),
            soc=reading.soc,
            temperature_c=reading.temperature_c,
            solar_kw=0.0,
            grid_kw=power_kw,
            cost=round(energy_kwh * self._price(), 4),
            currency=self._currency,
        )


def _session_id(connector: ConnectorSnapshot) -> str | None:
    return None if connector.transaction is None else connector.transaction.local_id
