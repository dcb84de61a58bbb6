"""Bodies of requests and answers that are HTTP's own. Numbers are JSON numbers, moments RFC 3339 in UTC.

What a charge point looks like is in `view_records`, what monitors send in `evcharging.messages.control`.
"""

from __future__ import annotations

import unicodedata
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from evcharging.messages.base import UtcTime
from evcharging.messages.charge_points import Alert
from evcharging.messages.control import HealthReport, Registration
from evcharging.store.simulator.session_records import SessionRecord

__all__ = [
    "Accepted",
    "AcceptedMany",
    "AlertRecord",
    "HealthBody",
    "InjectBody",
    "Liveness",
    "Noted",
    "PriceBody",
    "PriceRecord",
    "Readiness",
    "ReadinessCheck",
    "Registered",
    "RegistrationBody",
    "SessionOut",
    "StartBody",
]

MOST_EXTRAS = 16
LONGEST_EXTRA = 200
LARGEST_INT = 2**53
UNPRINTABLE = frozenset({"Cc", "Cs"})
"""What no database and no terminal takes well: control characters, and halves of a character."""
TAKEN_NAMES = frozenset({"cp_id", "self", "kind"})


def _printable(text: str) -> str:
    if any(unicodedata.category(character) in UNPRINTABLE for character in text):
        raise ValueError("expected text without control characters and lone surrogates")
    return text


Printable = Annotated[str, AfterValidator(_printable)]


