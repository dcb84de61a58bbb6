"""OCPP's timestamps: RFC 3339 out, and in whatever chargers make of ISO 8601."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from evcharging.ocpp.errors import CallRejected, Fault

__all__ = ["parse_timestamp", "timestamp", "timestamp_of"]


def timestamp(moment: datetime) -> str:
    """``moment`` (with a zone) as the standard likes it: UTC, milliseconds, ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def timestamp_of(at_s: float) -> str:
    """Unix seconds as `timestamp` spells them; thousands of stations do so within the same second."""
    second, microseconds = divmod(round(at_s * 1e6), 1_000_000)
    return f"{_second(second)}.{microseconds // 1000:03d}Z"


def parse_timestamp(text: str, *, field: str = "timestamp") -> datetime:
    """Read a timestamp; one without a zone is taken for UTC, as the standard asks chargers to report.

    Raises:
        CallRejected: it is none (TypeConstraintViolation).
    """
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise CallRejected(
            Fault.TYPE_CONSTRAINT, f"{field}: {text[:40]!r} is no date and time as in 2026-01-31T12:00:00Z"
        ) from None


@lru_cache(maxsize=256)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
