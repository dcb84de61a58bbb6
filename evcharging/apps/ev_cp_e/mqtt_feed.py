"""Tells MQTT what the charge points do, and takes what people on the spot do over MQTT.

Over MQTT nobody starts a session: a start has a driver, a price and a record, and those are Central's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from evcharging.apps.ev_cp_e.command_desk import Refused, parse_injection
from evcharging.apps.ev_cp_e.phases import Phase
from evcharging.apps.ev_cp_e.unit import Unit
from evcharging.domain.charger import ChargerState
from evcharging.domain.end_reasons import EndReason
from evcharging.domain.states import ChargePointState, MqttStatus, mqtt_of_state
from evcharging.messages.charge_points import Alert, Status
from evcharging.messages.commands import CommandOutcome
from evcharging.messages.envelope import Event
from evcharging.mqtt.commands import CommandAnswer
from evcharging.mqtt.payloads import UnitAlarm, UnitCommand, UnitEvent, UnitState, UnitTelemetry
from evcharging.mqtt.topics import CommandTopic

__all__ = ["MqttFeed", "MqttPublisher"]

VERBS: Final = ("unplug", "plug", "fault", "clear", "stop")
CURRENCY: Final = "EUR"
LONGEST_ID: Final = 64
"""What the payloads take; Central's session ids are shorter."""


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

    def alarm(self, payload: UnitAlarm) -> bool:
        """Publish an alarm."""
        ...


class MqttFeed:
    """The MQTT side of an engine.

    Args:
        units: the charge points by id; filled by their owner.
        rating_kw: the most each delivers.
        now: the time in UTC.
    """

    def __init__(self, units: Mapping[str, Unit], *, rating_kw: float, now: Callable[[], datetime]) -> None:
        self._units = units
        self._rating_kw = rating_kw
        self._now = now
        self._seq = 0

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

    def measure(self, mqtt: MqttPublisher, *, solar_fraction: float) -> None:
        """Publish telemetry of every charge point."""
        self._seq += 1
        for unit in self._units.values():
            if unit.booted and not unit.gone:
                mqtt.telemetry(self._telemetry(unit, solar_fraction))

    async def carry_out(self, topic: CommandTopic, command: UnitCommand) -> CommandAnswer:
        """Do what was asked over MQTT; for `evcharging.mqtt.publisher.UnitPublisher`."""
        try:
            self._do(topic, command)
        except Refused as refused:
            return CommandAnswer(
                CommandOutcome.REJECTED,
                error_code=str(refused.refusal.code),
                error_description=refused.refusal.description,
            )
        return CommandAnswer()

    def _do(self, topic: CommandTopic, command: UnitCommand) -> None:
        unit = self._units.get(topic.unit_id)
        if unit is None:
            raise Refused("unknown_unit", f"no charge point {topic.unit_id!r} is here")
        if topic.verb == "stop":
            unit.end_session(EndReason.OPERATOR_STOP)
        elif topic.verb in VERBS:
            unit.inject(*parse_injection({**command.payload, "kind": topic.verb}))
        else:
            raise Refused("not_supported", f"{topic.verb!r} is not taken here; expected {', '.join(VERBS)}")

    def _status(self, status: Status, mqtt: MqttPublisher) -> None:
        if status.state is not ChargePointState.DISCONNECTED:
            mqtt.online(status.cp_id, rating_kw=self._rating_kw)
        unit = self._units.get(status.cp_id)
        session_id = status.session_id[:LONGEST_ID] if status.session_id is not None else None
        mqtt.state(
            UnitState(
                ts=status.ts,
                unit_id=status.cp_id,
                status=mqtt_of_state(status.state),
                reason=status.reason,
                session_id=session_id if status.state is ChargePointState.SUPPLYING else None,
                limit_a=round(unit.point.limit_amps, 2) if unit is not None else None,
                rating_kw=self._rating_kw,
            )
        )
        if session_id is None:
            return
        began = status.state is ChargePointState.SUPPLYING
        mqtt.event(
            UnitEvent(
                ts=status.ts,
                unit_id=status.cp_id,
                event="session_started" if began else "session_ended",
                session_id=session_id,
                detail=None if status.reason is None else {"reason": status.reason},
            )
        )

    def _telemetry(self, unit: Unit, solar_fraction: float) -> UnitTelemetry:
        point, readings = unit.point, unit.link.readings
        session = point.session
        power_kw = round(point.power_kw, 3)
        solar_kw = round(power_kw * solar_fraction, 3)
        return UnitTelemetry(
            ts=self._now(),
            unit_id=unit.cp_id,
            seq=self._seq,
            status=_status_of(unit),
            session_id=session.session_id[:LONGEST_ID] if session is not None else None,
            power_kw=power_kw,
            energy_kwh=float(session.kwh) if session is not None else 0.0,
            current_a=readings.current_a,
            voltage_v=readings.voltage_v,
            soc=readings.soc,
            temperature_c=readings.temperature_c,
            solar_kw=solar_kw,
            grid_kw=round(power_kw - solar_kw, 3),
            cost=round(float(session.euros), 4) if session is not None else 0.0,
            currency=CURRENCY,
        )


def _status_of(unit: Unit) -> MqttStatus:
    """The status in MQTT's words, which say more of a charge point in service than the bus does."""
    if unit.point.state is not ChargePointState.ACTIVATED:
        return mqtt_of_state(unit.point.state)
    if unit.point.phase is Phase.STARTING or unit.link.readings.state is ChargerState.PLUGGED:
        return MqttStatus.PREPARING
    return MqttStatus.FINISHING if unit.link.readings.state is ChargerState.FINISHED else MqttStatus.AVAILABLE
