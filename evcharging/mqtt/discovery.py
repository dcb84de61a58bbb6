"""Home Assistant's MQTT discovery: one retained configuration per measured quantity of a unit.

Optional. The sensors read the unit's telemetry with templates and follow its status topic for availability; nothing
else has to be published for them. (https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery)
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from evcharging.domain.states import MqttStatus
from evcharging.mqtt.topics import EngineTopic, UnitTopic, UnitTopicKind

__all__ = ["DISCOVERY_PREFIX", "HomeAssistant"]

DISCOVERY_PREFIX = r"^[A-Za-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64}){0,3}$"
"""What a prefix may be: levels of a topic, without wildcards."""


@dataclass(frozen=True, slots=True)
class HomeAssistant:
    """How to announce units.

    ``currency`` (ISO 4217) is the unit of the cost sensor, which is left out without one. ``prefix`` is Home
    Assistant's own setting of that name.
    """

    prefix: str = "homeassistant"
    currency: str | None = None

    @classmethod
    def under(cls, prefix: str | None) -> HomeAssistant | None:
        """Announce under ``prefix``; None where it is not set, and nothing is announced."""
        return None if prefix is None else cls(prefix)

    def configurations(self, unit_id: str, *, engine_id: str | None = None) -> list[tuple[str, bytes]]:
        """Topic and payload of every sensor of a unit, to be published retained.

        Args:
            unit_id: the unit.
            engine_id: given where the unit has no will of its own, so that the engine's status counts as well.
        """
        node = _object_name(unit_id)
        available = [{"topic": str(UnitTopic(unit_id, UnitTopicKind.STATUS))}]
        if engine_id is not None:
            available.append({"topic": str(EngineTopic(engine_id))})
        shared: dict[str, Any] = {
            "state_topic": str(UnitTopic(unit_id, UnitTopicKind.TELEMETRY)),
            "availability": available,
            "availability_mode": "all",
            "device": {"identifiers": [f"evcharging_{node}"], "name": unit_id, "manufacturer": "evcharging"},
            "origin": {"name": "evcharging"},
        }
        return [
            (
                f"{self.prefix}/sensor/{node}/{name}/config",
                json.dumps({**shared, **sensor, "unique_id": f"evcharging_{node}_{name}"}).encode(),
            )
            for name, sensor in self._sensors().items()
        ]

    def _sensors(self) -> dict[str, dict[str, Any]]:
        sensors: dict[str, dict[str, Any]] = {
            "status": {
                "name": "Status",
                "device_class": "enum",
                "options": [status.value for status in MqttStatus],
                "value_template": "{{ value_json.status }}",
            },
            "power": _measured("Power", "power_kw", "kW", "power"),
            "energy": {**_measured("Energy", "energy_kwh", "kWh", "energy"), "state_class": "total_increasing"},
            "current": _measured("Current", "current_a", "A", "current"),
            "voltage": _measured("Voltage", "voltage_v", "V", "voltage"),
            "temperature": _measured("Temperature", "temperature_c", "\N{DEGREE SIGN}C", "temperature"),
            "solar_power": _measured("Solar power", "solar_kw", "kW", "power"),
            "grid_power": _measured("Grid power", "grid_kw", "kW", "power"),
            "soc": {
                **_measured("State of charge", "soc", "%", "battery"),
                "value_template": "{{ None if value_json.soc is none else (value_json.soc * 100) | round(1) }}",
            },
        }
        if self.currency is not None:
            sensors["cost"] = {**_measured("Cost", "cost", self.currency, "monetary"), "state_class": "total"}
        return sensors


def _measured(name: str, field: str, unit: str, device_class: str) -> dict[str, Any]:
    return {
        "name": name,
        "device_class": device_class,
        "state_class": "measurement",
        "unit_of_measurement": unit,
        "value_template": f"{{{{ value_json.{field} }}}}",
    }


def _object_name(unit_id: str) -> str:
    # Home Assistant allows letters, digits, _ and - here. Two units must not become one, so a changed name is marked.
    name = re.sub(r"[^A-Za-z0-9_-]", "_", unit_id)
    return name if name == unit_id else f"{name}_{hashlib.sha256(unit_id.encode()).hexdigest()[:8]}"