def _is_small(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_EXTRA and _printable(value) == value
    if isinstance(value, bool) or value is None:
        return True
    return isinstance(value, int | float) and abs(value) <= LARGEST_INT


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class RegistrationBody(Registration):
    """A charge point makes itself known; saying so again changes what is known of it."""

    @field_validator("location", "health_url")
    @classmethod
    def _printable(cls, text: str | None) -> str | None:
        return text if text is None else _printable(text)


class HealthBody(HealthReport):
    """What a monitor makes of its last probes."""

    @field_validator("detail", "monitor_id")
    @classmethod
    def _printable(cls, text: str | None) -> str | None:
        return text if text is None else _printable(text)


class Registered(BaseModel):
    """A charge point is known now."""

    cp_id: str = Field(examples=["CP-001"])
    new: bool = Field(description="whether it was unknown before")


class Noted(BaseModel):
    """A monitor's word was taken."""

    cp_id: str = Field(examples=["CP-001"])
    healthy: bool


class StartBody(_Body):
    """Whom to charge for, and how much."""

    driver_id: Annotated[Printable, Field(min_length=1, max_length=64, examples=["driver-alice"])]
    kwh: float | None = Field(
        default=None, gt=0, le=1000, description="energy asked for; null: until full", examples=[10]
    )
    connector_id: int | None = Field(default=None, ge=1, le=255, description="null: one that is free", examples=[None])


class InjectBody(BaseModel):
    """An event to act out. Fields beside ``kind`` go to the charge point as they are: numbers, texts, true or false."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    kind: str = Field(
        pattern=r"^[a-z][a-z0-9_]{0,39}$",
        description="`unplug`, `plug`, `fault`, `clear`, or what else the charge point knows",
        examples=["fault"],
    )

    @model_validator(mode="after")
    def _extras_are_small(self) -> Self:
        extras = self.extras
        if len(extras) > MOST_EXTRAS:
            raise ValueError(f"got {len(extras)} fields beside kind, expected at most {MOST_EXTRAS}")
        for name, value in extras.items():
            if name in TAKEN_NAMES or not name.isascii() or not name.isidentifier():
                raise ValueError(f"{name[:40]!r} cannot be the name of a field")
            if not _is_small(value):
                raise ValueError(
                    f"{name}: expected a number up to 2^53, a text of at most {LONGEST_EXTRA} printable characters, "
                    "true, false or null"
                )
        return self

    @property
    def extras(self) -> dict[str, Any]:
        """The fields beside ``kind``."""
        return dict(self.model_extra or {})


class Accepted(BaseModel):
    """A command was sent. What becomes of it is told on `central.replies` and over /ws (`type: reply`)."""

    command_id: str = Field(examples=["0b9f3c1e-7d0a-5c57-9a3e-2f1d8a6b4c00"])
    cp_id: str | None = Field(default=None, examples=["CP-001"])
    session_id: str | None = Field(default=None, description="where a session was named", examples=[None])


class AcceptedMany(BaseModel):
    """Commands were sent to every charge point whose state allows it."""

    command_ids: list[str]
    count: int = Field(examples=[3])


class PriceBody(_Body):
    """A tariff, in force at once, also for sessions that run."""

    price: Decimal = Field(ge=0, lt=10_000_000, max_digits=13, decimal_places=6, examples=[0.35])
    currency: str | None = Field(
        default=None, pattern=r"^[A-Z]{3}$", description="ISO 4217; null: as it is", examples=["EUR"]
    )
    solar_price: Decimal | None = Field(
        default=None,
        ge=0,
        lt=10_000_000,
        max_digits=13,
        decimal_places=6,
        description="for energy from the site's sun; null: as from the grid",
        examples=[0.20],
    )


class PriceRecord(BaseModel):
    """The tariff in force, per kWh."""

    price: float = Field(examples=[0.30])
    currency: str = Field(examples=["EUR"])
    solar_price: float | None = Field(description="null: as from the grid", examples=[None])


class SessionOut(BaseModel):
    """A session: energy by source, cost rounded to its currency's minor unit."""

    session_id: str = Field(examples=["session-3d8e"])
    request_id: str = Field(examples=["req-abc123"])
    cp_id: str = Field(examples=["CP-001"])
    station_id: str = Field(description="the same id as `cp_id`", examples=["CP-001"])
    connector_id: int = Field(examples=[1])
    driver_id: str = Field(examples=["driver-alice"])
    status: Literal["ACTIVE", "COMPLETED", "FAILED", "CANCELLED"]
    reason: str | None = Field(description="why it ended", examples=["target_reached"])
    created_at: UtcTime
    started_at: UtcTime | None = Field(description="when energy began to flow")
    ended_at: UtcTime | None
    kwh: float = Field(examples=[10.0])
    solar_kwh: float = Field(examples=[4.0])
    grid_kwh: float = Field(examples=[6.0])
    cost: float = Field(examples=[3.00])
    currency: str = Field(examples=["EUR"])
    source: str = Field(examples=["engine"])
    intervals: int = Field(description="metered intervals counted", examples=[60])
    missing_intervals: int = Field(description="intervals known to exist that have not come", examples=[0])
    register_start_wh: float | None = Field(description="the charger's register at the start")
    register_end_wh: float | None = Field(description="the charger's register at the last interval")
    amended_at: UtcTime | None = Field(description="when intervals, or its end, came after it was closed, if any did")

    @classmethod
    def of(cls, record: SessionRecord) -> SessionOut:
        """From Central's record."""
        return cls(
            session_id=record.session_id,
            request_id=record.request_id,
            cp_id=record.cp_id,
            station_id=record.cp_id,
            connector_id=record.connector_id,
            driver_id=record.driver_id,
            status=record.status,
            reason=record.reason,
            created_at=record.created_at,
            started_at=record.started_at,
            ended_at=record.ended_at,
            kwh=float(record.kwh),
            solar_kwh=float(record.solar_kwh),
            grid_kwh=float(record.grid_kwh),
            cost=float(record.cost),
            currency=record.currency,
            source=record.source,
            intervals=record.intervals,
            missing_intervals=record.missing_intervals,
            register_start_wh=None if record.register_start_wh is None else float(record.register_start_wh),
            register_end_wh=None if record.register_end_wh is None else float(record.register_end_wh),
            amended_at=record.amended_at,
        )


class AlertRecord(Alert):
    """Something an operator should look at."""


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class ReadinessCheck(BaseModel):
    """One thing that Central needs."""

    ok: bool
    detail: str | None = Field(default=None, description="what is amiss", examples=[None])


class Readiness(BaseModel):
    """Whether Central makes progress."""

    ready: bool
    checks: dict[str, ReadinessCheck] = Field(
        examples=[{"kafka": {"ok": True, "detail": None}, "database": {"ok": True, "detail": None}}]
    )
