"""What monitors tell Central: who a charge point is, and how it does. Bodies of two HTTP calls and of TCP frames.

Over HTTP (``POST /cp/register``, ``POST /cp/{cp_id}/health``) the path says what kind of body it is and whose. Over TCP
a frame says so itself: ``{"type": "register", …}`` and ``{"type": "health", "cp_id": …, …}``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from evcharging.messages.base import CpId

__all__ = ["ControlFrame", "HealthFrame", "HealthReport", "RegisterFrame", "Registration", "control_frame"]

LONGEST_DETAIL = 500


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    def to_json(self) -> bytes:
        """Encode as one JSON object; fields that are unset (None) are left out."""
        return self.model_dump_json(exclude_none=True).encode()


class Registration(_Body):
    """A charge point makes itself known; saying so again changes what is known of it."""

    cp_id: CpId
    location: str | None = Field(default=None, max_length=200, examples=["Car park, level 2"])
    price_per_kwh: float | None = Field(default=None, ge=0, description="in the currency of the site", examples=[0.30])
    rating_kw: float | None = Field(default=None, gt=0, examples=[22.0])
    health_url: str | None = Field(
        default=None, max_length=500, pattern=r"^https?://", examples=["http://localhost:8001/health/CP-001"]
    )


class HealthReport(_Body):
    """What a monitor makes of its last probes of one charge point."""

    healthy: bool
    detail: str | None = Field(default=None, max_length=LONGEST_DETAIL, examples=["engine_unreachable"])
    latency_ms: float | None = Field(default=None, ge=0, description="of the last probe that was answered")
    monitor_id: str | None = Field(default=None, max_length=100)


class RegisterFrame(Registration):
    """A `Registration` over TCP."""

    type: Literal["register"] = "register"

    def registration(self) -> Registration:
        """What the frame carries, as over HTTP."""
        return Registration.model_construct(**{name: getattr(self, name) for name in Registration.model_fields})


class HealthFrame(HealthReport):
    """A `HealthReport` over TCP, which names its charge point."""

    type: Literal["health"] = "health"
    cp_id: CpId

    def report(self) -> HealthReport:
        """What the frame carries, as over HTTP."""
        return HealthReport.model_construct(**{name: getattr(self, name) for name in HealthReport.model_fields})


ControlFrame = Annotated[RegisterFrame | HealthFrame, Field(discriminator="type")]

_FRAME: TypeAdapter[RegisterFrame | HealthFrame] = TypeAdapter(ControlFrame)


def control_frame(data: bytes) -> RegisterFrame | HealthFrame:
    """Decode the DATA of one TCP frame.

    Raises:
        pydantic.ValidationError: not JSON, of no known type, or a field is missing or of the wrong type.
    """
    return _FRAME.validate_json(data)
