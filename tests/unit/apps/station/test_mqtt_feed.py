"""What MQTT is told of a station's chargers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from evcharging.apps.station.mqtt_feed import STATUSES, MqttFeed
from evcharging.domain.charger_state import ChargerState, FaultCode
from evcharging.domain.states import MqttStatus
from evcharging.mqtt.payloads import UnitEvent, UnitState, UnitTelemetry
from evcharging.ocpp.station.interfaces import (
    ConnectorSnapshot,
    ConnectorState,
    Reading,
    StationSnapshot,
    TransactionRecord,
)

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
READING = Reading(3_500.0, 10.0, 230.94, 6_928.2, 0.4, 30.0, ChargerState.CHARGING, FaultCode.NONE, 10.0)
RECORD = TransactionRecord("CP-1", 1, "local-1", "TAG", 0.0, 1_000, 3_000)
IDLE = ConnectorSnapshot(1, ConnectorState.AVAILABLE, 0.0, 1_000.0, None, 32.0, None)
CHARGING = replace(IDLE, state=ConnectorState.CHARGING, limit_amps=10.0, transaction=RECORD)


def snapshot(*connectors: ConnectorSnapshot) -> StationSnapshot:
    return StationSnapshot("CP-1", True, True, True, "", 0.0, 0.0, 0.0, 0.0, 0, 0, 0, "", connectors)


class Broker:
    def __init__(self) -> None:
        self.units: list[str] = []
        self.told: list[UnitTelemetry | UnitState | UnitEvent] = []

    def online(self, unit_id: str, *, rating_kw: float | None = None) -> None:
        self.units.append(unit_id)

    def telemetry(self, payload: UnitTelemetry) -> bool:
        self.told.append(payload)
        return True

    def state(self, payload: UnitState) -> bool:
        self.told.append(payload)
        return True

    def event(self, payload: UnitEvent) -> bool:
        self.told.append(payload)
        return True


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def feed(broker: Broker) -> MqttFeed:
    return MqttFeed(
        broker, ["CP-1"], rating_kw=22.2, read=lambda _: READING, price=lambda: 2.0, currency="INR", now=lambda: NOW
    )


def test_telemetry_is_what_the_charger_reads(feed: MqttFeed, broker: Broker) -> None:
    feed.measure(snapshot(CHARGING))
    feed.measure(snapshot(CHARGING))
    told = broker.told[-1]
    assert isinstance(told, UnitTelemetry)
    assert (told.current_a, told.power_kw, told.energy_kwh, told.cost) == (10.0, 6.928, 2.5, 5.0)
    assert (told.status, told.session_id, told.seq) == (MqttStatus.CHARGING, "local-1", 2)
    assert (told.solar_kw, told.grid_kw, told.currency) == (0.0, 6.928, "INR")


def test_a_state_is_told_once_and_when_it_changes(feed: MqttFeed, broker: Broker) -> None:
    for one in (IDLE, IDLE, CHARGING, CHARGING, replace(CHARGING, limit_amps=16.0), IDLE):
        feed.follow(snapshot(one))
    assert broker.units == ["CP-1"]
    states = [told for told in broker.told if isinstance(told, UnitState)]
    assert [(told.status, told.limit_a) for told in states] == [
        (MqttStatus.AVAILABLE, 32.0),
        (MqttStatus.CHARGING, 10.0),
        (MqttStatus.CHARGING, 16.0),
        (MqttStatus.AVAILABLE, 32.0),
    ]
    events = [(told.event, told.session_id) for told in broker.told if isinstance(told, UnitEvent)]
    assert events == [("session_started", "local-1"), ("session_ended", "local-1")]


def test_every_state_of_a_connector_has_a_word() -> None:
    assert set(STATUSES) == set(ConnectorState)
