"""Starts that stations took and whose vehicles did not come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from evcharging.apps.ocpp_gateway.unused_starts import UnusedStarts
from evcharging.apps.ocpp_gateway.writes import Work
from evcharging.messages.charge_points import Status
from evcharging.store.gateway import commands, remote_starts, tables
from evcharging.store.gateway.remote_starts import RemoteStartRow
from tests.support.gateway_parts import NOW, Ground, ground


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Ground]:
    async with ground(tmp_path) as made:
        yield made


async def order(gateway: Ground, number: int = 1, *, answered: bool = True, **fields: Any) -> None:
    """A start that the station was asked for, and its answer."""
    row = {
        "remote_start_id": number,
        "command_id": f"command-{number}",
        "cp_id": "CP-1",
        "connector_id": 1,
        "id_tag": "TAG",
        "session_id": f"s-{number}",
        "driver_id": "alice",
        "target_wh": None,
        "created_at": NOW,
        "expires_at": NOW + timedelta(minutes=10),
        **fields,
    }

    async def effect(work: Work) -> None:
        made = RemoteStartRow(**row)
        await remote_starts.add_remote_start(work.transaction, made)
        await commands.take(
            work.transaction,
            command_id=made.command_id,
            cp_id=made.cp_id,
            action="START_SUPPLY",
            gateway=gateway.name,
            now=NOW,
        )
        if answered:
            await commands.answer(work.transaction, made.command_id, outcome="ACCEPTED", reply=b"{}", now=NOW)

    await gateway.writes.do(effect)


async def freed(gateway: Ground, connector_id: int = 1) -> list[tuple[str | None, str | None]]:
    """What is said once a connector is free, as sessions and reasons."""
    point, _ = gateway.station()
    UnusedStarts(gateway.writes, gateway.announcements).freed(point, connector_id)
    await gateway.stored()
    return [(status.session_id, status.reason) for status in gateway.messages(Status)]


async def used_up(gateway: Ground) -> bool:
    return (await gateway.rows(tables.remote_starts))[0]["consumed_at"] is not None


async def test_the_session_of_an_accepted_start_is_told_as_one_that_ended_without_an_interval(gateway: Ground) -> None:
    await order(gateway)
    assert await freed(gateway) == [("s-1", "start_timeout")]
    (status,) = gateway.messages(Status)
    assert (status.cp_id, status.connector_id, status.detail.last_seq) == ("CP-1", 1, 0)
    assert (status.detail.id_tag, status.detail.driver_id) == ("TAG", "alice")
    assert await used_up(gateway)


async def test_it_is_told_once(gateway: Ground) -> None:
    await order(gateway)
    await freed(gateway)
    assert len(await freed(gateway)) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"answered": False},
        {"connector_id": 2},
        {"connector_id": None},
        {"cp_id": "CP-2"},
        {"expires_at": NOW - timedelta(seconds=1)},
    ],
)
async def test_another_start_or_one_that_is_not_answered_yet_is_left_alone(
    gateway: Ground, fields: dict[str, Any]
) -> None:
    await order(gateway, **fields)
    assert await freed(gateway) == []
    assert not await used_up(gateway)


async def test_a_start_that_was_taken_back_ends_no_later_transaction_and_is_not_told_again(gateway: Ground) -> None:
    await order(gateway, stop_requested="driver_cancel")
    assert await freed(gateway) == []
    assert await used_up(gateway)


async def test_a_start_whose_transaction_has_begun_is_left_alone(gateway: Ground) -> None:
    await order(gateway, consumed_at=NOW)
    assert await freed(gateway) == []
