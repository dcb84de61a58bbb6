"""The charger's settings."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from evcharging.apps.runtime.http import is_loopback
from evcharging.apps.runtime.setting_types import Phases
from evcharging.apps.runtime.settings import ServiceSettings
from evcharging.can.bus import CanAddressError
from evcharging.can.connect import CanAddress
from evcharging.can.hub import DEFAULT_PORT
from evcharging.domain.charger import L1, L2, L2_THREE_PHASE, L3, ChargerSpec, Taper, VehicleSpec, dc
from evcharging.messages.base import CpId

__all__ = ["ChargerSettings"]

MOST_NODES = 10_000


class ChargerSettings(ServiceSettings):
    """Flags of ``evcharging charger``; variables begin with ``CHARGER_``."""

    prefix: ClassVar[str] = "CHARGER_"
    service: ClassVar[str] = "charger"
    summary: ClassVar[str] = (
        "The CAN nodes of one or more chargers, with a socketcand hub that engines and tools of other processes join."
        " In a terminal: u unplugs, p plugs in, f is a fault, c clears it, n goes on to the next charger."
    )

    cp_id: list[CpId] = Field([], description="charger by name; repeat it or separate by commas; unset: CP-001 and on")
    count: int | None = Field(
        None,
        ge=1,
        le=MOST_NODES,
        description="number of chargers, counted on from the one that is named; unset: as many as are named",
    )
    can: str | None = Field(
        None, description="where the channels are, such as socketcan:can0 or hub://HOST:PORT; unset: a hub of its own"
    )
    hub_host: str = Field("127.0.0.1", description="address that its own hub listens on")
    hub_port: int = Field(DEFAULT_PORT, ge=0, le=65535, description="port of its own hub; 0 takes any free one")
    hub_allow_remote: bool = Field(
        False, description="let --hub-host be reachable from elsewhere: a hub has no password"
    )
    time_scale: float = Field(1.0, ge=1, le=3600, description="simulated seconds in a second")
    register_file: Path | None = Field(None, description="file that keeps the energy registers; unset: they begin at 0")
    level: Literal["L1", "L2", "L3", "DC"] = Field("L2", description="level of the chargers")
    phases: Phases = Field(3, description="phases of a charger of level L2")
    rated_amps: float | None = Field(None, ge=6, le=1000, description="rated current in A; unset: that of the level")
    rating_kw: float = Field(150.0, ge=10, le=350, description="rated power of a charger of level DC, kW")
    vehicle_capacity_kwh: float = Field(
        60.0, gt=0, le=1000, description="battery of the vehicle that is plugged in, kWh"
    )
    vehicle_onboard_kw: float = Field(22.0, gt=0, le=100, description="its on-board charger, kW")
    vehicle_arrival_soc: float = Field(0.30, ge=0, le=1, description="its state of charge when it arrives, 0 to 1")
    vehicle_taper: Taper = Field(Taper.TWO_STAGE, description="its taper on AC: two-stage or linear")

    @field_validator("cp_id")
    @classmethod
    def _each_once(cls, cp_ids: list[str]) -> list[str]:
        for cp_id in cp_ids:
            if cp_ids.count(cp_id) > 1:
                raise ValueError(f"{cp_id} is named more than once; expected each charger once")
        return cp_ids

    @field_validator("count")
    @classmethod
    def _agrees_with_names(cls, count: int | None, info: ValidationInfo) -> int | None:
        named = info.data.get("cp_id", [])
        if count is None or len(named) in {0, count}:
            return count
        if len(named) > 1:
            raise ValueError(f"{len(named)} are named with --cp-id; leave --count out, or name the first alone")
        if not named[0][-1].isdigit():
            raise ValueError(f"cannot count on from {named[0]}; expected a name that ends in a number, such as CP-001")
        return count

    @field_validator("can")
    @classmethod
    def _reaches_other_processes(cls, can: str | None, info: ValidationInfo) -> str | None:
        if can is None:
            return None
        try:
            address = CanAddress.parse(can)
        except CanAddressError as error:
            raise ValueError(str(error)) from None
        if address.interface == "virtual":
            raise ValueError("virtual reaches no other process; leave it out for a hub of its own")
        nodes = info.data.get("count") or len(info.data.get("cp_id", [])) or 1
        if nodes > 1 and not address.carries_many:
            raise ValueError(f"it carries one charger and there are {nodes}; use a hub, or {{channel}} in the address")
        return can

    @model_validator(mode="after")
    def _hub_is_local_or_meant_to_be_open(self) -> Self:
        if self.can is None and not is_loopback(self.hub_host) and not self.hub_allow_remote:
            raise ValueError(
                f"--hub-host {self.hub_host}: the hub has no password and would be reachable from elsewhere;"
                " add --hub-allow-remote if that is meant"
            )
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The cp_id of each charger."""
        if len(self.cp_id) > 1 or self.count in {None, 1}:
            return tuple(self.cp_id) or ("CP-001",)
        return _counted_on(self.cp_id[0] if self.cp_id else "CP-001", self.count or 1)

    @property
    def spec(self) -> ChargerSpec:
        """The rating plate that all of them bear."""
        l2 = L2 if self.phases == 1 else L2_THREE_PHASE
        plate = {"L1": L1, "L2": l2, "L3": L3, "DC": dc(self.rating_kw)}[self.level]
        if self.rated_amps is None:
            return plate
        return ChargerSpec(plate.level, self.rated_amps, plate.voltage_v, plate.phases, plate.max_power_kw)

    @property
    def vehicle(self) -> VehicleSpec:
        """The vehicle that is plugged in when one is asked for."""
        return VehicleSpec(
            self.vehicle_capacity_kwh, self.vehicle_onboard_kw, self.vehicle_arrival_soc, self.vehicle_taper
        )


def _counted_on(first: str, count: int) -> tuple[str, ...]:
    digits = len(first) - len(first.rstrip("0123456789"))
    stem, number = first[:-digits], int(first[-digits:])
    return tuple(f"{stem}{number + step:0{digits}}" for step in range(count))
