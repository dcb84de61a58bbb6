"""The services of a run on one machine: their commands, what each needs, and the order in which they stop.

Declares and starts nothing. Addresses go to the services as flags; those that may hold a password go as variables,
since a command line can be read by every user of the machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import httpx

from evcharging.apps.up.addresses import Addresses, without_password
from evcharging.apps.up.ports import HOST
from evcharging.apps.up.probes import accepts_connections, answers_ready, charge_points_ready
from evcharging.apps.up.spec import Restart, ServiceSpec, python_service

__all__ = ["Layout", "addresses_of", "charge_point_ids", "plan"]


SWARM_STOPS_WITHIN_S = 30.0
"""A thousand transactions are to be ended, and the CSMS is to answer each."""


class StopStage(IntEnum):
    """Who stops when: what causes work first, what carries it last.

    Monitors stop with their engines, or they would report as unreachable what was stopped on purpose. The swarm stops
    with them: it has transactions to end, and the gateway to tell.
    """

    BROKERS = 0
    CHARGERS = 1
    CENTRAL = 2
    GATEWAY = 3
    ENGINES = 4
    DRIVERS = 5


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything of one run is. ``kafka_port`` and ``mqtt_port`` are None where a broker was given.

    ``swarm_ports`` are of the metrics of the swarm workers, one each.
    """

    http_port: int
    listen_port: int
    health_port: int
    can_port: int
    kafka: str
    kafka_port: int | None
    mqtt: str
    mqtt_port: int | None
    database: str
    charge_points: Sequence[str]
    drivers: int
    requests_file: Path
    register_file: Path
    mqtt_interval_s: float
    ocpp_port: int
    gateway_http_port: int
    gateway_database: str
    swarm_ports: Sequence[int]

    @property
    def http(self) -> str:
        """Central's URL."""
        return f"http://{HOST}:{self.http_port}"

    @property
    def engine_health(self) -> str:
        """The engine's URL."""
        return f"http://{HOST}:{self.health_port}"

    @property
    def ocpp(self) -> str:
        """Where OCPP charge points connect, each with its id behind it."""
        return f"ws://{HOST}:{self.ocpp_port}/ocpp"

    @property
    def can(self) -> str:
        """The hub, as ``--can`` takes it."""
        return f"hub://{HOST}:{self.can_port}"


def plan(layout: Layout, client: httpx.AsyncClient) -> list[ServiceSpec]:
    """Every service of the run. ``client`` is what readiness is asked with."""
    brokers = _brokers(layout)
    there_first = ("migrate", *(broker.name for broker in brokers))
    return [
        *brokers,
        _migration(layout),
        *_services(layout, client, there_first),
        *_ocpp(layout, client, there_first),
        *_drivers(layout),
    ]


def addresses_of(layout: Layout, *, pid: int) -> Addresses:
    """What others may know of the run."""
    return Addresses(
        http=layout.http,
        kafka=layout.kafka,
        mqtt=without_password(layout.mqtt),
        can=layout.can,
        tcp=f"{HOST}:{layout.listen_port}",
        ocpp=layout.ocpp,
        gateway_http=f"http://{HOST}:{layout.gateway_http_port}",
        swarm_metrics=[f"http://{HOST}:{port}/metrics" for port in layout.swarm_ports],
        engine_health=layout.engine_health,
        database=without_password(layout.database),
        pid=pid,
    )


def charge_point_ids(count: int) -> list[str]:
    """``CP-001`` and on."""
    return [f"CP-{number:03}" for number in range(1, count + 1)]


def _brokers(layout: Layout) -> list[ServiceSpec]:
    brokers = []
    if layout.kafka_port is not None:
        brokers.append(
            ServiceSpec(
                "kafka",
                python_service("evcharging.apps.broker.main", "--port", str(layout.kafka_port)),
                ready=accepts_connections(HOST, layout.kafka_port),
                restart=Restart.ESSENTIAL,
                stop_stage=StopStage.BROKERS,
            )
        )
    if layout.mqtt_port is not None:
        brokers.append(
            ServiceSpec(
                "mqtt",
                python_service("evcharging.apps.mqtt_broker.main", "--port", str(layout.mqtt_port)),
                ready=accepts_connections(HOST, layout.mqtt_port),
                stop_stage=StopStage.BROKERS,
            )
        )
    return brokers


def _migration(layout: Layout) -> ServiceSpec:
    return ServiceSpec(
        "migrate",
        python_service("evcharging.apps.migrate.main"),
        env={"CENTRAL_DATABASE_URL": layout.database, "OCPP_GATEWAY_DATABASE_URL": layout.gateway_database},
        restart=Restart.RUN_ONCE,
        stop_stage=StopStage.CENTRAL,
    )


