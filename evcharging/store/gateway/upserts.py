"""Insert or replace, in the words of whichever database it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["insert_fresh", "upsert"]


async def upsert(transaction: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows whole, by their primary keys. A column that the rows leave out keeps what it has."""
    if not rows:
        return
    insert = _insert(transaction)(table)
    keys = [column.name for column in table.primary_key]
    changed = {name: insert.excluded[name] for name in rows[0] if name not in keys}
    await transaction.execute(
        insert.on_conflict_do_update(index_elements=keys, set_=changed)
        if changed
        else insert.on_conflict_do_nothing(index_elements=keys),
        [dict(row) for row in rows],
    )


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


def _insert(transaction: AsyncConnection) -> Any:
    return (postgresql if transaction.dialect.name == "postgresql" else sqlite).insert
