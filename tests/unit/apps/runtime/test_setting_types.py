"""Settings that several services have: what they take, and what is said of the rest."""

from __future__ import annotations

from typing import ClassVar

import pytest

from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.runtime.setting_types import CanInterface, DiscoveryPrefix, MqttInterval, MqttUrl, Phases
from evcharging.apps.runtime.settings import ServiceSettings


class LampSettings(ServiceSettings):
    prefix: ClassVar[str] = "LAMP_"
    service: ClassVar[str] = "lamp"
    summary: ClassVar[str] = "Gives light."

    can: CanInterface = "virtual"
    mqtt: MqttUrl | None = None
    mqtt_interval: MqttInterval = 5.0
    mqtt_discovery: DiscoveryPrefix = None
    phases: Phases = 3


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def load(*flags: str, **variables: str) -> LampSettings:
    return LampSettings.load(flags, environ=variables)


def test_all_may_be_left_out():
    made = load()
    assert (made.can, made.phases) == ("virtual", 3)
    assert (made.mqtt, made.mqtt_interval, made.mqtt_discovery) == (None, 5.0, None)


def test_all_may_be_given_as_text():
    flags = ("--can", "hub://127.0.0.1:29536", "--mqtt", "mqtt://h:1883", "--mqtt-interval", "0.5")
    made = load(*flags, "--mqtt-discovery", "homes", "--phases", "1")
    assert (made.can, made.mqtt, made.mqtt_interval) == ("hub://127.0.0.1:29536", "mqtt://h:1883", 0.5)
    assert (made.mqtt_discovery, made.phases) == ("homes", 1)


def test_the_interval_has_a_variable_that_all_services_share_and_one_of_its_own_that_wins():
    assert load(MOCK_PUBLISH_INTERVAL="2").mqtt_interval == 2.0
    assert load(MOCK_PUBLISH_INTERVAL="2", LAMP_MQTT_INTERVAL="3").mqtt_interval == 3.0


@pytest.mark.parametrize(
    ("flag", "value", "told"),
    [
        ("--can", "carrier-pigeon", "--can (LAMP_CAN): "),
        ("--mqtt", "http://h", "--mqtt (LAMP_MQTT): "),
        ("--mqtt-interval", "0", "--mqtt-interval (MOCK_PUBLISH_INTERVAL): "),
        ("--mqtt-discovery", "a/#", "--mqtt-discovery (LAMP_MQTT_DISCOVERY): "),
        ("--phases", "2", "--phases (LAMP_PHASES): "),
    ],
)
def test_what_is_none_of_its_kind_is_told_in_one_line(flag: str, value: str, told: str):
    with pytest.raises(UsageError) as refused:
        load(flag, value)
    assert str(refused.value).startswith(told)
    assert repr(value).strip("'") in str(refused.value)
    assert "\n" not in str(refused.value)