def _services(layout: Layout, client: httpx.AsyncClient, needs: Sequence[str]) -> list[ServiceSpec]:
    kafka = ("--kafka-bootstrap", layout.kafka)
    ids = ",".join(layout.charge_points)
    return [
        ServiceSpec(
            "charger",
            python_service(
                "evcharging.apps.charger.main",
                *("--count", str(len(layout.charge_points))),
                *("--hub-port", str(layout.can_port)),
                *("--register-file", str(layout.register_file)),
            ),
            needs=needs,
            ready=accepts_connections(HOST, layout.can_port),
            stop_stage=StopStage.CHARGERS,
        ),
        ServiceSpec(
            "central",
            python_service(
                "evcharging.apps.ev_central.main",
                *kafka,
                *("--http-port", str(layout.http_port)),
                *("--listen-port", str(layout.listen_port)),
            ),
            needs=needs,
            loads_early=True,  # it takes longest: the broker deals out a group's partitions 3 s after its first member
            env={"CENTRAL_DATABASE_URL": layout.database, "CENTRAL_MQTT": layout.mqtt},
            ready=answers_ready(client, f"{layout.http}/ready"),
            stop_stage=StopStage.CENTRAL,
        ),
        ServiceSpec(
            "engine",
            python_service(
                "evcharging.apps.ev_cp_e.main",
                *kafka,
                *("--cp-id", "CP-001", "--count", str(len(layout.charge_points))),
                *("--health-port", str(layout.health_port)),
                *("--can", layout.can),
            ),
            needs=needs,
            env={"CP_ENGINE_MQTT": layout.mqtt, "MOCK_PUBLISH_INTERVAL": f"{layout.mqtt_interval_s:g}"},
            ready=answers_ready(client, f"{layout.engine_health}/ready"),
            stop_stage=StopStage.ENGINES,
        ),
        ServiceSpec(
            "monitor",
            python_service(
                "evcharging.apps.ev_cp_m.main",
                *("--cp-id", ids),
                *("--cp-e-host", HOST, "--cp-e-port", str(layout.health_port)),
                *("--central-host", HOST, "--central-port", str(layout.http_port)),
            ),
            needs=("central", "engine"),
            loads_early=True,
            ready=charge_points_ready(client, layout.http, layout.charge_points),
            stop_stage=StopStage.ENGINES,
        ),
    ]


def _ocpp(layout: Layout, client: httpx.AsyncClient, needs: Sequence[str]) -> list[ServiceSpec]:
    """The gateway, open to every charger of this machine and every card, and the workers of the swarm."""
    kafka = ("--kafka-bootstrap", layout.kafka)
    gateway = ServiceSpec(
        "gateway",
        python_service(
            "evcharging.apps.ocpp_gateway.main",
            *kafka,
            *("--ws-port", str(layout.ocpp_port)),
            *("--http-port", str(layout.gateway_http_port)),
            *("--open-registration", "--accept-unknown-id-tags"),
        ),
        needs=needs,
        loads_early=True,
        env={"OCPP_GATEWAY_DATABASE_URL": layout.gateway_database, "OCPP_GATEWAY_MQTT": layout.mqtt},
        ready=answers_ready(client, f"http://{HOST}:{layout.gateway_http_port}/ready"),
        stop_stage=StopStage.GATEWAY,
    )
    return [gateway, *(_swarm_worker(layout, client, number) for number in range(1, len(layout.swarm_ports) + 1))]


def _swarm_worker(layout: Layout, client: httpx.AsyncClient, number: int) -> ServiceSpec:
    port = layout.swarm_ports[number - 1]
    name = "swarm" if len(layout.swarm_ports) == 1 else f"swarm-{number}"
    return ServiceSpec(
        name,
        python_service(
            "evcharging.apps.swarm.main",
            *("--kafka-bootstrap", layout.kafka),
            *("--worker-id", f"swarm-{number}"),
            *("--csms-url", layout.ocpp),
            *("--metrics-port", str(port)),
        ),
        needs=("gateway",),
        loads_early=True,
        ready=answers_ready(client, f"http://{HOST}:{port}/ready"),
        stop_stage=StopStage.ENGINES,
        stop_within_s=SWARM_STOPS_WITHIN_S,
    )


def _drivers(layout: Layout) -> list[ServiceSpec]:
    if layout.drivers == 0:
        return []
    driver_id = "driver-1" if layout.drivers == 1 else "driver"  # several are numbered by the service itself
    return [
        ServiceSpec(
            "driver",
            python_service(
                "evcharging.apps.ev_driver.main",
                *("--driver-id", driver_id, "--count", str(layout.drivers)),
                *("--kafka-bootstrap", layout.kafka),
                *("--requests-file", str(layout.requests_file)),
                "--repeat",
            ),
            needs=("monitor",),
            stop_stage=StopStage.DRIVERS,
        )
    ]
