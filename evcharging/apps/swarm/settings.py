"""The swarm worker's settings."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, field_validator

from evcharging.apps.runtime.kafka import KafkaServiceSettings
from evcharging.domain.levels import L1, L2, L2_THREE_PHASE, L3, ChargerSpec
from evcharging.ocpp.versions import OcppVersion

__all__ = ["SwarmSettings"]

SPECS = {"L1": L1, "L2": L2, "L2-3": L2_THREE_PHASE, "L3": L3}


class SwarmSettings(KafkaServiceSettings):
    """Flags of ``evcharging swarm-worker``; variables begin with ``SWARM_``."""

    prefix: ClassVar[str] = "SWARM_"
    service: ClassVar[str] = "swarm-worker"
    summary: ClassVar[str] = (
        "A worker of the swarm: runs the simulated stations that swarm.desired asks for, as far as Kafka deals them out"
        " to it, and takes over those of a worker that died."
    )

    worker_id: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9_.-]+$",
        description="this worker's name on swarm.status and in Kafka's logs; unset: from the host name and the pid",
    )
    csms_url: str = Field(
        "ws://127.0.0.1:9000/ocpp", description="CSMS of stations that name none, without the station's id"
    )
    csms_password: SecretStr | None = Field(
        None, description="password of every station (HTTP Basic, user name is its id); unset: none"
    )
    csms_ca_file: Path | None = Field(None, description="certificates to trust for wss://, PEM; unset: the system's")
    version: Literal["1.6", "2.0.1"] = Field("1.6", description="OCPP that the stations speak")
    connectors: int = Field(1, ge=1, le=16, description="connectors of each station")
    level: Literal["L1", "L2", "L2-3", "L3"] = Field("L2", description="level of each connector; L2-3 has three phases")
    profiles_dir: Path | None = Field(None, description="folder of behaviour profiles, over those that ship")
    seed: int = Field(1, ge=0, description="what the stations' randomness grows from")
    max_stations: int | None = Field(
        None, ge=1, le=200_000, description="most stations here, more are left waiting; unset: as open files allow"
    )
    starts_per_s: float = Field(500.0, ge=0, description="stations begun in a second; 0: all at once")
    dials_at_once: int = Field(64, ge=1, le=4096, description="websockets being opened at the same time")
    status_interval_s: float = Field(
        5.0,
        gt=0,
        le=60,
        description="longest time between two statuses of a station that charges; beyond 500 a second it grows",
    )
    hand_over: bool = Field(
        False, description="at a stop leave transactions to the worker that comes next; else they end here"
    )
    drain_s: float = Field(15.0, gt=0, le=60, description="longest time for ending transactions at a stop")
    site_id: str = Field("site-1", min_length=1, max_length=48, description="site whose price and sun hold here")
    metrics_port: int = Field(9100, ge=0, le=65535, description="HTTP port of metrics and health; 0 takes any free one")
    host: str = Field("127.0.0.1", description="address that HTTP listens on; it only reads, and asks for no password")
    log_lines_per_s: float = Field(200.0, gt=0, description="most lines a second on swarm.log; the rest is left out")

    @field_validator("csms_url")
    @classmethod
    def _is_a_websocket_url(cls, value: str) -> str:
        if not value.startswith(("ws://", "wss://")):
            raise ValueError("expected ws://host:port/path or wss://…")
        return value.rstrip("/")

    @property
    def name(self) -> str:
        """The worker's name."""
        return self.worker_id or f"swarm-{socket.gethostname()}-{os.getpid()}"

    @property
    def spec(self) -> ChargerSpec:
        """The rating plate of each connector."""
        return SPECS[self.level]

    @property
    def ocpp_version(self) -> OcppVersion:
        """The version that stations speak."""
        return OcppVersion(self.version)
