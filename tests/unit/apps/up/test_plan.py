from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from evcharging.apps.up.plan import Layout, addresses_of, charge_point_ids, plan
from evcharging.apps.up.spec import Restart, ServiceSpec, check_specs

LAYOUT = Layout(
    http_port=8000,
    listen_port=9999,
    health_port=8001,
    can_port=29536,
    kafka="127.0.0.1:9092",
    kafka_port=9092,
    mqtt="mqtt://127.0.0.1:1883",
    mqtt_port=1883,
    database=".evcharging/simulator.db",
    charge_points=["CP-001", "CP-002", "CP-003"],
    drivers=2,
    requests_file=Path("requests.txt"),
    register_file=Path(".evcharging/registers.json"),
    mqtt_interval_s=1.0,
    ocpp_port=9000,
    gateway_http_port=9101,
    gateway_database=".evcharging/gateway.db",
    swarm_ports=[9100],
)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as client:
        yield client


def by_name(layout: Layout, client: httpx.AsyncClient) -> dict[str, ServiceSpec]:
    specs = plan(layout, client)
    check_specs(specs)
    return {spec.name: spec for spec in specs}


async def test_everything_is_planned_with_embedded_brokers(client):
    names = set(by_name(LAYOUT, client))
    assert names == {
        *("kafka", "mqtt", "migrate", "charger", "central", "engine", "monitor", "gateway", "swarm", "driver")
    }


async def test_several_swarm_workers_have_names_and_ports_of_their_own(client):
    specs = by_name(replace(LAYOUT, swarm_ports=[9100, 9102]), client)
    ports = {name: spec.argv[-1] for name, spec in specs.items() if name.startswith("swarm")}
    assert ports == {"swarm-1": "9100", "swarm-2": "9102"}


async def test_stations_are_run_once_there_is_a_gateway_for_them(client):
    swarm = by_name(LAYOUT, client)["swarm"]
    assert "gateway" in swarm.needs
    assert "ws://127.0.0.1:9000/ocpp" in swarm.argv


async def test_brokers_that_are_given_are_not_started(client):
    specs = by_name(replace(LAYOUT, kafka="k:1", kafka_port=None, mqtt="mqtt://m", mqtt_port=None), client)
    assert not {"kafka", "mqtt"} & set(specs)
    assert "k:1" in specs["central"].argv
    assert specs["engine"].env["CP_ENGINE_MQTT"] == "mqtt://m"


async def test_without_drivers_none_is_started(client):
    assert "driver" not in by_name(replace(LAYOUT, drivers=0), client)


async def test_services_stop_in_the_order_that_loses_nothing(client):
    stages: dict[int, set[str]] = {}
    for spec in plan(LAYOUT, client):
        stages.setdefault(spec.stop_stage, set()).add(spec.name)
    order = [stages[stage] - {"migrate"} for stage in sorted(stages, reverse=True)]
    assert order == [
        {"driver"},
        {"engine", "monitor", "swarm"},
        {"gateway"},
        {"central"},
        {"charger"},
        {"kafka", "mqtt"},
    ]


async def test_the_database_is_migrated_before_any_service_starts(client):
    specs = by_name(LAYOUT, client)
    assert specs["migrate"].restart is Restart.RUN_ONCE
    for name in ("charger", "central", "engine", "gateway"):
        assert "migrate" in specs[name].needs


async def test_only_the_embedded_kafka_cannot_be_restarted(client):
    essential = [spec.name for spec in by_name(LAYOUT, client).values() if spec.restart is Restart.ESSENTIAL]
    assert essential == ["kafka"]


async def test_no_password_is_on_a_command_line(client):
    layout = replace(
        LAYOUT,
        database="postgresql://ev:s3cret@db/ev",
        gateway_database="postgresql://ev:s3cret@db/ev",
        mqtt="mqtt://ev:s3cret@broker",
        mqtt_port=None,
    )
    for spec in by_name(layout, client).values():
        assert "s3cret" not in " ".join(spec.argv)
    assert "s3cret" not in addresses_of(layout, pid=1).model_dump_json()


def test_the_addresses_name_every_way_in():
    assert addresses_of(LAYOUT, pid=77).model_dump() == {
        "http": "http://127.0.0.1:8000",
        "kafka": "127.0.0.1:9092",
        "mqtt": "mqtt://127.0.0.1:1883",
        "can": "hub://127.0.0.1:29536",
        "tcp": "127.0.0.1:9999",
        "ocpp": "ws://127.0.0.1:9000/ocpp",
        "gateway_http": "http://127.0.0.1:9101",
        "swarm_metrics": ["http://127.0.0.1:9100/metrics"],
        "engine_health": "http://127.0.0.1:8001",
        "database": ".evcharging/simulator.db",
        "pid": 77,
    }


def test_charge_points_are_numbered_from_one():
    assert charge_point_ids(3) == ["CP-001", "CP-002", "CP-003"]
