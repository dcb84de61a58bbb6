"""What travels on the MQTT topics: Pydantic models and their reading.

Writers are exact, readers are tolerant: fields nobody knows are ignored; whole numbers do for floats and floats for
whole numbers; a moment may be seconds or milliseconds since 1970 or lack its zone (then it is UTC); a state of charge
over 1 is taken as per cent; a status may be in any case; what a small publisher leaves out, or sends as null, is filled
in. What is left is checked, and a payload that does not hold is a `PayloadError`, which the caller counts.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import from_json

from evcharging.domain.states import MqttStatus
from evcharging.messages.base import CpId, UtcTime
from evcharging.messages.commands import CommandOutcome

__all__ = [
    "PAYLOAD_VERSION",
    "Availability",
    "PayloadError",
    "SiteGrid",
    "SitePrice",
    "SiteSolar",
    "UnitAck",
    "UnitAlarm",
    "UnitCommand",
    "UnitEvent",
    "UnitPayload",
    "UnitState",
    "UnitTelemetry",
    "read_availability",
    "read_unit",
]

PAYLOAD_VERSION = 1
"""The ``v`` of everything written here. It changes when a field changes its meaning, not when one is added."""

MAX_PAYLOAD_BYTES = 64 * 1024


class PayloadError(ValueError):
    """A payload that is not what its topic promises."""


class Availability(StrEnum):
    """The whole payload of a ``status`` topic, as plain text."""

    ONLINE = "online"
    OFFLINE = "offline"


def _moment(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a moment is a time or a number of seconds, not a boolean")  # noqa: TRY004 - for Pydantic
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            return value
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed
    return value


def _fraction(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool) and 1 < value <= 100:
        return value / 100
    return value


def _text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number is wanted, not a boolean")  # noqa: TRY004 - Pydantic collects ValueError
    return value


Moment = Annotated[UtcTime, BeforeValidator(_moment)]
Number = Annotated[float, Field(strict=True)]
Quantity = Annotated[float, Field(strict=True, ge=0)]
Fraction = Annotated[float, Field(strict=True, ge=0, le=1), BeforeValidator(_fraction)]
Count = Annotated[int, Field(ge=0), BeforeValidator(_no_boolean)]
Identifier = Annotated[str, Field(min_length=1, max_length=64), BeforeValidator(_text)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class _Payload(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    v: Count = PAYLOAD_VERSION
    ts: Moment

    def to_json(self) -> bytes:
        """Encode every field, the unset ones as null, so that a reader's template never misses one."""
        return self.model_dump_json().encode()


class UnitPayload(_Payload):
    """What every message about one unit has."""

    unit_id: CpId


class UnitTelemetry(UnitPayload):
    """``evse/{unit_id}/telemetry``: what a unit measures, for display.

    Units as named; ``soc`` is a fraction (0 to 1); ``energy_kwh`` and ``cost`` are the session's so far (the unit's
    register where it has no sessions); ``solar_kw`` and ``grid_kw`` are the parts of ``power_kw``. ``seq`` grows with
    every message of a unit.
    """

    seq: Count = 0
    status: Annotated[MqttStatus, BeforeValidator(_lower)]
    session_id: Identifier | None = None
    power_kw: Quantity = 0.0
    energy_kwh: Quantity = 0.0
    current_a: Quantity | None = None
    voltage_v: Quantity | None = None
    soc: Fraction | None = None
    temperature_c: Number | None = None
    solar_kw: Quantity | None = None
    grid_kw: Quantity | None = None
    cost: Quantity | None = None
    currency: Currency | None = None


class UnitState(UnitPayload):
    """``evse/{unit_id}/state``, retained: the last state change.

    ``engine_id`` is for a unit without a will of its own: the process whose status
    (``evse/_engine/{engine_id}/status``) also decides whether it is there. ``rating_kw`` is the most it delivers.
    """

    status: MqttStatus | None = None
    reason: str | None = None
    session_id: Identifier | None = None
    limit_a: Quantity | None = None
    rating_kw: Quantity | None = None
    engine_id: str | None = None


class UnitEvent(UnitPayload):
    """``evse/{unit_id}/event``: something happened (a session began, a plug was pulled)."""

    event: str = Field(min_length=1, max_length=64)
    session_id: Identifier | None = None
    detail: dict[str, JsonValue] | None = None


