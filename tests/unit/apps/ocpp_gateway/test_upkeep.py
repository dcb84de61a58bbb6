"""What stations tell besides charging is kept, also where nobody here understands it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from evcharging.apps.ocpp_gateway.upkeep import LONGEST_ERROR, Upkeep
from evcharging.store.gateway import tables
from tests.support.gateway_parts import NOW, Ground, ground


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Ground]:
    async with ground(tmp_path) as made:
        yield made


async def test_the_last_step_of_each_kind_of_maintenance_is_kept(gateway: Ground) -> None:
    upkeep = Upkeep(gateway.writes)
    upkeep.maintenance("CP-1", "firmware", "Downloading")
    upkeep.maintenance("CP-1", "firmware", "Installed")
    upkeep.maintenance("CP-1", "diagnostics", "Uploaded")
    await gateway.stored()
    kept = {row["kind"]: row["status"] for row in await gateway.rows(tables.maintenance)}
    assert kept == {"firmware": "Installed", "diagnostics": "Uploaded"}


@pytest.mark.parametrize(
    ("vendor_id", "data", "status", "kept"),
    [
        ("ours", "plain", "Accepted", "plain"),
        ("ours", {"a": [1]}, "Accepted", '{"a": [1]}'),
        ("theirs", None, "UnknownVendorId", None),
    ],
)
async def test_a_data_transfer_is_answered_by_its_vendor_and_kept_whoever_that_is(
    gateway: Ground, vendor_id: str, data: Any, status: str, kept: str | None
) -> None:
    upkeep = Upkeep(gateway.writes, known_vendors=["ours"])
    assert upkeep.data_transfer("CP-1", vendor_id=vendor_id, message_id="m", data=data) == status
    await gateway.stored()
    (row,) = await gateway.rows(tables.data_transfers)
    assert (row["direction"], row["vendor_id"], row["message_id"]) == ("in", vendor_id, "m")
    assert (row["data"], row["status"], row["at"]) == (kept, status, NOW)


async def test_a_message_that_was_refused_is_kept_as_it_came_and_the_error_within_bounds(gateway: Ground) -> None:
    payload = {"transactionId": 7, "meterStop": "many"}
    Upkeep(gateway.writes).rejected("CP-1", "StopTransaction", payload, "x" * 10_000)
    await gateway.stored()
    (row,) = await gateway.rows(tables.rejected_messages)
    assert (row["cp_id"], row["action"], row["payload"]) == ("CP-1", "StopTransaction", payload)
    assert len(row["error"]) == LONGEST_ERROR


async def test_nothing_waits_for_a_database_that_is_away_and_nothing_is_lost(gateway: Ground) -> None:
    upkeep = Upkeep(gateway.writes)
    async with gateway.database.outage():
        upkeep.maintenance("CP-1", "firmware", "Installing")
        assert upkeep.data_transfer("CP-1", vendor_id="x", message_id=None, data=None) == "UnknownVendorId"
    await gateway.stored()
    assert len(await gateway.rows(tables.maintenance)) == len(await gateway.rows(tables.data_transfers)) == 1
