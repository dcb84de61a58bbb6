"""Bodies of requests and answers about OCPP: tokens, registered stations, charging profiles, transactions.

A password comes in and never goes out; what is told of it is whether there is one.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from evcharging.apps.ev_central.api.models import Printable
from evcharging.domain.station_password import LONGEST, SHORTEST, too_short_or_long
from evcharging.messages.base import CpId, UtcTime
from evcharging.messages.network import TokenStatus
from evcharging.store.gateway.reading import ReservationRecord, TransactionRecord
from evcharging.store.simulator.stations import ProfileRow, StationRow
from evcharging.store.simulator.tokens import TokenRow

__all__ = [
    "ChargingProfileBody",
    "ChargingProfileOut",
    "IdTag",
    "RegistrationChange",
    "RegistrationOut",
    "ReservationOut",
    "StationRegistrationBody",
    "TokenBody",
    "TokenChange",
    "TokenOut",
    "TransactionOut",
]

IdTag = Annotated[
    str,
    Field(
        min_length=1,
        max_length=20,
        pattern=r"^[!-.0-~]([ -.0-~]*[!-.0-~])?$",
        description="printable ASCII without a slash; compared without regard to case",
        examples=["ABC123"],
    ),
]
DriverName = Annotated[Printable, Field(min_length=1, max_length=64, examples=["driver-alice"])]
BootStatus = Literal["Accepted", "Pending", "Rejected"]

CHARGING_PROFILE = {
    "chargingProfileId": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}]},
}


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TokenChange(_Body):
    """What a token may do from now on. Fields that are left out are taken away."""

    id_tag: IdTag | None = Field(default=None, description="may be repeated from the path", examples=["ABC123"])
    status: TokenStatus = Field(default=TokenStatus.ACCEPTED, description="in OCPP's words", examples=["Accepted"])
    expires_at: UtcTime | None = Field(default=None, description="may lie in the past", examples=[None])
    parent_id_tag: IdTag | None = Field(default=None, description="the group that the token belongs to")
    driver_id: DriverName | None = Field(default=None, description="whose it is; sessions begun with it are theirs")


class TokenBody(TokenChange):
    """An idTag, what it may do, and whose it is."""

    id_tag: IdTag


class TokenOut(BaseModel):
    """A token as gateways know it."""

    id_tag: str = Field(examples=["ABC123"])
    status: TokenStatus
    expires_at: UtcTime | None
    parent_id_tag: str | None = Field(examples=[None])
    driver_id: str | None = Field(examples=["driver-alice"])
    changed_at: UtcTime

    @classmethod
    def of(cls, row: TokenRow) -> TokenOut:
        """From Central's row."""
        return cls(
            id_tag=row.id_tag,
            status=TokenStatus(row.status),
            expires_at=row.expires_at,
            parent_id_tag=row.parent_id_tag,
            driver_id=row.driver_id,
            changed_at=row.changed_at,
        )


class RegistrationChange(_Body):
    """How a station may connect. A password that is left out stays as it is; the rest is as it is given."""

    cp_id: CpId | None = Field(default=None, description="may be repeated from the path", examples=["CP-100"])
    password: SecretStr | None = Field(
        default=None,
        min_length=SHORTEST,
        max_length=LONGEST,
        description="HTTP Basic, for security profiles 1 and 2; stored as its argon2 hash. OCPP asks for 16 to 40",
        examples=["a-password-of-your-own"],
    )
    security_profile: int = Field(
        default=0, ge=0, le=3, description="0 none, 1 Basic, 2 TLS and Basic, 3 TLS with a client certificate"
    )
    boot_status: BootStatus = Field(default="Accepted", description="the answer to its BootNotification")
    heartbeat_interval_s: int | None = Field(default=None, ge=1, le=86_400, description="null: the gateway's own")
    configuration: dict[str, str] | None = Field(
        default=None,
        max_length=100,
        description="keys that its gateway sets after each boot, and when they change, where the station has another"
        " value: of OCPP 1.6, or of 2.0.1 as `Component.Variable`. `GET /api/v1/ocpp/{cp_id}` tells what came of each."
        " No passwords",
        examples=[{"MeterValueSampleInterval": "60"}],
    )

    @field_validator("password", mode="before")
    @classmethod
    def _long_enough(cls, password: object) -> object:
        wrong = too_short_or_long(len(password)) if isinstance(password, str) else None
        if wrong is not None:
            raise ValueError(wrong)
        return password


