"""Column types that keep their meaning on every database: moments in UTC, exact decimals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import DateTime, String
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

__all__ = ["ExactDecimal", "ForeignText", "UtcDateTime"]


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment. PostgreSQL keeps the zone; SQLite has none, so it is kept there as naive UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a moment without a zone rather than guess one."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"got the naive moment {value}, expected one with a zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """With SQLite the same text in one step: SQLAlchemy takes moments apart and formats them anew."""
        return _sqlite_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """With SQLite the moment in one step, from the text that `bind_processor` made."""
        return _sqlite_moment if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


class ExactDecimal(TypeDecorator[Decimal]):
    """A `Decimal` as its digits: SQLite's NUMERIC would round it through a float."""

    impl = String(64)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        """Write the digits, never an exponent."""
        return None if value is None else format(value, "f")

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        """Read the digits."""
        return None if value is None else Decimal(value)


class ForeignText(TypeDecorator[str]):
    """Text as strangers send it: cut to the column's length, without the NUL that PostgreSQL takes from nobody."""

    impl = String
    cache_ok = True

    def __init__(self, length: int | None = None) -> None:
        super().__init__(length)
        self.length = length

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Cut it to what the column holds."""
        return None if value is None else value.replace("\x00", "")[: self.length]


def _sqlite_text(value: datetime | None) -> str | None:
    if value is None:
        return None
    if value.tzinfo is not UTC:
        if value.tzinfo is None:
            raise ValueError(f"got the naive moment {value}, expected one with a zone")
        value = value.astimezone(UTC)
    return value.isoformat(" ", "microseconds")[: -len("+00:00")]


def _sqlite_moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value).replace(tzinfo=UTC)
