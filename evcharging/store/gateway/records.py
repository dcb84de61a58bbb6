"""What is kept of a station besides its transactions: lists, reservations, profiles, configuration, maintenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.store.gateway import tables
from evcharging.store.many import among, parts
from evcharging.store.upsert import upsert

__all__ = [
    "ACTIVE",
    "CANCELLED",
    "EXPIRED",
    "USED",
    "LocalListEntry",
    "active_reservations",
    "change_local_list",
    "install_profile",
    "list_reservations",
    "note_configuration",
    "note_data_transfer",
    "note_list_version",
    "note_maintenance",
    "note_rejected",
    "remove_profiles",
    "reserve",
    "settle_reservation",
    "use_reservation",
]

ACTIVE, USED, CANCELLED, EXPIRED = "Active", "Used", "Cancelled", "Expired"


@dataclass(frozen=True, slots=True)
class LocalListEntry:
    """One idTag of a local list; without a status it is taken off the list."""

    id_tag: str
    status: str | None
    expires_at: datetime | None = None
    parent_id_tag: str | None = None


async def reserve(
    transaction: AsyncConnection,
    *,
    cp_id: str,
    reservation_id: int,
    connector_id: int,
    id_tag: str,
    parent_id_tag: str | None,
    expires_at: datetime,
    now: datetime,
) -> None:
    """Enter a reservation that the station accepted; one of the same number is replaced (1.6, section 5.13)."""
    row = {
        "cp_id": cp_id,
        "reservation_id": reservation_id,
        "connector_id": connector_id,
        "id_tag": id_tag,
        "parent_id_tag": parent_id_tag,
        "expires_at": expires_at,
        "status": ACTIVE,
        "session_id": None,
        "created_at": now,
        "changed_at": now,
    }
    await upsert(transaction, tables.reservations, [row])


async def settle_reservation(
    transaction: AsyncConnection, cp_id: str, reservation_id: int, *, status: str, now: datetime
) -> None:
    """End an active reservation."""
    columns = tables.reservations.c
    await transaction.execute(
        update(tables.reservations)
        .where(columns.cp_id == cp_id, columns.reservation_id == reservation_id, columns.status == ACTIVE)
        .values(status=status, changed_at=now)
    )


async def active_reservations(transaction: AsyncConnection, cp_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Reservations that were not used or cancelled, by charge point, oldest first; some may be past their time."""
    columns = tables.reservations.c
    active: dict[str, list[dict[str, Any]]] = {}
    for part in parts(cp_ids):
        statement = select(tables.reservations).where(among(transaction, columns.cp_id, part), columns.status == ACTIVE)
        for found in (await transaction.execute(statement.order_by(columns.created_at))).mappings():
            active.setdefault(found["cp_id"], []).append(dict(found))
    return active


async def use_reservation(
    transaction: AsyncConnection, cp_id: str, reservation_id: int, *, session_id: str, now: datetime
) -> None:
    """Mark a reservation as used up by a session."""
    columns = tables.reservations.c
    await transaction.execute(
        update(tables.reservations)
        .where(columns.cp_id == cp_id, columns.reservation_id == reservation_id)
        .values(status=USED, session_id=session_id, changed_at=now)
    )


async def list_reservations(
    transaction: AsyncConnection, cp_id: str, *, now: datetime, limit: int = 100
) -> list[dict[str, Any]]:
    """A charge point's reservations, newest first; an active one that is past its time is told as expired."""
    columns = tables.reservations.c
    result = await transaction.execute(
        select(tables.reservations)
        .where(columns.cp_id == cp_id)
        .order_by(columns.created_at.desc(), columns.reservation_id.desc())
        .limit(limit)
    )
    rows = [dict(row) for row in result.mappings()]
    for row in rows:
        if row["status"] == ACTIVE and row["expires_at"] <= now:
            row["status"] = EXPIRED
    return rows


