"""Central's settings."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import ClassVar

from pydantic import AliasChoices, Field, SecretStr

from evcharging.apps.runtime.kafka import KafkaServiceSettings
from evcharging.store.database import database_beside

__all__ = ["CentralSettings"]

SITE_ID = r"^[A-Za-z0-9_.-]{1,48}$"


class CentralSettings(KafkaServiceSettings):
    """Flags of ``evcharging central``; variables begin with ``CENTRAL_``."""

    prefix: ClassVar[str] = "CENTRAL_"
    service: ClassVar[str] = "central"
    summary: ClassVar[str] = "The central controller: requests, sessions, money, HTTP on :8000, TCP on :9999."

    host: str = Field("127.0.0.1", description="address HTTP and TCP listen on; wider than loopback needs --api-token")
    http_port: int = Field(8000, ge=0, le=65535, description="HTTP and WebSocket port")
    listen_port: int = Field(9999, ge=0, le=65535, description="TCP control plane port")
    listen_allow_remote: bool = Field(
        False, description="let the TCP control plane, which asks for no token, be reached from wherever --host can"
    )
    mqtt: str | None = Field(None, description="MQTT broker, mqtt://host:port; unset: MQTT is off")
    database_url: SecretStr | None = Field(None, description="sqlite:///file or postgresql://…; wins over --db-path")
    db_path: Path = Field(
        Path("simulator.db"),
        validation_alias=AliasChoices("db_path", "SIMULATOR_DB_PATH"),
        description="SQLite file",
    )
    database_wait_s: float = Field(
        10.0, gt=0, le=300, description="seconds a write waits for its turn at the database before it is refused"
    )
    api_token: SecretStr | None = Field(None, description="bearer token every write must carry; unset: none is asked")
    instance_id: str | None = Field(None, description="name of this copy; host and process id where unset")
    site_id: str = Field("site-1", pattern=SITE_ID, description="site whose price and signals are published")
    price_per_kwh: Decimal = Field(Decimal("0.30"), ge=0, description="first grid price, in --currency per kWh")
    solar_price_per_kwh: Decimal | None = Field(
        None, ge=0, description="first solar price per kWh; unset: as the grid's"
    )
    currency: str = Field("EUR", pattern=r"^[A-Z]{3}$", description="ISO 4217 currency of the first tariff")
    start_timeout_s: float = Field(15.0, gt=0, le=60, description="a start command expires after this many seconds")
    engine_lost_s: float = Field(60.0, gt=0, description="a session unheard of for this many seconds is given up")
    station_lost_s: float = Field(
        86_400.0, gt=0, description="as --engine-lost-s for OCPP stations, which charge on while they are offline"
    )
    settle_s: float = Field(10.0, gt=0, description="seconds an ended session waits for intervals still missing")
    late_end_s: float = Field(
        300.0, gt=0, description="seconds a session waits for word of its end once its connector has another session"
    )
    reservation_s: float = Field(900.0, ge=60, le=86_400, description="seconds that a driver's reservation holds")
    retention_days: float = Field(7.0, gt=0, description="days that inbox and outbox rows are kept")
    gateway_database_url: SecretStr | None = Field(
        None,
        description="the OCPP gateways' database, read only; unset: gateway.db beside --db-path, or the same server",
    )

    history_database_url: SecretStr | None = Field(
        None, description="database of the past; unset: history.db beside --db-path, in PostgreSQL the same database"
    )
    history_retention_days: float = Field(7.0, gt=0, description="days that logs, energy and alerts are kept")
    history_frames_days: float = Field(1.0, gt=0, description="days that OCPP frames are kept")
    history_most_rows: int = Field(5_000_000, ge=1_000, description="most rows of each kind that are kept")
    history_snapshot_s: float = Field(10.0, ge=1, le=3600, description="seconds between looks at what is drawn")
    swarm_csms_url: str | None = Field(
        None,
        max_length=500,
        pattern=r"^wss?://[\x21-\x7e]+$",
        description="CSMS of the simulated stations, without their ids; unset: the swarm worker's own",
    )
    swarm_most_stations: int = Field(10_000, ge=0, le=100_000, description="most simulated stations that may run")
    swarm_profiles_dir: Path | None = Field(
        None, description="directory of your own behaviour profiles, beside those that come with the package"
    )

    @property
    def database(self) -> str:
        """Where the database is, as `evcharging.store.database.database_url` reads it."""
        return self.database_url.get_secret_value() if self.database_url else str(self.db_path)

    @property
    def history_database(self) -> str:
        """Where the history is.

        Raises:
            InvalidDatabaseUrl: it is to be beside a database that is none.
        """
        given = self.history_database_url
        return given.get_secret_value() if given else database_beside(self.database, "history.db")

    @property
    def gateway_database(self) -> str:
        """Where the gateways' database is.

        Raises:
            InvalidDatabaseUrl: it is to be beside a database that is none.
        """
        given = self.gateway_database_url
        return given.get_secret_value() if given else database_beside(self.database, "gateway.db")
