"""The settings of a single station."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, field_validator

from evcharging.apps.charger.settings import ChargerSettings
from evcharging.apps.runtime.setting_types import CanInterface, DiscoveryPrefix, MqttInterval, MqttUrl, Phases
from evcharging.apps.runtime.settings import ServiceSettings
from evcharging.can.socketcand import NAME_RULE, is_channel_name
from evcharging.domain.charger import ChargerSpec, Taper, VehicleSpec
from evcharging.ocpp.station.fault_kinds import BadFaultPlan, FaultPlan
from evcharging.ocpp.versions import OcppVersion
from evcharging.ocpp.websocket_address import BadUrl, check_url

__all__ = ["BY_HAND", "StationAppSettings"]

BY_HAND = "none"
MOST_CONNECTORS = 32


class StationAppSettings(ServiceSettings):
    """Flags of ``evcharging station``; variables begin with ``STATION_``."""

    prefix: ClassVar[str] = "STATION_"
    service: ClassVar[str] = "station"
    summary: ClassVar[str] = (
        "One OCPP station with its log on the terminal, over the CAN charger that an engine drives too."
        " In a terminal: p plugs in, u unplugs, t presents the card, f is a fault, c clears it, e is the emergency"
        " button, d drops the connection, s shows the state, a number chooses the connector, q ends."
    )

    csms_url: str = Field("ws://127.0.0.1:9000/ocpp", description="the CSMS, without the station's id: ws:// or wss://")
    id: str = Field(
        "PY-SIM-0001", min_length=1, max_length=48, description="the station's id: the last part of its URL"
    )
    version: Literal["1.6", "2.0.1"] = Field("1.6", description="version of OCPP that it speaks")
    profile: str = Field("default", description="how it lives: the name of a behaviour profile; none: by hand, by keys")
    profiles_dir: Path | None = Field(None, description="folder with behaviour profiles of your own")
    connectors: int = Field(1, ge=1, le=MOST_CONNECTORS, description="connectors, each with a charger of its own")
    password: SecretStr | None = Field(None, description="for Basic authentication; the user is the station's id")
    ca: Path | None = Field(None, description="certificates to trust for wss://, PEM; unset: those of this machine")
    client_cert: Path | None = Field(None, description="the station's own certificate for wss://, PEM")
    client_key: Path | None = Field(None, description="its key, PEM; unset: in the same file")
    configuration: str = Field(
        "", description="configuration to begin with, KEY=VALUE;KEY=VALUE, in the names of the version"
    )
    queue_file: Path | None = Field(None, description="file that keeps unsent transaction messages; unset: memory")
    faults: str = Field("", description="protocol faults on purpose, such as bad-json=0.05,late-answer=0.1")
    seed: int = Field(0, description="of everything random: behaviour, pauses, faults")
    duration: float | None = Field(None, gt=0, description="seconds until it stops by itself; unset: until stopped")
    price: float = Field(18.50, ge=0, description="price of a kWh where it stands")
    currency: str = Field("INR", pattern=r"^[A-Z]{3}$", description="of the price")
    id_tag: str = Field("ABC123", min_length=1, max_length=20, description="the card that the key t presents")
    can: CanInterface = Field(
        "virtual", description="its chargers: virtual (in this process), hub://HOST:PORT, socketcan:can0, udp_multicast"
    )
    mqtt: MqttUrl | None = Field(
        None, description="MQTT broker to tell of its chargers, mqtt://host:port; leave out where the gateway tells"
    )
    mqtt_interval: MqttInterval = 5.0
    mqtt_discovery: DiscoveryPrefix = None
    level: Literal["L1", "L2", "L3", "DC"] = Field("L2", description="level of the chargers")
    phases: Phases = Field(3, description="phases of a charger of level L2")
    rated_amps: float | None = Field(None, ge=6, le=1000, description="rated current in A; unset: that of the level")
    rating_kw: float = Field(150.0, ge=10, le=350, description="rated power of a charger of level DC, kW")
    vehicle_capacity_kwh: float = Field(60.0, gt=0, le=1000, description="vehicle that p plugs in: battery, kWh")
    vehicle_onboard_kw: float = Field(22.0, gt=0, le=100, description="its on-board charger, kW")
    vehicle_arrival_soc: float = Field(0.30, ge=0, le=1, description="its state of charge when it arrives, 0 to 1")
    vehicle_taper: Taper = Field(Taper.TWO_STAGE, description="its taper on AC: two-stage or linear")

    @field_validator("csms_url")
    @classmethod
    def _is_a_websocket(cls, url: str) -> str:
        try:
            check_url(url)
        except BadUrl as error:
            raise ValueError(str(error)) from None
        return url

    @field_validator("id")
    @classmethod
    def _names_a_channel(cls, station_id: str) -> str:
        if not is_channel_name(station_id):
            raise ValueError(f"it names the CAN channel too; expected {NAME_RULE}")
        return station_id

    @field_validator("faults")
    @classmethod
    def _is_a_fault_plan(cls, faults: str) -> str:
        try:
            FaultPlan.parse(faults)
        except BadFaultPlan as error:
            raise ValueError(str(error)) from None
        return faults

    @field_validator("configuration")
    @classmethod
    def _is_keys_and_values(cls, configuration: str) -> str:
        for part in filter(None, configuration.split(";")):
            if not part.partition("=")[0].strip() or "=" not in part:
                raise ValueError(f"{part!r}: expected KEY=VALUE;KEY=VALUE, such as HeartbeatInterval=60")
        return configuration

    @property
    def ocpp_version(self) -> OcppVersion:
        """The version of OCPP."""
        return OcppVersion(self.version)

    @property
    def channels(self) -> tuple[str, ...]:
        """The CAN channel, and the unit on MQTT, of each connector: the station's id, with a number where several."""
        if self.connectors == 1:
            return (self.id,)
        return tuple(f"{self.id}-{number}" for number in range(1, self.connectors + 1))

    @property
    def configured(self) -> dict[str, str]:
        """The configuration to begin with, by key."""
        parts = (part.partition("=") for part in self.configuration.split(";") if part.strip())
        return {key.strip(): value.strip() for key, _, value in parts}

    @property
    def spec(self) -> ChargerSpec:
        """The chargers' rating plate, as the charger's own flags of the same names make it."""
        return ChargerSettings(
            level=self.level, phases=self.phases, rated_amps=self.rated_amps, rating_kw=self.rating_kw
        ).spec

    @property
    def vehicle(self) -> VehicleSpec:
        """The vehicle that comes by hand."""
        return VehicleSpec(
            self.vehicle_capacity_kwh, self.vehicle_onboard_kw, self.vehicle_arrival_soc, self.vehicle_taper
        )
