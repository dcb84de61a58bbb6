"""The base of every model that crosses a process border: JSON in, JSON out, times in UTC.

A model tolerates fields it does not know (a newer peer may send more) and refuses fields of the wrong type. It never
fills in who caused it: ids and times are given by the caller.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Self

import orjson
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer

__all__ = ["ConnectorId", "CpId", "Message", "UtcTime", "rfc3339"]


def rfc3339(moment: datetime) -> str:
    """Spell an aware moment as RFC 3339 in UTC, with milliseconds and ``Z``."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    text = orjson.dumps(
        moment
    ).decode()  # "2026-05-01T12:30:00.000001+00:00", or without a fraction where there is none
    return f"{text[1:24]}Z" if text[20] == "." else f"{text[1:20]}.000Z"


def _to_utc(moment: datetime) -> datetime:
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("in UTC this moment is outside the calendar; expected the years 1 to 9999") from None


UtcTime = Annotated[
    AwareDatetime,
    AfterValidator(_to_utc),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
]
"""A moment with a zone; kept in UTC, written as RFC 3339 with milliseconds."""

CpId = Annotated[str, Field(min_length=1, max_length=48, pattern=r"^[A-Za-z0-9_.:@|=*-]+$", examples=["CP-001"])]
"""The name of a charge point: what OCPP and MQTT topics both can carry (no slash, no wildcard, no blank)."""

ConnectorId = Annotated[int, Field(ge=0, le=255, examples=[1])]
"""Connector 0 is the whole charge point."""


class Message(BaseModel):
    """A value on the bus. Frozen, so that several readers can share one decoded copy."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="null", allow_inf_nan=False)

    ts: UtcTime

    def to_json(self) -> bytes:
        """Encode as the JSON object that travels on the bus; fields that are unset (None) are left out.

        As `model_dump_json` does, which would make a text of it first.
        """
        return self.__pydantic_serializer__.to_json(self, exclude_none=True)

    @classmethod
    def from_json(cls, body: bytes | str) -> Self:
        """Decode and validate.

        Raises:
            pydantic.ValidationError: the body is not JSON, or a field is missing or of the wrong type.
        """
        return cls.model_validate_json(body)

    def body_id(self) -> str | None:
        """The id a record carries in its own body, where it has one; see `messages.envelope`."""
        return None
