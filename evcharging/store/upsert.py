"""Inserting rows, or replacing them by their primary key, in SQLite and in PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.store.many import write_rows

__all__ = ["insert_fresh", "insert_into", "upsert"]


def insert_into(table: Table, dialect: str) -> Any:
    """An INSERT that knows ``ON CONFLICT``, as the dialect of that name spells it."""
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)


async def upsert(transaction: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, all with the same columns, or replace those that have their keys.

    A column that the rows leave out keeps what it has.

    Raises:
        sqlalchemy.exc.IntegrityError: another unique index than the primary key forbids it.
    """
    if rows:
        await write_rows(transaction, _upsert(table, tuple(rows[0]), transaction.dialect.name), rows)


async def insert_fresh(transaction: AsyncConnection, table: Table, row: Mapping[str, Any]) -> bool:
    """Enter a row; False where its key is taken."""
    key = next(iter(table.primary_key))
    result = await transaction.execute(
        insert_into(table, transaction.dialect.name)
        .values(**row)
        .on_conflict_do_nothing(index_elements=[column.name for column in table.primary_key])
        .returning(key)
    )
    return result.scalar() is not None


@cache
def _upsert(table: Table, names: tuple[str, ...], dialect: str) -> Any:
    """Made once: to make it and find its compiled form again costs more than to execute it."""
    insert = insert_into(table, dialect)
    keys = [column.name for column in table.primary_key]
    changed = {name: insert.excluded[name] for name in names if name not in keys}
    if not changed:
        return insert.on_conflict_do_nothing(index_elements=keys)
    return insert.on_conflict_do_update(index_elements=keys, set_=changed)
