"""Which commands were taken, by which gateway, and what was answered. The unique index is the judge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.store.gateway import tables
from evcharging.store.upsert import insert_fresh

__all__ = ["TakenCommand", "answer", "forget_before", "take"]


@dataclass(frozen=True, slots=True)
class TakenCommand:
    """A command that some gateway has, and its reply as published, where there is one yet."""

    gateway: str
    reply: bytes | None


async def take(
    transaction: AsyncConnection, *, command_id: str, cp_id: str, action: str, gateway: str, now: datetime
) -> TakenCommand:
    """Take a command for a gateway, or learn who took it. Of several that try, one reads its own name."""
    row = {"command_id": command_id, "cp_id": cp_id, "action": action, "gateway": gateway, "taken_at": now}
    if await insert_fresh(transaction, tables.commands, row):
        return TakenCommand(gateway, None)
    columns = tables.commands.c
    result = await transaction.execute(select(columns.gateway, columns.reply).where(columns.command_id == command_id))
    found = result.one()
    return TakenCommand(found.gateway, found.reply)


async def answer(transaction: AsyncConnection, command_id: str, *, outcome: str, reply: bytes, now: datetime) -> None:
    """Keep the reply, to give it again."""
    await transaction.execute(
        update(tables.commands)
        .where(tables.commands.c.command_id == command_id)
        .values(outcome=outcome, reply=reply, answered_at=now)
    )


async def forget_before(transaction: AsyncConnection, moment: datetime) -> int:
    """Drop commands taken before ``moment``, which the log holds no more. Returns how many."""
    result = await transaction.execute(delete(tables.commands).where(tables.commands.c.taken_at < moment))
    return result.rowcount
