"""What each simulated station is meant to be doing, within a transaction of Central's database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.store.many import parts
from evcharging.store.simulator.tables import swarm_stations
from evcharging.store.upsert import upsert

__all__ = ["SwarmStationRow", "every_station", "running_ids", "save_stations", "stations"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SwarmStationRow:
    """A station that was started at some time. ``csms_url`` and ``ocpp_version``: None is its worker's own."""

    station_id: str
    running: bool
    profile: str
    csms_url: str | None
    ocpp_version: str | None = None
    changed_at: datetime


async def every_station(transaction: AsyncConnection) -> list[SwarmStationRow]:
    """All of them, by id."""
    result = await transaction.execute(select(swarm_stations).order_by(swarm_stations.c.station_id))
    return [SwarmStationRow(**row) for row in result.mappings()]


async def running_ids(transaction: AsyncConnection) -> set[str]:
    """Those that are meant to run."""
    statement = select(swarm_stations.c.station_id).where(swarm_stations.c.running.is_(True))
    return set((await transaction.execute(statement)).scalars())


async def stations(transaction: AsyncConnection, station_ids: Iterable[str]) -> dict[str, SwarmStationRow]:
    """The stations of those ids that were ever started."""
    found: dict[str, SwarmStationRow] = {}
    for part in parts(station_ids):
        result = await transaction.execute(select(swarm_stations).where(swarm_stations.c.station_id.in_(part)))
        found.update({row["station_id"]: SwarmStationRow(**row) for row in result.mappings()})
    return found


async def save_stations(transaction: AsyncConnection, rows: Sequence[SwarmStationRow]) -> None:
    """Insert or replace."""
    await upsert(transaction, swarm_stations, [asdict(row) for row in rows])