class UnitAlarm(UnitPayload):
    """``evse/{unit_id}/alarm``: something an operator should look at; sent again with ``active`` false when over."""

    kind: str = Field(min_length=1, max_length=64)
    severity: str = Field(default="warning", pattern=r"^(info|warning|critical)$")
    active: bool = True
    detail: str | None = None


class UnitCommand(UnitPayload):
    """``evse/{unit_id}/cmd/{verb}``. An empty payload is a command without arguments, valid from now on for ever.

    With a ``command_id`` a repeat is recognised and not executed again; past ``expires_at`` it is answered EXPIRED.
    """

    command_id: Identifier | None = None
    expires_at: Moment | None = None
    payload: dict[str, JsonValue] = Field(default_factory=dict)


class UnitAck(UnitPayload):
    """``evse/{unit_id}/cmd/{verb}/ack``: how a command ended."""

    verb: str
    command_id: str | None = None
    outcome: CommandOutcome
    payload: dict[str, JsonValue] | None = None
    error_code: str | None = None
    error_description: str | None = None


class _SitePayload(_Payload):
    site_id: str = Field(min_length=1, max_length=48)


class SiteGrid(_SitePayload):
    """``site/{site_id}/grid``, retained: what may be drawn (none: no limit) and what that does to the air."""

    limit_kw: Quantity | None = None
    carbon_g_per_kwh: Quantity | None = None


class SiteSolar(_SitePayload):
    """``site/{site_id}/solar``, retained."""

    solar_kw: Quantity


class SitePrice(_SitePayload):
    """``site/{site_id}/price``, retained."""

    price_per_kwh: Quantity
    solar_price_per_kwh: Quantity | None = None
    currency: Currency


U = TypeVar("U", bound=UnitPayload)


def read_unit(model: type[U], body: bytes, *, unit_id: str, received_at: datetime) -> U:
    """Decode a message about ``unit_id``, the name in its topic.

    A missing ``unit_id`` is the topic's and a missing ``ts`` is ``received_at``.

    Raises:
        PayloadError: not a JSON object, too large, a field is missing or wrong, or it names another unit.
    """
    if len(body) > MAX_PAYLOAD_BYTES:
        raise PayloadError(f"{model.__name__}: {len(body)} bytes, at most {MAX_PAYLOAD_BYTES} are read")
    fields = _object(model.__name__, body)
    fields.setdefault("unit_id", unit_id)
    fields.setdefault("ts", received_at)
    try:
        payload = model.model_validate(fields)
    except (ValidationError, OverflowError) as error:
        raise PayloadError(f"{model.__name__} of {unit_id}: {_first_problems(error)}") from None
    if payload.unit_id != unit_id:
        raise PayloadError(f"{model.__name__}: the topic says unit {unit_id!r}, the payload {payload.unit_id!r}")
    return payload


def read_availability(body: bytes) -> Availability:
    """Decode a ``status`` payload.

    Raises:
        PayloadError: neither ``online`` nor ``offline``.
    """
    try:
        return Availability(body.decode().strip().lower())
    except ValueError:
        raise PayloadError(f"status {bytes(body[:40])!r}: expected online or offline") from None


def _object(name: str, body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        decoded = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise PayloadError(f"{name}: not JSON: {error}") from None
    if not isinstance(decoded, dict):
        raise PayloadError(f"{name}: a JSON {type(decoded).__name__}, expected an object")
    return {name: value for name, value in decoded.items() if value is not None}


def _first_problems(error: ValidationError | OverflowError) -> str:
    if isinstance(error, OverflowError):
        return str(error)
    problems = error.errors(include_url=False, include_context=False)
    told = []
    for problem in problems[:3]:
        where = ".".join(str(part) for part in problem["loc"]) or "payload"
        got = "" if problem["type"] == "missing" else f" (got {_shown(problem['input'])})"
        told.append(f"{where}: {problem['msg']}{got}")
    if len(problems) > len(told):
        told.append(f"and {len(problems) - len(told)} more")
    return "; ".join(told)


def _shown(value: object) -> str:
    try:
        return repr(str(value)[:60])
    except ValueError:  # Python refuses to spell integers of more than 4,300 digits
        return "a huge number"
