from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from evcharging.messages.charge_points import Alert, Health, Severity, Status, StatusSource, Telemetry
from evcharging.messages.commands import Command, CommandAction, CommandOutcome, Reply
from evcharging.messages.drivers import DriverRequest, DriverUpdate, UpdateStatus
from evcharging.messages.network import (
    AuthToken,
    OcppConfig,
    OcppFrame,
    SiteSignal,
    SwarmDesired,
    SwarmLog,
    SwarmStatus,
    TokenStatus,
)
from evcharging.messages.topics import TOPICS, dead_letter_name, topic_named

NOW = datetime(2026, 5, 1, tzinfo=UTC)
CP: dict[str, Any] = {"ts": NOW, "cp_id": "CP-001"}
STATION: dict[str, Any] = {"ts": NOW, "station_id": "ST-7"}

ONE_OF_EACH = {
    "central.commands": (Command(**CP, command_id="c", action=CommandAction.STOP_CP), "CP-001"),
    "central.replies": (Reply(**CP, command_id="c", outcome=CommandOutcome.ACCEPTED), "CP-001"),
    "cp.status": (Status(**CP, connector_id=2, state="ACTIVATED", source=StatusSource.ENGINE), "CP-001"),
    "cp.telemetry": (
        Telemetry(**CP, session_id="s", seq=1, interval_start=NOW, interval_end=NOW, register_wh=0, energy_wh=0, kw=0,
                  kwh=0, euros=0),
        "CP-001",
    ),
    "driver.requests": (DriverRequest(**CP, request_id="r", driver_id="alice"), "CP-001"),
    "driver.updates": (DriverUpdate(**CP, request_id="r", driver_id="alice", status=UpdateStatus.ACCEPTED), "alice"),
    "cp.health": (Health(**CP, healthy=True), "CP-001"),
    "cp.alerts": (Alert(**CP, alert_id="a", kind="x", severity=Severity.INFO, started_at=NOW), "CP-001"),
    "site.signals": (SiteSignal(ts=NOW, site_id="home", price_per_kwh=0.3, currency="EUR"), "home"),
    "swarm.desired": (SwarmDesired(**STATION, running=True), "ST-7"),
    "swarm.status": (SwarmStatus(**STATION, state="charging", profile="busy"), "ST-7"),
    "swarm.log": (SwarmLog(**STATION, line="[12:00:00] BootNotification sent"), "ST-7"),
    "auth.tokens": (AuthToken(ts=NOW, id_tag="ABC123", status=TokenStatus.ACCEPTED), "ABC123"),
    "ocpp.config": (OcppConfig(**CP), "CP-001"),
    "ocpp.frames": (OcppFrame(**CP, direction="in", frame=[2, "id", "Heartbeat", {}]), "CP-001"),
}  # fmt: skip


def test_there_is_a_topic_for_each_stream_and_no_other() -> None:
    assert {topic.name for topic in TOPICS} == ONE_OF_EACH.keys()


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_message_is_keyed_by_who_it_is_about_and_survives_the_journey(name: str) -> None:
    message, key = ONE_OF_EACH[name]
    topic = topic_named(name)
    assert topic.model is type(message)
    assert topic.key_of(message) == key
    assert topic.model.from_json(message.to_json()) == message
    assert str(topic) == name


def test_a_request_for_any_charge_point_is_keyed_by_its_driver() -> None:
    request = DriverRequest(ts=NOW, cp_id="any", request_id="r", driver_id="alice")
    assert topic_named("driver.requests").key_of(request) == "alice"


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(KeyError, match=r"no topic 'cp\.stat'; there are: .*cp\.status"):
        topic_named("cp.stat")


def test_dead_letters_lie_beside_their_topic() -> None:
    assert dead_letter_name("cp.status") == "cp.status.dlq"
