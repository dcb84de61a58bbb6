"""Settings of the embedded MQTT broker."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, SecretStr, model_validator

from evcharging.apps.runtime.http import is_loopback
from evcharging.apps.runtime.settings import ServiceSettings

__all__ = ["MqttBrokerSettings"]


class MqttBrokerSettings(ServiceSettings):
    """Where it listens, and who is let in."""

    prefix: ClassVar[str] = "MQTT_BROKER_"
    service: ClassVar[str] = "mqtt-broker"
    summary: ClassVar[str] = (
        "The embedded MQTT 3.1.1 broker: for development and demonstration. It keeps nothing on disk; for anything "
        "else run Mosquitto and give its address with --mqtt."
    )

    host: str = Field("127.0.0.1", description="address to listen on; wider than loopback needs a username")
    port: int = Field(1883, ge=0, le=65535, description="port to listen on; 0 takes any free one")
    username: str | None = Field(None, min_length=1, description="the only user that is let in; unset: anybody")
    password: SecretStr | None = Field(None, description="that user's password; set it by variable, not by flag")

    @model_validator(mode="after")
    def _is_not_open_to_others(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("a username and a password belong together; set both or neither")
        if self.username is None and not is_loopback(self.host):
            raise ValueError(
                f"listening on {self.host} without a username would let anybody in; set MQTT_BROKER_USERNAME and "
                "MQTT_BROKER_PASSWORD, or listen on 127.0.0.1"
            )
        return self
