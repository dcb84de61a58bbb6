"""Stations on MQTT: the same units as engines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from evcharging.apps.ocpp_gateway.central_system import CentralSystemTerms
from evcharging.domain.states import MqttStatus
from evcharging.mqtt.payloads import UnitAlarm, UnitEvent, UnitState, UnitTelemetry
from tests.support.central_system import business, until

T0 = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
TERMS = CentralSystemTerms(flush_s=0.01, mqtt_interval_s=0.02)


class NotingPublisher:
    """Notes what a broker would be told."""

    def __init__(self) -> None:
        self.units: set[str] = set()
        self.said: list[Any] = []

    def online(self, unit_id: str, *, rating_kw: float | None = None) -> None:
        self.units.add(unit_id)

    async def offline(self, unit_id: str) -> None:
        self.units.discard(unit_id)

    def telemetry(self, payload: UnitTelemetry) -> bool:
        self.said.append(payload)
        return True

    def state(self, payload: UnitState) -> bool:
        self.said.append(payload)
        return True

    def event(self, payload: UnitEvent) -> bool:
        self.said.append(payload)
        return True

    def alarm(self, payload: UnitAlarm) -> bool:
        self.said.append(payload)
        return True

    def last(self, kind: type[Any]) -> Any:
        return next((p for p in reversed(self.said) if isinstance(p, kind)), None)


async def test_a_station_is_a_unit_while_it_has_a_socket_and_tells_what_it_measures(tmp_path: Path) -> None:
    mqtt = NotingPublisher()
    async with business(tmp_path, terms=TERMS, mqtt=mqtt) as gateway:
        await gateway.price(0.5)
        station = gateway.station()
        await station.boot()
        assert mqtt.units == {"CP-1"}
        await station.status("Preparing")
        assert mqtt.last(UnitState).status is MqttStatus.PREPARING
        number = (await station.start(T0, 1000))["transactionId"]
        event = mqtt.last(UnitEvent)
        assert (event.event, mqtt.last(UnitState).session_id) == ("session_started", event.session_id)
        power = {"value": "11", "measurand": "Power.Active.Import", "unit": "kW"}
        await station.meter(number, T0 + timedelta(minutes=1), 3000, power)
        telemetry = await until(lambda: t if (t := mqtt.last(UnitTelemetry)) and t.power_kw else None)
        assert (telemetry.status, telemetry.power_kw, telemetry.energy_kwh) == (MqttStatus.CHARGING, 11.0, 2.0)
        assert (telemetry.cost, telemetry.currency) == (1.0, "EUR")
        await station.stop(number, T0 + timedelta(minutes=2), 900)
        assert mqtt.last(UnitEvent).event == "session_ended"
        assert mqtt.last(UnitAlarm).kind == "register_backwards"
        station.disconnect()
        await until(lambda: mqtt.units == set())
        assert mqtt.last(UnitState).status is MqttStatus.OFFLINE


async def test_the_sun_s_part_of_the_power_is_shared_by_all_stations_that_draw(tmp_path: Path) -> None:
    mqtt = NotingPublisher()
    power = {"value": "11", "measurand": "Power.Active.Import", "unit": "kW"}

    def told(cp_id: str) -> tuple[float, float]:
        """The last word of a station: from the sun, from the grid."""
        telemetry = [t for t in mqtt.said if isinstance(t, UnitTelemetry) and t.unit_id == cp_id]
        return (telemetry[-1].solar_kw, telemetry[-1].grid_kw) if telemetry else (0.0, 0.0)

    async with business(tmp_path, terms=TERMS, mqtt=mqtt) as gateway:
        await gateway.price(0.5, solar_kw=4.4)
        for cp_id, share in (("CP-1", (4.4, 6.6)), ("CP-2", (2.2, 8.8))):
            station = gateway.station(cp_id)
            await station.boot()
            number = (await station.start(T0, 1000))["transactionId"]
            await station.meter(number, T0 + timedelta(minutes=1), 1183, power)
            await until(lambda cp_id=cp_id, share=share: told(cp_id) == share)
        await until(lambda: told("CP-1") == (2.2, 8.8))


async def test_a_station_that_is_back_at_once_stays_online(tmp_path: Path) -> None:
    mqtt = NotingPublisher()
    async with business(tmp_path, terms=CentralSystemTerms(flush_s=0.01, mqtt_interval_s=60), mqtt=mqtt) as gateway:
        station = gateway.station()
        await station.boot()
        station.disconnect()
        await until(lambda: mqtt.last(UnitState).status is MqttStatus.OFFLINE)
        station.connect()
        await until(lambda: mqtt.last(UnitState).status is MqttStatus.AVAILABLE)
        await gateway.central.mqtt_feed.leave(mqtt)
        assert mqtt.units == {"CP-1"}
