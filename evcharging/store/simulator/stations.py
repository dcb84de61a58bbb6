"""Registered OCPP stations and stored charging profiles, within a transaction. Knows passwords by their hashes only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.store.many import parts
from evcharging.store.simulator.tables import charge_points, charging_profiles, ocpp_stations
from evcharging.store.upsert import upsert

__all__ = [
    "ProfileRow",
    "StationRow",
    "add_profile",
    "change_profile",
    "delete_profile",
    "delete_station",
    "find_profile",
    "find_station",
    "find_stations",
    "forget_if_never_seen",
    "list_profiles",
    "list_stations",
    "save_station",
]

AMONG = select(ocpp_stations).where(ocpp_stations.c.cp_id.in_(bindparam("cp_ids", expanding=True)))


@dataclass(slots=True, kw_only=True)
class StationRow:
    """What a gateway has to know of a station before it connects."""

    cp_id: str
    security_profile: int
    boot_status: str
    created_at: datetime
    changed_at: datetime
    password_hash: str | None = field(default=None, repr=False)
    heartbeat_interval_s: int | None = None
    configuration: dict[str, str] | None = None


@dataclass(slots=True, kw_only=True)
class ProfileRow:
    """A charging profile kept to be sent; ``profile`` is the standard's ChargingProfile in that version."""

    profile_id: int
    description: str
    ocpp_version: str
    profile: dict[str, Any]
    created_at: datetime
    changed_at: datetime


async def find_station(transaction: AsyncConnection, cp_id: str) -> StationRow | None:
    """The registration of that station, if there is one."""
    return (await find_stations(transaction, [cp_id])).get(cp_id)


async def find_stations(transaction: AsyncConnection, cp_ids: Sequence[str]) -> dict[str, StationRow]:
    """The registrations of those stations, as far as there are any, by id."""
    found: dict[str, StationRow] = {}
    for part in parts(cp_ids):
        result = await transaction.execute(AMONG, {"cp_ids": part})
        found.update({row["cp_id"]: StationRow(**row) for row in result.mappings()})
    return found


async def list_stations(transaction: AsyncConnection, *, after: str | None = None, limit: int) -> Sequence[StationRow]:
    """Registrations by id, those after ``after``."""
    statement = select(ocpp_stations).order_by(ocpp_stations.c.cp_id).limit(limit)
    if after is not None:
        statement = statement.where(ocpp_stations.c.cp_id > after)
    return [StationRow(**row) for row in (await transaction.execute(statement)).mappings()]


async def save_station(transaction: AsyncConnection, row: StationRow) -> None:
    """Insert or replace."""
    await upsert(transaction, ocpp_stations, [asdict(row)])


async def delete_station(transaction: AsyncConnection, cp_id: str) -> None:
    """Take a registration out."""
    await transaction.execute(delete(ocpp_stations).where(ocpp_stations.c.cp_id == cp_id))


async def forget_if_never_seen(transaction: AsyncConnection, cp_id: str) -> bool:
    """Take out the charge point of a station that was only ever registered. False where there is more to it."""
    points = charge_points.c
    result = await transaction.execute(
        delete(charge_points)
        .where(points.cp_id == cp_id)
        .where(points.source == "ocpp")
        .where(points.last_seen_at.is_(None))
        .where(points.health_url.is_(None))
    )
    return result.rowcount > 0


async def find_profile(transaction: AsyncConnection, profile_id: int) -> ProfileRow | None:
    """The charging profile of that id, if there is one."""
    result = await transaction.execute(select(charging_profiles).where(charging_profiles.c.profile_id == profile_id))
    row = result.mappings().one_or_none()
    return None if row is None else ProfileRow(**row)


async def list_profiles(transaction: AsyncConnection, *, after: int | None = None, limit: int) -> Sequence[ProfileRow]:
    """Charging profiles by id, those after ``after``."""
    statement = select(charging_profiles).order_by(charging_profiles.c.profile_id).limit(limit)
    if after is not None:
        statement = statement.where(charging_profiles.c.profile_id > after)
    return [ProfileRow(**row) for row in (await transaction.execute(statement)).mappings()]


async def add_profile(
    transaction: AsyncConnection, *, description: str, ocpp_version: str, profile: dict[str, Any], now: datetime
) -> ProfileRow:
    """Keep a charging profile under a new id."""
    values = {
        "description": description,
        "ocpp_version": ocpp_version,
        "profile": profile,
        "created_at": now,
        "changed_at": now,
    }
    result = await transaction.execute(
        insert(charging_profiles).values(values).returning(charging_profiles.c.profile_id)
    )
    return ProfileRow(profile_id=result.scalar_one(), **values)  # type: ignore[arg-type]  # as the columns are


async def change_profile(transaction: AsyncConnection, row: ProfileRow) -> None:
    """Write a charging profile that is there."""
    values = asdict(row)
    of = values.pop("profile_id")
    await transaction.execute(update(charging_profiles).where(charging_profiles.c.profile_id == of).values(values))


async def delete_profile(transaction: AsyncConnection, profile_id: int) -> None:
    """Take a charging profile out."""
    await transaction.execute(delete(charging_profiles).where(charging_profiles.c.profile_id == profile_id))
