"""What is kept of a station besides its transactions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from evcharging.store.database import Database
from evcharging.store.gateway import records, tables
from evcharging.store.gateway.records import LocalListEntry

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def rows(transaction: Any, table: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in (await transaction.execute(table.select())).mappings()]


async def reserve(transaction: Any, number: int, *, minutes: int = 60, connector_id: int = 1) -> None:
    await records.reserve(
        transaction,
        cp_id="CP-1",
        reservation_id=number,
        connector_id=connector_id,
        id_tag="T",
        parent_id_tag=None,
        expires_at=NOW + timedelta(minutes=minutes),
        now=NOW,
    )


async def test_reservations_are_told_newest_first_and_expire_by_themselves(database: Database) -> None:
    async with database.begin() as transaction:
        await reserve(transaction, 1, minutes=-1)
        await reserve(transaction, 2)
        await reserve(transaction, 3)
        await records.settle_reservation(transaction, "CP-1", 3, status=records.CANCELLED, now=NOW)
        await records.use_reservation(transaction, "CP-1", 2, session_id="s-1", now=NOW)
        found = await records.list_reservations(transaction, "CP-1", now=NOW)
        assert await records.active_reservations(transaction, ["CP-1"]) != {}
    assert [(r["reservation_id"], r["status"]) for r in found] == [(3, "Cancelled"), (2, "Used"), (1, "Expired")]


async def test_a_reservation_of_the_same_number_takes_the_place_of_the_old_one(database: Database) -> None:
    async with database.begin() as transaction:
        await reserve(transaction, 1)
        await records.use_reservation(transaction, "CP-1", 1, session_id="s-1", now=NOW)
        await reserve(transaction, 1, connector_id=2)
        [found] = await rows(transaction, tables.reservations)
    assert (found["status"], found["connector_id"], found["session_id"]) == ("Active", 2, None)


async def test_a_full_local_list_replaces_and_a_differential_one_changes(database: Database) -> None:
    async def change(version: int, replace: bool, *entries: LocalListEntry) -> None:
        await records.change_local_list(transaction, "CP-1", version=version, entries=entries, replace=replace, now=NOW)

    async with database.begin() as transaction:
        await change(1, True, LocalListEntry("A", "Accepted"), LocalListEntry("B", "Blocked"))
        await change(
            2, False, LocalListEntry("A", None), LocalListEntry("B", "Accepted"), LocalListEntry("C", "Expired")
        )
        entries = {r["id_tag"]: r["status"] for r in await rows(transaction, tables.local_list_entries)}
        assert entries == {"B": "Accepted", "C": "Expired"}
        await records.note_list_version(transaction, "CP-1", 2, NOW)
        await change(3, True)
        assert await rows(transaction, tables.local_list_entries) == []
        [known] = await rows(transaction, tables.local_lists)
    assert (known["sent_version"], known["reported_version"]) == (3, 2)


async def install(transaction: Any, number: int, *, stack: int = 0, connector_id: int = 1) -> None:
    await records.install_profile(
        transaction,
        cp_id="CP-1",
        profile_id=number,
        connector_id=connector_id,
        stack_level=stack,
        purpose="TxDefaultProfile",
        transaction_id=None,
        profile={"chargingProfileId": number},
        now=NOW,
    )


async def test_a_profile_takes_the_place_of_its_like_and_is_removed_by_what_it_is(database: Database) -> None:
    async def numbers() -> set[int]:
        return {r["profile_id"] for r in await rows(transaction, tables.charging_profiles)}

    async with database.begin() as transaction:
        await install(transaction, 1)
        await install(transaction, 2)
        assert await numbers() == {2}
        await install(transaction, 3, stack=1)
        await install(transaction, 4, connector_id=2)
        assert await numbers() == {2, 3, 4}
        await records.remove_profiles(transaction, "CP-1", connector_id=1, stack_level=1)
        assert await numbers() == {2, 4}
        await records.remove_profiles(transaction, "CP-1", profile_id=4)
        assert await numbers() == {2}
        await records.remove_profiles(transaction, "CP-2")
        assert await numbers() == {2}
        await records.remove_profiles(transaction, "CP-1")
        assert await numbers() == set()


async def test_maintenance_keeps_what_was_asked_for_when_its_status_moves(database: Database) -> None:
    async with database.begin() as transaction:
        await records.note_maintenance(
            transaction, "CP-1", "firmware", status="Requested", now=NOW, location="http://h/f", requested_at=NOW
        )
        await records.note_maintenance(transaction, "CP-1", "firmware", status="Installed", now=NOW)
        [found] = await rows(transaction, tables.maintenance)
    assert (found["status"], found["location"]) == ("Installed", "http://h/f")
