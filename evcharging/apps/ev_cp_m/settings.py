"""The monitor's settings."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AliasChoices, Field, SecretStr, field_validator

from evcharging.apps.runtime.settings import ServiceSettings
from evcharging.messages.base import CpId

__all__ = ["MonitorSettings"]


HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]+$")]


class MonitorSettings(ServiceSettings):
    """Flags of ``evcharging monitor``; variables begin with ``CP_MONITOR_``."""

    prefix: ClassVar[str] = "CP_MONITOR_"
    service: ClassVar[str] = "monitor"
    summary: ClassVar[str] = "Registers charge points with Central, probes their engine and reports their health."

    cp_id: list[CpId] = Field(min_length=1, description="charge point to watch; repeat it or separate by commas")
    cp_e_host: HostName = Field("localhost", description="host of the engine")
    cp_e_port: int = Field(8001, ge=1, le=65535, description="health port of the engine")
    central_host: HostName = Field("localhost", description="host of Central")
    central_port: int = Field(8000, ge=1, le=65535, description="HTTP port of Central")
    central_tcp_port: int | None = Field(
        None, ge=1, le=65535, description="TCP control port of Central, used instead of HTTP where set (Central: 9999)"
    )
    api_token: SecretStr | None = Field(
        None,
        min_length=1,
        validation_alias=AliasChoices("api_token", "CENTRAL_API_TOKEN"),
        description="bearer token that Central asks for",
    )
    monitor_id: str | None = Field(
        None, min_length=1, max_length=100, description="name of this monitor; host and process id where unset"
    )
    interval_s: float = Field(1.0, gt=0, le=60, description="seconds from one probe and report to the next")
    timeout_s: float = Field(1.0, gt=0, le=60, description="seconds a probe may take before it counts as missed")
    central_timeout_s: float = Field(2.0, gt=0, le=60, description="seconds a call to Central over HTTP may take")
    misses: int = Field(3, ge=1, le=100, description="probes missed in a row that make a charge point unhealthy")
    location: str | None = Field(None, max_length=200, description="where the charge points stand, for Central")
    price_per_kwh: float | None = Field(
        None, ge=0, description="price they register with, per kWh; unset: the engine's"
    )
    rating_kw: float | None = Field(None, gt=0, description="rated power they register with, kW; unset: the engine's")

    @field_validator("cp_id")
    @classmethod
    def _each_once(cls, cp_ids: list[str]) -> list[str]:
        for cp_id in cp_ids:
            if cp_ids.count(cp_id) > 1:
                raise ValueError(f"{cp_id} is named more than once; expected each charge point once")
        return cp_ids
