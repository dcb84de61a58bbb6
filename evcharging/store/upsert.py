"""Inserting rows or replacing them by their primary key, in SQLite and in PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Insert, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["upsert"]


async def upsert(transaction: AsyncConnection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert each of ``rows`` (whole rows, all with the same columns), or replace the one that has its key.

    Raises:
        sqlalchemy.exc.IntegrityError: another unique index than the primary key forbids it.
    """
    if not rows:
        return
    await transaction.execute(_statement(table, transaction.dialect.name), list(rows))


@cache
def _statement(table: Table, dialect: str) -> Insert:
    """Made once a table: to make it and find its compiled form again costs more than to execute it."""
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    key = [column.name for column in table.primary_key]
    statement: Insert = insert.on_conflict_do_update(
        index_elements=key,
        set_={column.name: insert.excluded[column.name] for column in table.columns if column.name not in key},
    )
    return statement
