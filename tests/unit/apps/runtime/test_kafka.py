"""Settings of services that speak Kafka."""

from __future__ import annotations

from typing import ClassVar

import pytest

from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.runtime.kafka import KafkaServiceSettings
from evcharging.bus.memory import MemoryBus


class Settings(KafkaServiceSettings):
    prefix: ClassVar[str] = "SPEAKER_"
    service: ClassVar[str] = "speaker"
    summary: ClassVar[str] = "Speaks Kafka."


def test_an_address_makes_a_bus():
    settings = Settings.load(["--kafka-bootstrap", "memory://here"], environ={})
    assert isinstance(settings.create_bus("speaker"), MemoryBus)


def test_a_login_without_a_password_is_refused_before_anything_is_tried():
    settings = Settings.load(["--kafka-sasl", "PLAIN", "--kafka-username", "ev"], environ={})
    with pytest.raises(UsageError, match="needs a user name and a password"):
        settings.create_bus("speaker")


def test_a_password_is_in_no_repr():
    environ = {"SPEAKER_KAFKA_SASL": "PLAIN", "SPEAKER_KAFKA_USERNAME": "ev", "SPEAKER_KAFKA_PASSWORD": "hush"}
    settings = Settings.load([], environ=environ)
    assert "hush" not in repr(settings)
    assert "hush" not in repr(settings.create_bus("speaker"))
