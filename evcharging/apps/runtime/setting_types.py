"""Types of settings that several services have: what is given is checked, and refused, where it is read."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field

from evcharging.can.bus import CanAddressError
from evcharging.can.connect import CanAddress
from evcharging.mqtt.address import MqttAddress
from evcharging.mqtt.discovery import DISCOVERY_PREFIX
from evcharging.mqtt.protocol import BadAddress

__all__ = ["CanInterface", "DiscoveryPrefix", "MqttInterval", "MqttUrl", "Phases"]


def _can_interface(can: str) -> str:
    try:
        CanAddress.parse(can)
    except CanAddressError as error:
        raise ValueError(str(error)) from None
    return can


def _mqtt_url(mqtt: str) -> str:
    try:
        MqttAddress.parse(mqtt)
    except BadAddress as error:
        raise ValueError(str(error)) from None
    return mqtt


def _number_from_text(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdigit() else value


CanInterface = Annotated[str, AfterValidator(_can_interface)]
"""Where chargers are: an address as `CanAddress` has it."""
MqttUrl = Annotated[str, AfterValidator(_mqtt_url)]
"""An MQTT broker: an address as `MqttAddress` has it."""
MqttInterval = Annotated[
    float,
    Field(
        gt=0,
        le=3600,
        validation_alias=AliasChoices("mqtt_interval", "MOCK_PUBLISH_INTERVAL"),
        description="seconds between telemetry messages on MQTT",
    ),
]
"""The setting ``mqtt_interval``, which all services have one variable for as well."""
DiscoveryPrefix = Annotated[
    str | None,
    Field(
        pattern=DISCOVERY_PREFIX,
        description="announce units to Home Assistant under this topic, homeassistant by its own default; unset: not",
    ),
]
Phases = Annotated[Literal[1, 3], BeforeValidator(_number_from_text)]
"""Of a charger's outlet; flags and variables are text."""