async def change_local_list(
    transaction: AsyncConnection,
    cp_id: str,
    *,
    version: int,
    entries: Sequence[LocalListEntry],
    replace: bool,
    now: datetime,
) -> None:
    """Note what a station's local list holds after an update that it accepted."""
    columns = tables.local_list_entries.c
    await upsert(transaction, tables.local_lists, [{"cp_id": cp_id, "sent_version": version, "changed_at": now}])
    mine = delete(tables.local_list_entries).where(columns.cp_id == cp_id)
    if replace:
        await transaction.execute(mine)
    else:
        for entry in entries:
            if entry.status is None:
                await transaction.execute(mine.where(columns.id_tag == entry.id_tag))
    kept = [
        {
            "cp_id": cp_id,
            "id_tag": entry.id_tag,
            "status": entry.status,
            "expires_at": entry.expires_at,
            "parent_id_tag": entry.parent_id_tag,
        }
        for entry in entries
        if entry.status is not None
    ]
    await upsert(transaction, tables.local_list_entries, kept)


async def note_list_version(transaction: AsyncConnection, cp_id: str, version: int, now: datetime) -> None:
    """Note which version of its local list a station says it has."""
    await upsert(transaction, tables.local_lists, [{"cp_id": cp_id, "reported_version": version, "changed_at": now}])


async def note_configuration(
    transaction: AsyncConnection, cp_id: str, keys: Sequence[Mapping[str, Any]], now: datetime
) -> None:
    """Note configuration keys as a station told or accepted them; all rows have the same columns."""
    await upsert(transaction, tables.configuration, [{"cp_id": cp_id, "seen_at": now, **row} for row in keys])


async def configured(transaction: AsyncConnection, cp_id: str, key: str) -> str | None:
    """What a station last said that a configuration key is; None where it never did."""
    columns = tables.configuration.c
    result = await transaction.execute(select(columns.value).where(columns.cp_id == cp_id, columns.key == key))
    value: str | None = result.scalar()
    return value


async def note_maintenance(
    transaction: AsyncConnection, cp_id: str, kind: str, *, status: str, now: datetime, **known: Any
) -> None:
    """Note how a firmware update or an upload of diagnostics stands."""
    row = {"cp_id": cp_id, "kind": kind, "status": status, "changed_at": now, **known}
    await upsert(transaction, tables.maintenance, [row])


async def install_profile(
    transaction: AsyncConnection,
    *,
    cp_id: str,
    profile_id: int,
    connector_id: int,
    stack_level: int,
    purpose: str,
    transaction_id: str | None,
    profile: Mapping[str, Any],
    now: datetime,
) -> None:
    """Note a charging profile that a station installed.

    It takes the place of one with the same number, or with the same purpose and stack level on the same connector
    (1.6, section 5.16.3).
    """
    columns = tables.charging_profiles.c
    await transaction.execute(
        delete(tables.charging_profiles).where(
            columns.cp_id == cp_id,
            columns.connector_id == connector_id,
            columns.purpose == purpose,
            columns.stack_level == stack_level,
        )
    )
    row = {
        "cp_id": cp_id,
        "profile_id": profile_id,
        "connector_id": connector_id,
        "stack_level": stack_level,
        "purpose": purpose,
        "transaction_id": transaction_id,
        "profile": dict(profile),
        "installed_at": now,
    }
    await upsert(transaction, tables.charging_profiles, [row])


async def remove_profiles(
    transaction: AsyncConnection,
    cp_id: str,
    *,
    profile_id: int | None = None,
    connector_id: int | None = None,
    purpose: str | None = None,
    stack_level: int | None = None,
    transaction_id: str | None = None,
) -> None:
    """Note that a station removed the profiles that match all that is given; nothing given matches every one."""
    asked = {
        "profile_id": profile_id,
        "connector_id": connector_id,
        "purpose": purpose,
        "stack_level": stack_level,
        "transaction_id": transaction_id,
    }
    statement = delete(tables.charging_profiles).where(tables.charging_profiles.c.cp_id == cp_id)
    for name, value in asked.items():
        if value is not None:
            statement = statement.where(tables.charging_profiles.c[name] == value)
    await transaction.execute(statement)


async def note_data_transfer(transaction: AsyncConnection, **values: Any) -> None:
    """Keep a data transfer in either direction."""
    await transaction.execute(insert(tables.data_transfers).values(**values))


async def note_rejected(transaction: AsyncConnection, **values: Any) -> None:
    """Keep a transaction message that broke its schema."""
    await transaction.execute(insert(tables.rejected_messages).values(**values))
