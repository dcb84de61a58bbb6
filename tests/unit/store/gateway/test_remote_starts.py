"""Starts that wait for their transactions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from evcharging.store.database import Database
from evcharging.store.gateway import remote_starts as store
from evcharging.store.gateway.remote_starts import RemoteStartRow

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_start(number: int, **changes: Any) -> RemoteStartRow:
    fields: dict[str, Any] = {
        "remote_start_id": number,
        "command_id": f"c-{number}",
        "cp_id": "CP-1",
        "connector_id": 1,
        "id_tag": "TAG",
        "session_id": f"s-{number}",
        "driver_id": None,
        "target_wh": None,
        "created_at": NOW + timedelta(seconds=number),
        "expires_at": NOW + timedelta(hours=1),
    }
    return RemoteStartRow(**{**fields, **changes})


async def test_a_remote_start_waits_until_it_is_consumed(database: Database) -> None:
    async with database.begin() as transaction:
        assert await store.add_remote_start(transaction, a_start(1))
        assert not await store.add_remote_start(transaction, a_start(1, command_id="c-9"))
        assert not await store.add_remote_start(transaction, a_start(9, command_id="c-1"))
        assert await store.add_remote_start(transaction, a_start(2))
        waiting = await store.waiting_starts(transaction, ["CP-1", "CP-2"])
        assert waiting == {"CP-1": [a_start(1), a_start(2)]}
        await store.withdraw_remote_start(transaction, 2, stop_requested="driver_cancel", now=NOW)
        await store.consume_starts(transaction, [1], NOW)
        assert await store.find_remote_start(transaction, "s-1") is None
        found = await store.find_remote_start(transaction, "s-2")
        assert found is not None
        assert found.stop_requested == "driver_cancel"
        await store.withdraw_remote_start(transaction, 2, stop_requested=None, now=NOW)
        assert await store.waiting_starts(transaction, ["CP-1"]) == {}
