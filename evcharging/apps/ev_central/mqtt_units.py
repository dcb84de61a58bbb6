"""Units that are on MQTT only: they become charge points with source ``mqtt``, shown but not ordered about.

A unit that Kafka knows is the same unit, and its Kafka records count; what it says on MQTT is passed over here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from evcharging.apps.ev_central.view import NetworkView
from evcharging.bus.protocol import Bus
from evcharging.domain.states import ChargePointState, MqttStatus, state_of_mqtt
from evcharging.messages.charge_points import Status, StatusSource, Telemetry
from evcharging.messages.envelope import Event, derived_id, new_traceparent
from evcharging.messages.topics import STATUS
from evcharging.mqtt.observer import Observed, UnitObserver, UnitReport

__all__ = ["MqttUnits"]

NO_SESSION = "mqtt"
WAIT_FOR_KAFKA = timedelta(seconds=5)


class MqttUnits:
    """Publishes `cp.status` for units seen on MQTT alone, on each change of their state, and shows their readings."""

    def __init__(
        self, observer: UnitObserver, bus: Bus, view: NetworkView, *, instance_id: str, now: Callable[[], datetime]
    ) -> None:
        self._observer = observer
        self._bus = bus
        self._view = view
        self._instance_id = instance_id
        self._now = now
        self._states: dict[str, ChargePointState] = {}
        self._first_seen: dict[str, datetime] = {}

    async def run(self) -> None:
        """Read until cancelled."""
        async for observed in self._observer:
            await self.take(observed)

    async def take(self, observed: Observed) -> None:
        """Act on one thing seen."""
        if self._is_known_from_kafka(observed.unit_id) or self._is_new(observed.unit_id):
            return
        if isinstance(observed, UnitReport):
            state = state_of_mqtt(MqttStatus(observed.telemetry.status.value))
            await self._report(observed.unit_id, state, "telemetry")
            self._show(observed)
        elif not observed.online and observed.unit_id in self._states:
            await self._report(observed.unit_id, ChargePointState.DISCONNECTED, str(observed.reason))

    def _is_new(self, unit_id: str) -> bool:
        """Whether its first status may still be on its way over Kafka, as an engine's often is at the start."""
        now = self._now()
        return now - self._first_seen.setdefault(unit_id, now) < WAIT_FOR_KAFKA

    def _is_known_from_kafka(self, unit_id: str) -> bool:
        record = self._view.record(unit_id, self._now())
        return record is not None and record["source"] not in (None, StatusSource.MQTT, StatusSource.CENTRAL)

    async def _report(self, unit_id: str, state: ChargePointState, reason: str) -> None:
        previous = self._states.get(unit_id)
        if state is previous:
            return
        self._states[unit_id] = state
        now = self._now()
        status = Status(
            ts=now,
            cp_id=unit_id,
            state=state,
            previous_state=previous,
            reason=reason,
            source=StatusSource.MQTT,
        )
        event_id = derived_id(f"{unit_id}:{now.isoformat()}", f"mqtt:{state.value}")
        await self._bus.publish(Event(STATUS, status, event_id, f"central/{self._instance_id}", new_traceparent()))

    def _show(self, report: UnitReport) -> None:
        reading = report.telemetry
        self._view.apply(
            Telemetry(
                ts=reading.ts,
                cp_id=report.unit_id,
                session_id=reading.session_id or NO_SESSION,
                seq=max(1, reading.seq),
                interval_start=reading.ts,
                interval_end=reading.ts,
                register_wh=reading.energy_kwh * 1000,
                energy_wh=0.0,
                kw=reading.power_kw,
                kwh=reading.energy_kwh,
                euros=reading.cost or 0.0,
                soc=reading.soc,
                amps=reading.current_a,
                volts=reading.voltage_v,
                temperature_c=reading.temperature_c,
            ),
            report.received_at,
        )
