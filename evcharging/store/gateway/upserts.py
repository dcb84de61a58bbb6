"""Insert or replace, in the words of whichever database it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.store.many import write_rows

__all__ = ["insert_fresh", "upsert"]


async def upsert(transaction: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows whole, by their primary keys. A column that the rows leave out keeps what it has."""
    if not rows:
        return
    await write_rows(transaction, _upsert(table, tuple(rows[0]), transaction.dialect.name), rows)


async def insert_fresh(transaction: AsyncConnection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert a row; False where its primary key is taken."""
    key = next(iter(table.primary_key))
    result = await transaction.execute(
        _insert(transaction)(table)
        .values(**row)
        .on_conflict_do_nothing(index_elements=[column.name for column in table.primary_key])
        .returning(key)
    )
    return result.scalar() is not None


@cache
def _upsert(table: Table, names: tuple[str, ...], dialect: str) -> Any:
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    keys = [column.name for column in table.primary_key]
    changed = {name: insert.excluded[name] for name in names if name not in keys}
    if not changed:
        return insert.on_conflict_do_nothing(index_elements=keys)
    return insert.on_conflict_do_update(index_elements=keys, set_=changed)


def _insert(transaction: AsyncConnection) -> Any:
    return (postgresql if transaction.dialect.name == "postgresql" else sqlite).insert
