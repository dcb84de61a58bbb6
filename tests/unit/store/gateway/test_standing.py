"""All that is kept of one charge point besides transactions and reservations."""

from __future__ import annotations

from datetime import UTC, datetime

from evcharging.store.database import Database
from evcharging.store.gateway import records
from evcharging.store.gateway.records import LocalListEntry
from evcharging.store.gateway.standing import MOST_REJECTED, standing_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_of_a_charge_point_that_never_was_here_nothing_is_known(database: Database) -> None:
    async with database.read() as reading:
        assert not (await standing_of(reading, "CP-1")).known


async def test_what_is_kept_of_one_charge_point_is_told_of_that_one_alone(database: Database) -> None:
    key = {"key": "HeartbeatInterval", "value": "60", "readonly": False, "reboot_required": False}
    async with database.begin() as transaction:
        for cp_id in ("CP-1", "CP-2"):
            await records.note_configuration(transaction, cp_id, [key], NOW)
            await records.note_maintenance(transaction, cp_id, "firmware", status="Installed", now=NOW)
            await records.change_local_list(
                transaction, cp_id, version=3, entries=[LocalListEntry("ABC", "Accepted")], replace=True, now=NOW
            )
        found = await standing_of(transaction, "CP-1")
    assert found.known
    assert [(row["cp_id"], row["key"], row["value"]) for row in found.configuration] == [
        ("CP-1", "HeartbeatInterval", "60")
    ]
    assert {kind: row["status"] for kind, row in found.maintenance.items()} == {"firmware": "Installed"}
    assert found.local_list is not None
    assert (found.local_list["sent_version"], [row["id_tag"] for row in found.local_list_entries]) == (3, ["ABC"])


async def test_of_rejected_messages_the_newest_are_told_first_and_only_so_many(database: Database) -> None:
    async with database.begin() as transaction:
        for number in range(MOST_REJECTED + 1):
            await records.note_rejected(
                transaction, cp_id="CP-1", action="StopTransaction", payload={"n": number}, error="x", at=NOW
            )
        found = await standing_of(transaction, "CP-1")
    assert [row["payload"]["n"] for row in found.rejected_messages] == list(range(MOST_REJECTED, 0, -1))
