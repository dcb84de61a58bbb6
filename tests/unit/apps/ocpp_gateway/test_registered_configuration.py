"""Whose turn it is to be set what its registration has. What stations are asked is seen in the integration tests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from evcharging.apps.ocpp_gateway.boots import BootTerms
from evcharging.apps.ocpp_gateway.dialect_v16 import DialectV16
from evcharging.apps.ocpp_gateway.registered_configuration import STATIONS_AT_ONCE, RegisteredConfiguration
from evcharging.apps.ocpp_gateway.station_calls import StationCalls
from evcharging.ocpp.errors import ConnectionLost
from evcharging.ocpp.versions import OcppVersion
from evcharging.store.gateway import tables
from tests.support.gateway_parts import Ground, ground

DEADLINE_S = 30
PAUSE_S = 0.05
HEARTBEATS = {"HeartbeatInterval": "33"}


class Rig:
    """The part on the ground of a gateway; ``wanted`` is what registrations have."""

    def __init__(self, gateway: Ground) -> None:
        self.gateway = gateway
        self.wanted: dict[str, dict[str, str]] = {}
        self.part = RegisteredConfiguration(
            gateway.points,
            gateway.writes,
            StationCalls(timeout_s=1.0),
            dialects={OcppVersion.V16: DialectV16()},
            terms=lambda cp_id: BootTerms("Accepted", 300, self.wanted.get(cp_id)),
            pause_s=PAUSE_S,
        )

    async def answers(self, count: int) -> dict[tuple[str, str], str]:
        """What came of keys, once there are so many."""
        async with asyncio.timeout(DEADLINE_S):
            while len(rows := await self.gateway.rows(tables.registered_configuration)) < count:
                await asyncio.sleep(0.005)
        return {(row["cp_id"], row["key"]): row["answer"] for row in rows}

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.005)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with ground(tmp_path) as gateway:
        made = Rig(gateway)
        task = asyncio.create_task(made.part.run())
        await asyncio.sleep(0)
        yield made
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_of_a_storm_of_boots_so_many_stations_are_called_at_once_and_all_come_to_their_turn(rig: Rig) -> None:
    under_way, most = 0, 0
    number = 2 * STATIONS_AT_ONCE + 10

    async def answer(_payload: Any) -> dict[str, Any]:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return {"status": "Accepted"}

    for index in range(number):
        point, socket = rig.gateway.station(f"CP-{index}")
        socket.answer = answer
        rig.wanted[point.cp_id] = HEARTBEATS
        rig.part.booted(point)
        assert socket.called == []  # a boot is answered first
    assert set((await rig.answers(number)).values()) == {"Accepted"}
    assert 1 < most <= STATIONS_AT_ONCE


async def test_one_boot_makes_one_turn_however_often_it_is_told(rig: Rig) -> None:
    point, socket = rig.gateway.station()
    rig.wanted["CP-1"] = HEARTBEATS
    rig.part.resumed(point)
    rig.part.booted(point)
    rig.part.changed("CP-1")
    await rig.answers(1)
    assert [action for action, _ in socket.called] == ["ChangeConfiguration"]


async def test_a_station_that_boots_while_it_is_called_is_called_anew_after_that_boot(rig: Rig) -> None:
    point, socket = rig.gateway.station()
    booted_again = False

    async def answer(_payload: Any) -> dict[str, Any]:
        nonlocal booted_again
        if not booted_again:
            booted_again = True
            rig.part.booted(point)
        return {"status": "Accepted"}

    socket.answer = answer
    rig.wanted["CP-1"] = {**HEARTBEATS, "heartbeatinterval": "34"}
    rig.part.booted(point)
    await rig.answers(2)
    assert [payload["value"] for _, payload in socket.called] == ["33", "33", "34"]


async def test_what_a_boot_left_undone_is_done_at_the_stations_return(rig: Rig) -> None:
    point, socket = rig.gateway.station()
    rig.wanted["CP-1"] = HEARTBEATS
    rig.part.booted(point)
    assert await rig.answers(1) == {("CP-1", "HeartbeatInterval"): "Accepted"}
    socket.answer = ConnectionLost("gone")
    rig.part.booted(point)
    await rig.until(lambda: len(socket.called) == 2)
    socket.answer = {"status": "Accepted"}
    rig.part.resumed(point)
    await rig.until(lambda: len(socket.called) == 3)
    assert {action for action, _ in socket.called} == {"ChangeConfiguration"}


async def test_a_station_that_is_not_here_or_not_accepted_has_no_turn(rig: Rig) -> None:
    point, socket = rig.gateway.station()
    rig.gateway.station("CP-2")
    rig.wanted = {"CP-1": HEARTBEATS, "CP-2": HEARTBEATS}
    point.boot_status = "Pending"
    rig.part.changed("CP-1")
    rig.part.changed("CP-404")
    rig.part.changed("CP-2")
    told = await rig.answers(1)
    assert set(told) == {("CP-2", "HeartbeatInterval")}
    assert socket.called == []
