"""Tells MQTT of stations as engines tell of themselves: online, state, events, alarms, and what is measured."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Protocol

from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, ChargePoints
from evcharging.domain.energy import WH_PER_KWH
from evcharging.domain.states import WHOLE_CHARGE_POINT, ChargePointState, MqttStatus, mqtt_of_ocpp, mqtt_of_state
from evcharging.messages.charge_points import Alert, Status
from evcharging.messages.envelope import Event
from evcharging.mqtt.payloads import UnitAlarm, UnitEvent, UnitState, UnitTelemetry

__all__ = ["MqttFeed", "MqttPublisher"]

LONGEST_ID: Final = 64
"""What the payloads take."""


class MqttPublisher(Protocol):
    """What is needed of `evcharging.mqtt.publisher.UnitPublisher`."""

    def online(self, unit_id: str, *, rating_kw: float | None = None) -> None:
        """Announce a unit."""
        ...

    async def offline(self, unit_id: str) -> None:
        """Take a unit off."""
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

    def alarm(self, payload: UnitAlarm) -> bool:
        """Publish an alarm."""
        ...


class MqttFeed:
    """The MQTT side of a gateway.

    Args:
        points: the stations.
        price: the price per kWh and its currency, for display.
        solar_fraction: the sun's part of the power given.
        now: the time, with a zone.
    """

    def __init__(
        self,
        points: ChargePoints,
        *,
        price: Callable[[], tuple[float, str]],
        solar_fraction: Callable[[float], float],
        now: Callable[[], datetime],
    ) -> None:
        self._points = points
        self._price = price
        self._solar_fraction = solar_fraction
        self._now = now
        self._seq = 0
        self.leaving: set[str] = set()
        """Units that have no socket any more and are still online on MQTT; `leave` takes them off."""

    def published(self, event: Event[Any], mqtt: MqttPublisher) -> None:
        """Repeat on MQTT what was said on the bus: states, beginnings and ends of sessions, alarms."""
        match event.message:
            case Status() as status:
                self._status(status, mqtt)
            case Alert() as alert:
                mqtt.alarm(
                    UnitAlarm(
                        ts=alert.ts,
                        unit_id=alert.cp_id,
                        kind=alert.kind,
                        severity=alert.severity.value,
                        active=alert.ended_at is None,
                        detail=alert.detail,
                    )
                )

    async def leave(self, mqtt: MqttPublisher) -> None:
        """Take off the units whose stations are gone."""
        while self.leaving:
            cp_id = self.leaving.pop()
            point = self._points.get(cp_id)
            if point is None or point.link is None:
                await mqtt.offline(cp_id)

    def measure(self, mqtt: MqttPublisher) -> None:
        """Publish telemetry of every station that is connected."""
        self._seq += 1
        for point in self._points.connected():
            mqtt.telemetry(self._telemetry(point))

    def _status(self, status: Status, mqtt: MqttPublisher) -> None:
        point = self._points.get(status.cp_id)
        if point is None:
            return
        state = point.rolled_up()
        if point.link is not None:
            self.leaving.discard(status.cp_id)
            mqtt.online(status.cp_id)
        transaction = next(iter(point.open.values()), None)
        mqtt.state(
            UnitState(
                ts=status.ts,
                unit_id=status.cp_id,
                status=_status_of(point, state),
                reason=status.reason,
                session_id=transaction.session_id[:LONGEST_ID] if transaction is not None else None,
            )
        )
        if point.link is None and status.state is ChargePointState.DISCONNECTED:
            self.leaving.add(status.cp_id)
        self._session(status, mqtt)

    def _session(self, status: Status, mqtt: MqttPublisher) -> None:
        detail = status.detail
        if status.session_id is None or detail is None:
            return
        ended = detail.last_seq is not None
        if not ended and detail.started_at is None:
            return  # a state that a session goes on through
        mqtt.event(
            UnitEvent(
                ts=status.ts,
                unit_id=status.cp_id,
                event="session_ended" if ended else "session_started",
                session_id=status.session_id[:LONGEST_ID],
                detail={"reason": status.reason, "connector_id": status.connector_id},
            )
        )

    def _telemetry(self, point: ChargePoint) -> UnitTelemetry:
        price, currency = self._price()
        open_now = list(point.open.values())
        energy_kwh = float(sum((t.energy_wh for t in open_now), start=WH_PER_KWH * 0) / WH_PER_KWH)
        power_kw = round(sum(t.power_kw or 0.0 for t in open_now), 3)
        solar_kw = round(power_kw * self._solar_fraction(power_kw), 3)
        live = open_now[0] if open_now else None
        return UnitTelemetry(
            ts=self._now(),
            unit_id=point.cp_id,
            seq=self._seq,
            status=_status_of(point, point.rolled_up()),
            session_id=live.session_id[:LONGEST_ID] if live is not None else None,
            power_kw=power_kw,
            energy_kwh=energy_kwh,
            current_a=live.amps if live is not None else None,
            voltage_v=live.volts if live is not None else None,
            soc=live.soc if live is not None else None,
            temperature_c=live.temperature_c if live is not None else None,
            solar_kw=solar_kw,
            grid_kw=round(power_kw - solar_kw, 3),
            cost=round(energy_kwh * price, 4),
            currency=currency,
        )


def _status_of(point: ChargePoint, state: ChargePointState) -> MqttStatus:
    """The status in MQTT's words, which say more of a station in service than the bus does."""
    if state is not ChargePointState.ACTIVATED:
        return mqtt_of_state(state)
    said = [r.status for c, r in sorted(point.connectors.items()) if c != WHOLE_CHARGE_POINT]
    words = [mqtt_of_ocpp(status) for status in said]
    for word in (MqttStatus.PREPARING, MqttStatus.FINISHING):
        if word in words:
            return word
    return MqttStatus.AVAILABLE