class StationRegistrationBody(RegistrationChange):
    """A station that may connect to the gateways, and how."""

    cp_id: CpId


class RegistrationOut(BaseModel):
    """A registered station."""

    cp_id: str = Field(examples=["CP-100"])
    has_password: bool
    security_profile: int = Field(examples=[1])
    boot_status: BootStatus
    heartbeat_interval_s: int | None
    configuration: dict[str, str] | None
    changed_at: UtcTime

    @classmethod
    def of(cls, row: StationRow) -> RegistrationOut:
        """From Central's row."""
        return cls.model_validate(
            {
                "cp_id": row.cp_id,
                "has_password": row.password_hash is not None,
                "security_profile": row.security_profile,
                "boot_status": row.boot_status,
                "heartbeat_interval_s": row.heartbeat_interval_s,
                "configuration": row.configuration,
                "changed_at": row.changed_at,
            }
        )


class ChargingProfileBody(_Body):
    """A charging profile to keep."""

    description: Annotated[Printable, Field(min_length=1, max_length=200, examples=["10 A for everybody"])]
    profile: dict[str, Any] = Field(
        description="the standard's ChargingProfile: of 1.6 (`chargingProfileId`), or of 2.0.1 (`id`)",
        examples=[CHARGING_PROFILE],
    )


class ChargingProfileOut(BaseModel):
    """A charging profile that is kept; `profile` goes into SetChargingProfile as it is."""

    id: int = Field(examples=[1])
    description: str = Field(examples=["10 A for everybody"])
    ocpp_version: str = Field(description="whose ChargingProfile it is", examples=["1.6"])
    profile: dict[str, Any] = Field(examples=[CHARGING_PROFILE])
    changed_at: UtcTime

    @classmethod
    def of(cls, row: ProfileRow) -> ChargingProfileOut:
        """From Central's row."""
        return cls(
            id=row.profile_id,
            description=row.description,
            ocpp_version=row.ocpp_version,
            profile=row.profile,
            changed_at=row.changed_at,
        )


class TransactionOut(BaseModel):
    """A transaction in the standard's terms; its record with energy and money is the session."""

    transaction_id: int | str = Field(description="a number in 1.6, a text after it", examples=[42])
    connector_id: int = Field(examples=[1])
    id_tag: str | None = Field(examples=["ABC123"])
    meter_start_wh: float | None = Field(examples=[1000.0])
    meter_stop_wh: float | None = Field(examples=[None])
    started_at: UtcTime | None
    stopped_at: UtcTime | None
    stop_reason: str | None = Field(description="the station's word", examples=[None])
    session_id: str = Field(examples=["session-3d8e"])

    @classmethod
    def of(cls, record: TransactionRecord) -> TransactionOut:
        """From the gateways' record."""
        return cls(
            transaction_id=record.transaction_id,
            connector_id=record.connector_id,
            id_tag=record.id_tag,
            meter_start_wh=None if record.meter_start_wh is None else float(record.meter_start_wh),
            meter_stop_wh=None if record.meter_stop_wh is None else float(record.meter_stop_wh),
            started_at=record.started_at,
            stopped_at=record.stopped_at,
            stop_reason=record.stop_reason,
            session_id=record.session_id,
        )


class ReservationOut(BaseModel):
    """A reservation at a station, whoever made it."""

    reservation_id: int = Field(examples=[7])
    id_tag: str = Field(examples=["ABC123"])
    connector_id: int = Field(description="0: any", examples=[1])
    expires_at: UtcTime
    status: str = Field(description="`Active`, `Used`, `Cancelled` or `Expired`", examples=["Active"])

    @classmethod
    def of(cls, record: ReservationRecord) -> ReservationOut:
        """From the gateways' record."""
        return cls(
            reservation_id=record.reservation_id,
            id_tag=record.id_tag,
            connector_id=record.connector_id,
            expires_at=record.expires_at,
            status=record.status,
        )
