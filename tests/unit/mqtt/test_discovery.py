from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from evcharging.domain.states import MqttStatus
from evcharging.mqtt.discovery import DISCOVERY_PREFIX, HomeAssistant
from evcharging.mqtt.payloads import UnitTelemetry

unit_ids = st.from_regex(r"[A-Za-z0-9_.:@|=*-]{1,48}", fullmatch=True).filter(lambda name: name != "_engine")


def test_each_quantity_is_announced_under_the_prefix_as_a_sensor_of_one_device() -> None:
    configurations = dict(HomeAssistant(currency="EUR").configurations("CP-001"))
    power = json.loads(configurations["homeassistant/sensor/CP-001/power/config"])
    assert power["state_topic"] == "evse/CP-001/telemetry"
    assert power["availability"] == [{"topic": "evse/CP-001/status"}]
    assert (power["device_class"], power["unit_of_measurement"]) == ("power", "kW")
    assert power["value_template"] == "{{ value_json.power_kw }}"
    assert {json.loads(body)["device"]["name"] for body in configurations.values()} == {"CP-001"}


def test_every_quantity_has_the_class_and_unit_that_home_assistant_knows_for_it() -> None:
    told = {}
    for topic, body in HomeAssistant(currency="EUR").configurations("CP-001"):
        sensor = json.loads(body)
        told[topic.split("/")[-2]] = (
            sensor["device_class"],
            sensor.get("unit_of_measurement"),
            sensor.get("state_class"),
            sensor["value_template"].removeprefix("{{ ").removesuffix(" }}"),
        )
    assert told == {
        "status": ("enum", None, None, "value_json.status"),
        "power": ("power", "kW", "measurement", "value_json.power_kw"),
        "energy": ("energy", "kWh", "total_increasing", "value_json.energy_kwh"),
        "current": ("current", "A", "measurement", "value_json.current_a"),
        "voltage": ("voltage", "V", "measurement", "value_json.voltage_v"),
        "temperature": ("temperature", "°C", "measurement", "value_json.temperature_c"),
        "solar_power": ("power", "kW", "measurement", "value_json.solar_kw"),
        "grid_power": ("power", "kW", "measurement", "value_json.grid_kw"),
        "soc": (
            "battery",
            "%",
            "measurement",
            "None if value_json.soc is none else (value_json.soc * 100) | round(1)",
        ),
        "cost": ("monetary", "EUR", "total", "value_json.cost"),
    }


def test_a_status_may_be_whatever_a_unit_says_of_itself() -> None:
    configurations = dict(HomeAssistant().configurations("CP-001"))
    status = json.loads(configurations["homeassistant/sensor/CP-001/status/config"])
    assert status["options"] == [str(status) for status in MqttStatus]


def test_a_unit_without_a_will_of_its_own_is_available_only_with_its_engine() -> None:
    for _, body in HomeAssistant().configurations("CP-001", engine_id="e1"):
        sensor = json.loads(body)
        assert sensor["availability"] == [{"topic": "evse/CP-001/status"}, {"topic": "evse/_engine/e1/status"}]
        assert sensor["availability_mode"] == "all"


def test_the_cost_is_announced_in_its_currency_or_not_at_all() -> None:
    with_currency = dict(HomeAssistant(currency="JMD").configurations("CP-001"))
    assert json.loads(with_currency["homeassistant/sensor/CP-001/cost/config"])["unit_of_measurement"] == "JMD"
    assert not any("/cost/" in topic for topic, _ in HomeAssistant().configurations("CP-001"))


def test_every_template_reads_a_field_that_telemetry_has() -> None:
    for _, body in HomeAssistant(currency="EUR").configurations("CP-001"):
        fields = re.findall(r"value_json\.(\w+)", json.loads(body)["value_template"])
        assert fields
        assert set(fields) <= UnitTelemetry.model_fields.keys()


@given(unit_ids, unit_ids)
def test_topics_hold_to_home_assistants_alphabet_and_two_units_never_share_one(one: str, other: str) -> None:
    first, second = (HomeAssistant().configurations(unit_id) for unit_id in (one, other))
    for topic, _ in first:
        assert re.fullmatch(r"homeassistant/sensor/[A-Za-z0-9_-]+/[a-z_]+/config", topic)
    if one != other:
        assert not {topic for topic, _ in first} & {topic for topic, _ in second}
        ids = [{json.loads(body)["unique_id"] for _, body in configurations} for configurations in (first, second)]
        assert not ids[0] & ids[1]
        assert device_of(first) != device_of(second)


def device_of(configurations: list[tuple[str, bytes]]) -> str:
    """The one device that all sensors of a unit belong to."""
    (device,) = {identifier for _, body in configurations for identifier in json.loads(body)["device"]["identifiers"]}
    return str(device)


def test_without_a_prefix_nothing_is_announced() -> None:
    assert HomeAssistant.under(None) is None
    assert HomeAssistant.under("homes") == HomeAssistant("homes")


def test_a_prefix_is_levels_of_a_topic() -> None:
    for prefix in ("homeassistant", "home/assistant", "H_a-1"):
        assert re.match(DISCOVERY_PREFIX, prefix)
    for prefix in ("", "/", "home/", "home/+", "#", "a b", "$SYS", "x" * 65):
        assert not re.match(DISCOVERY_PREFIX, prefix)
