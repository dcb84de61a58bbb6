"""What is kept of one charge point besides transactions and reservations, as Central shows it. Never writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.store.gateway import tables

__all__ = ["MOST_DATA_TRANSFERS", "MOST_ENTRIES", "MOST_REJECTED", "Standing", "standing_of"]

MOST_ENTRIES: Final = 10_000
MOST_REJECTED: Final = 50
MOST_DATA_TRANSFERS: Final = 50

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """A charge point as it has told of itself and as it was set; rows have the names of the tables' columns.

    Rejected messages and data transfers are the newest of them, newest first.
    """

    boot: Row | None
    connectors: Sequence[Row]
    configuration: Sequence[Row]
    registered_configuration: Sequence[Row]
    charging_profiles: Sequence[Row]
    local_list: Row | None
    local_list_entries: Sequence[Row]
    maintenance: Mapping[str, Row]
    """By kind: ``firmware``, ``diagnostics``."""
    rejected_messages: Sequence[Row]
    data_transfers: Sequence[Row]

    @property
    def known(self) -> bool:
        """Whether anything was ever heard of it."""
        return any((self.boot, self.connectors, self.configuration, self.charging_profiles, self.local_list)) or any(
            (self.maintenance, self.rejected_messages, self.data_transfers, self.registered_configuration)
        )


async def standing_of(reading: AsyncConnection, cp_id: str) -> Standing:
    """What is kept of a charge point; of one that never was here, nothing."""

    async def rows(table: Table, *order: Any, limit: int | None = None) -> list[Row]:
        statement = select(table).where(table.c.cp_id == cp_id).order_by(*order).limit(limit)
        return [dict(row) for row in (await reading.execute(statement)).mappings()]

    boots = await rows(tables.boots)
    lists = await rows(tables.local_lists)
    profiles, rejected, transfers = tables.charging_profiles.c, tables.rejected_messages.c, tables.data_transfers.c
    return Standing(
        boot=boots[0] if boots else None,
        connectors=await rows(tables.connectors, tables.connectors.c.connector_id),
        configuration=await rows(tables.configuration, tables.configuration.c.key),
        registered_configuration=await rows(tables.registered_configuration, tables.registered_configuration.c.key),
        charging_profiles=await rows(tables.charging_profiles, profiles.connector_id, profiles.profile_id),
        local_list=lists[0] if lists else None,
        local_list_entries=await rows(
            tables.local_list_entries, tables.local_list_entries.c.id_tag, limit=MOST_ENTRIES
        ),
        maintenance={row["kind"]: row for row in await rows(tables.maintenance)},
        rejected_messages=await rows(tables.rejected_messages, rejected.rejected_id.desc(), limit=MOST_REJECTED),
        data_transfers=await rows(tables.data_transfers, transfers.transfer_id.desc(), limit=MOST_DATA_TRANSFERS),
    )
