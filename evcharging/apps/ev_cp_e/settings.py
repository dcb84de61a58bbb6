"""The engine's settings."""

from __future__ import annotations

import os
import re
import socket
from decimal import Decimal
from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from evcharging.apps.charger.settings import ChargerSettings
from evcharging.apps.ev_cp_e.session import SessionTerms
from evcharging.apps.runtime.kafka import KafkaServiceSettings
from evcharging.apps.runtime.setting_types import CanInterface, DiscoveryPrefix, MqttInterval, MqttUrl, Phases
from evcharging.can.connect import CanAddress
from evcharging.domain.charger import ChargerSpec, Taper, VehicleSpec
from evcharging.messages.base import CpId
from evcharging.mqtt.topics import ENGINE_LEVEL

__all__ = ["EngineSettings"]

MOST_UNITS = 2_000


class EngineSettings(KafkaServiceSettings):
    """Flags of ``evcharging engine``; variables begin with ``CP_ENGINE_``."""

    prefix: ClassVar[str] = "CP_ENGINE_"
    service: ClassVar[str] = "engine"
    summary: ClassVar[str] = (
        "The engine of one or more charge points: carries out Central's commands on chargers over CAN and meters their"
        " sessions. In a terminal: u unplugs, p plugs in, f is a fault, c clears it, q ends; a number chooses the unit."
    )

    cp_id: CpId = Field("CP-001", description="charge point; with --count the first of them")
    count: int = Field(1, ge=1, le=MOST_UNITS, description="charge points, counted on from --cp-id")
    health_port: int = Field(8001, ge=0, le=65535, description="HTTP port of health and metrics; 0 takes any free one")
    host: str = Field("127.0.0.1", description="address that HTTP listens on; it only reads, and asks for no password")
    kw_rate: float = Field(22.0, gt=0, le=1000, description="most power offered to a vehicle, kW")
    euro_rate: Decimal = Field(Decimal("0.30"), ge=0, le=1000, description="price shown and registered with, per kWh")
    session_seconds: float = Field(
        10.0, ge=0, le=86_400, description="wall time a session lasts, s; 0: until its target energy or a full battery"
    )
    time_scale: float = Field(1.0, ge=1, le=3600, description="simulated seconds in a second, at the charger too")
    can: CanInterface = Field(
        "virtual", description="virtual (a charger in this process), hub://HOST:PORT, socketcan:can0, udp_multicast"
    )
    mqtt: MqttUrl | None = Field(None, description="MQTT broker, mqtt://host:port; unset: MQTT is off")
    mqtt_interval: MqttInterval = 5.0
    mqtt_discovery: DiscoveryPrefix = None
    engine_id: str | None = Field(
        None, pattern=r"^[A-Za-z0-9_.:-]{1,48}$", description="name of this process; host and process id where unset"
    )
    site_id: str = Field("site-1", min_length=1, max_length=48, description="site whose sun and limits hold here")
    level: Literal["L1", "L2", "L3", "DC"] = Field("L2", description="level of the chargers")
    phases: Phases = Field(3, description="phases of a charger of level L2")
    rated_amps: float | None = Field(None, ge=6, le=1000, description="rated current in A; unset: that of the level")
    rating_kw: float = Field(150.0, ge=10, le=350, description="rated power of a charger of level DC, kW")
    vehicle_capacity_kwh: float = Field(60.0, gt=0, le=1000, description="vehicle of a virtual charger: battery, kWh")
    vehicle_onboard_kw: float = Field(22.0, gt=0, le=100, description="its on-board charger, kW")
    vehicle_arrival_soc: float = Field(0.30, ge=0, le=1, description="its state of charge when it arrives, 0 to 1")
    vehicle_taper: Taper = Field(Taper.TWO_STAGE, description="its taper on AC: two-stage or linear")

    @field_validator("cp_id")
    @classmethod
    def _is_free(cls, cp_id: str) -> str:
        if cp_id == ENGINE_LEVEL:
            raise ValueError(f"{ENGINE_LEVEL} is the engines' own place among the MQTT topics; choose another name")
        return cp_id

    @model_validator(mode="after")
    def _can_count(self) -> Self:
        if self.count > 1 and _NUMBERED.fullmatch(self.cp_id) is None:
            raise ValueError(f"--count {self.count} needs a --cp-id that ends in a number, got {self.cp_id!r}")
        if self.count > 1 and not CanAddress.parse(self.can).carries_many:
            raise ValueError(
                f"--can {self.can}: it carries one charger and there are {self.count}; use a hub, or {{channel}} in"
                " the address"
            )
        return self

    @property
    def cp_ids(self) -> tuple[str, ...]:
        """Every charge point's id: CP-001, CP-002 and so on, as wide as the first."""
        match = _NUMBERED.fullmatch(self.cp_id)
        if match is None:
            return (self.cp_id,)
        stem, digits = match.groups()
        first = int(digits)
        return tuple(f"{stem}{number:0{len(digits)}}" for number in range(first, first + self.count))

    @property
    def name(self) -> str:
        """The name of this process."""
        return self.engine_id or re.sub(r"[^A-Za-z0-9_.:-]", "-", f"{socket.gethostname()}-{os.getpid()}")[-48:]

    @property
    def spec(self) -> ChargerSpec:
        """The chargers' rating plate, as the charger's own flags of the same names make it."""
        return ChargerSettings(
            level=self.level, phases=self.phases, rated_amps=self.rated_amps, rating_kw=self.rating_kw
        ).spec

    @property
    def vehicle(self) -> VehicleSpec:
        """The vehicle that a virtual charger has plugged in."""
        return VehicleSpec(
            self.vehicle_capacity_kwh, self.vehicle_onboard_kw, self.vehicle_arrival_soc, self.vehicle_taper
        )

    @property
    def terms(self) -> SessionTerms:
        """What holds for every session here."""
        return SessionTerms(
            spec=self.spec,
            kw_rate=self.kw_rate,
            euro_rate=self.euro_rate,
            session_seconds=self.session_seconds,
            time_scale=self.time_scale,
        )


_NUMBERED = re.compile(r"(.*?)(\d+)")
