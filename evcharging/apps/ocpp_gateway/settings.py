"""The gateway's settings."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from evcharging.apps.runtime.http import is_loopback
from evcharging.apps.runtime.kafka import KafkaServiceSettings
from evcharging.apps.runtime.setting_types import DiscoveryPrefix, MqttInterval, MqttUrl
from evcharging.domain.station_password import too_short_or_long

__all__ = ["GatewaySettings"]

LONGEST_VENDOR_ID = 255
"""CiString255 of DataTransfer.req (1.6, section 6.15; 2.0.1 the same)."""


class GatewaySettings(KafkaServiceSettings):
    """Flags of ``evcharging gateway``; variables begin with ``OCPP_GATEWAY_``."""

    prefix: ClassVar[str] = "OCPP_GATEWAY_"
    service: ClassVar[str] = "gateway"
    summary: ClassVar[str] = (
        "The OCPP gateway: chargers connect to ws://HOST:9000/ocpp/<id>. With --standalone it is a CSMS of its own, for"
        " trying chargers out, without Kafka."
    )

    host: str = Field("127.0.0.1", description="address that chargers connect to")
    ws_port: int = Field(9000, ge=0, le=65535, description="WebSocket port; 0 takes any free one")
    tls_port: int = Field(9443, ge=0, le=65535, description="port of WebSocket over TLS, once --tls-certificate is set")
    tls_certificate: Path | None = Field(
        None, description="the gateway's certificate with its chain, PEM; unset: no TLS"
    )
    tls_key: Path | None = Field(None, description="its private key, PEM; unset: in the certificate's file")
    tls_client_ca: Path | None = Field(
        None, description="certificates that sign chargers' own, PEM; security profile 3 needs it"
    )
    http_host: str = Field("127.0.0.1", description="address that health, metrics and the standalone's API listen on")
    http_port: int = Field(9101, ge=0, le=65535, description="HTTP port of health and metrics; 0 takes any free one")
    standalone: bool = Field(False, description="run without Kafka and Central: every charger is welcome")
    open_registration: bool = Field(
        False, description="let in stations that nobody registered; on loopback, or with --station-password"
    )
    station_password: SecretStr | None = Field(
        None, description="Basic password of stations that nobody registered, 16 to 64 characters; unset: none is asked"
    )
    database_url: SecretStr | None = Field(None, description="sqlite:///file or postgresql://…; wins over --db-path")
    db_path: Path = Field(Path("gateway.db"), description="SQLite file")
    mqtt: MqttUrl | None = Field(None, description="MQTT broker, mqtt://host:port; unset: MQTT is off")
    mqtt_interval: MqttInterval = 5.0
    mqtt_discovery: DiscoveryPrefix = None
    instance_id: str | None = Field(
        None, pattern=r"^[A-Za-z0-9_.:-]{1,48}$", description="name of this copy; host and process id where unset"
    )
    site_id: str = Field("site-1", min_length=1, max_length=48, description="site whose price and signals hold here")
    most_stations: int | None = Field(
        None, ge=1, description="sockets held at most; unset: as many as the limit of open files allows"
    )
    max_message_bytes: int = Field(
        256 * 1024, ge=1024, le=16 * 1024 * 1024, description="a longer message ends its socket with 1009"
    )
    messages_per_s: float = Field(
        100.0, ge=0, description="messages a second taken from one station in the long run; 0: no limit"
    )
    message_burst: int = Field(500, ge=1, description="messages taken at once before that limit holds")
    ping_interval_s: float = Field(
        20.0, gt=0, le=24, description="quiet stations are pinged after so long, and dropped after 2.5 times that"
    )
    open_timeout_s: float = Field(60.0, gt=0, le=600, description="seconds an opening may take")
    call_timeout_s: float = Field(30.0, gt=0, le=60, description="seconds a station has to answer a call")
    heartbeat_interval_s: int = Field(300, ge=1, description="heartbeat interval told to stations at boot, s")
    frames: Literal["auto", "on", "off"] = Field(
        "auto", description="publish every frame on ocpp.frames; auto: while 500 stations or fewer are connected"
    )
    tolerate_unknown_fields: bool = Field(False, description="accept fields that the standard does not know")
    accept_unknown_id_tags: bool = Field(False, description="answer Accepted for idTags that nobody registered")
    refuse_concurrent: bool = Field(
        False, description="answer ConcurrentTx to a start with an idTag that is charging already"
    )
    doubt_s: float = Field(
        60.0, gt=0, le=86_400, description="a connector is said to be free so long, s, before its transaction is closed"
    )
    hold_s: float = Field(
        20.0,
        gt=0,
        le=600,
        description="so long, s, a transaction message waits for a database that is away; then its socket is ended",
    )
    known_vendors: str = Field(
        "", description="vendor ids whose DataTransfer is answered Accepted and kept, separated by commas"
    )

    @field_validator("known_vendors")
    @classmethod
    def _are_vendor_ids(cls, known_vendors: str) -> str:
        too_long = next((name for name in _names(known_vendors) if len(name) > LONGEST_VENDOR_ID), None)
        if too_long is not None:
            raise ValueError(f"a vendor id has {LONGEST_VENDOR_ID} characters at most, got {too_long[:40]!r}…")
        return known_vendors

    @field_validator("station_password")
    @classmethod
    def _long_enough(cls, password: SecretStr | None) -> SecretStr | None:
        wrong = None if password is None else too_short_or_long(len(password))
        if wrong is not None:
            raise ValueError(wrong)
        return password

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.welcomes_strangers and self.station_password is None and not is_loopback(self.host):
            raise ValueError(
                f"--host {self.host} would let in everybody who reaches it: set --station-password"
                + ("" if self.standalone else ", or register the stations and leave --open-registration out")
            )
        if self.standalone and not is_loopback(self.http_host):
            raise ValueError("--standalone asks for no token over HTTP: leave --http-host on loopback")
        if self.tls_certificate is None and (self.tls_key is not None or self.tls_client_ca is not None):
            raise ValueError("--tls-key and --tls-client-ca need --tls-certificate")
        return self

    @property
    def welcomes_strangers(self) -> bool:
        """Whether stations that nobody registered are let in."""
        return self.open_registration or self.standalone

    @property
    def vendor_ids(self) -> frozenset[str]:
        """Whose DataTransfer is taken."""
        return frozenset(_names(self.known_vendors))

    @property
    def database(self) -> str:
        """Where the database is, as `evcharging.store.database.database_url` reads it."""
        return self.database_url.get_secret_value() if self.database_url else str(self.db_path)

    @property
    def name(self) -> str:
        """The name of this process."""
        return self.instance_id or re.sub(r"[^A-Za-z0-9_.:-]", "-", f"{socket.gethostname()}-{os.getpid()}")[-48:]


def _names(text: str) -> list[str]:
    return [name for name in (part.strip() for part in text.split(",")) if name]
