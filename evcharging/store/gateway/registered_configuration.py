"""What came of the keys that registrations have: by station and key, what was wanted and what the station answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.store.gateway import tables
from evcharging.store.many import among, parts
from evcharging.store.upsert import upsert

__all__ = ["answers_of", "forget_answers", "note_answers"]

KEYS_A_STATEMENT = 100


async def answers_of(transaction: AsyncConnection, cp_ids: Sequence[str]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Rows by charge point and key."""
    columns = tables.registered_configuration.c
    found: dict[str, dict[str, Mapping[str, Any]]] = {cp_id: {} for cp_id in cp_ids}
    for part in parts(cp_ids):
        statement = select(tables.registered_configuration).where(among(transaction, columns.cp_id, part))
        for row in (await transaction.execute(statement)).mappings():
            found[row["cp_id"]][row["key"]] = dict(row)
    return found


async def note_answers(transaction: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Enter whole rows, or replace those of the same charge point and key."""
    await upsert(transaction, tables.registered_configuration, rows)


async def forget_answers(transaction: AsyncConnection, keys: Sequence[tuple[str, str]]) -> None:
    """Drop rows by charge point and key: keys that a registration has no longer."""
    columns = tables.registered_configuration.c
    for start in range(0, len(keys), KEYS_A_STATEMENT):
        named = [and_(columns.cp_id == cp_id, columns.key == key) for cp_id, key in keys[start:][:KEYS_A_STATEMENT]]
        await transaction.execute(delete(tables.registered_configuration).where(or_(*named)))
