"""Settings of `evcharging up`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

from pydantic import AliasChoices, Field, SecretStr, model_validator

from evcharging.apps.runtime.settings import ServiceSettings
from evcharging.apps.up.addresses import DATA_DIR
from evcharging.store.database import database_beside

__all__ = ["UpSettings"]

HIGHEST_PORT = 65535


class UpSettings(ServiceSettings):
    """Flags of ``evcharging up``; variables begin with ``UP_``.

    What concerns one service alone is set where that service reads it: its own variables, ``.env`` or YAML section.
    """

    prefix: ClassVar[str] = "UP_"
    service: ClassVar[str] = "up"
    summary: ClassVar[str] = "Start everything on this machine, and stay until Ctrl-C."

    kafka: str | None = Field(None, description="Kafka to use, host:port; unset: an embedded one")
    kafka_bootstrap: str | None = Field(None, description="the same as --kafka")
    mqtt: str | None = Field(None, description="MQTT broker to use, mqtt://host:port; unset: an embedded one")
    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("database_url", "CENTRAL_DATABASE_URL"),
        description="Central's database, sqlite:///file or postgresql://…; wins over --db-path",
    )
    db_path: Path | None = Field(
        None,
        validation_alias=AliasChoices("db_path", "SIMULATOR_DB_PATH"),
        description="Central's SQLite file; unset: simulator.db in --data-dir",
    )
    data_dir: Path = Field(DATA_DIR, description="directory of addresses.json, logs and the database")
    http_port: int | None = Field(
        None,
        ge=0,
        le=HIGHEST_PORT,
        validation_alias=AliasChoices("http_port", "CENTRAL_HTTP_PORT"),
        description="Central's HTTP port; unset: 8000 or the next free one",
    )
    listen_port: int | None = Field(
        None,
        ge=0,
        le=HIGHEST_PORT,
        validation_alias=AliasChoices("listen_port", "CENTRAL_LISTEN_PORT"),
        description="Central's TCP port; unset: 9999 or the next free one",
    )
    health_port: int | None = Field(
        None,
        ge=0,
        le=HIGHEST_PORT,
        validation_alias=AliasChoices("health_port", "CP_ENGINE_HEALTH_PORT"),
        description="the engine's HTTP port; unset: 8001 or the next free one",
    )
    can_port: int | None = Field(
        None, ge=0, le=HIGHEST_PORT, description="the CAN hub's port; unset: 29536 or the next free one"
    )
    kafka_port: int | None = Field(
        None, ge=0, le=HIGHEST_PORT, description="the embedded Kafka's port; unset: 9092 or the next free one"
    )
    mqtt_port: int | None = Field(
        None, ge=0, le=HIGHEST_PORT, description="the embedded MQTT broker's port; unset: 1883 or the next free one"
    )
    ws_port: int | None = Field(
        None,
        ge=0,
        le=HIGHEST_PORT,
        validation_alias=AliasChoices("ws_port", "OCPP_GATEWAY_WS_PORT"),
        description="the OCPP gateway's WebSocket port; unset: 9000 or the next free one",
    )
    gateway_http_port: int | None = Field(
        None,
        ge=0,
        le=HIGHEST_PORT,
        validation_alias=AliasChoices("gateway_http_port", "OCPP_GATEWAY_HTTP_PORT"),
        description="the OCPP gateway's HTTP port; unset: 9101 or the next free one",
    )
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=HIGHEST_PORT,
        validation_alias=AliasChoices("metrics_port", "SWARM_METRICS_PORT"),
        description="the first swarm worker's metrics port; unset: 9100 or the next free one",
    )
    gateway_database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("gateway_database_url", "OCPP_GATEWAY_DATABASE_URL"),
        description="the OCPP gateway's database; unset: gateway.db beside Central's, in PostgreSQL the same one",
    )
    api_token: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("api_token", "CENTRAL_API_TOKEN"),
        description="Central's token, with which the stations are asked for",
    )
    stations: int = Field(5, ge=0, le=10_000, description="simulated OCPP stations, PY-SIM-0001 and on; 0: none")
    station_profile: str = Field("default", min_length=1, max_length=64, description="their behaviour")
    swarm_workers: int = Field(1, ge=1, le=16, description="processes that share the stations; several need --kafka")
    charge_points: int = Field(3, ge=1, le=500, description="engine charge points, CP-001 and on")
    drivers: int = Field(2, ge=0, le=50, description="drivers at work, again and again; 0 or --no-drivers: none")
    requests_file: Path | None = Field(
        None, description="what the drivers ask for; unset: requests.txt here, else one request per charge point"
    )
    mock_publish_interval: float = Field(
        1.0,
        gt=0,
        validation_alias=AliasChoices("mock_publish_interval", "MOCK_PUBLISH_INTERVAL"),
        description="seconds between MQTT telemetry messages of a charge point",
    )
    ready_timeout_s: float = Field(60.0, gt=0, description="give up when a service is not ready by then")
    verbose: bool = Field(default=False, description="show every line of the services, not only warnings")

    @model_validator(mode="after")
    def _one_kafka(self) -> Self:
        if self.kafka and self.kafka_bootstrap and self.kafka != self.kafka_bootstrap:
            raise ValueError(
                f"--kafka {self.kafka} and --kafka-bootstrap {self.kafka_bootstrap} are the same setting; give one"
            )
        if self.swarm_workers > 1 and self.given_kafka is None:
            raise ValueError("several --swarm-workers need a real Kafka, which --kafka names; the embedded one has one")
        return self

    @property
    def given_kafka(self) -> str | None:
        """The Kafka to use instead of an embedded one."""
        return self.kafka or self.kafka_bootstrap

    @property
    def gateway_database(self) -> str:
        """Where the gateway's database is.

        Raises:
            InvalidDatabaseUrl: it is to be beside a database that is none.
        """
        if self.gateway_database_url is not None:
            return self.gateway_database_url.get_secret_value()
        return database_beside(self.database, "gateway.db")

    @property
    def database(self) -> str:
        """Where the database is, as Central reads it."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return str(self.db_path or self.data_dir / "simulator.db")
