"""What the keys in a station's terminal do, to a real station on a loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from evcharging.apps.station.keys import StationKeys
from tests.support.station_world import VEHICLE, World, living


class Hands:
    def __init__(self, world: World) -> None:
        self.said: list[str] = []
        self.shown = 0
        self.ended = False
        self.tasks: list[asyncio.Task[None]] = []
        self.keys = StationKeys(
            world.station,
            connectors=2,
            id_tag="TAG",
            vehicle=VEHICLE,
            spawn=self._spawn,
            say=self.said.append,
            show=self._show,
            end=self._end,
        )

    def _spawn(self, work):
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.append(task)
        return task

    def _show(self) -> None:
        self.shown += 1

    def _end(self) -> None:
        self.ended = True


@contextlib.asynccontextmanager
async def at_the_keys() -> AsyncIterator[tuple[World, Hands]]:
    async with living(connectors=2) as world:
        hands = Hands(world)
        yield world, hands
        await asyncio.gather(*hands.tasks)


async def press(world: World, hands: Hands, keys: str) -> None:
    for key in keys:
        hands.keys.press(key)
        await world.settle()


async def test_a_session_can_be_had_by_hand() -> None:
    async with at_the_keys() as (world, hands):
        await press(world, hands, "pt")
        assert world.csms.statuses()[-1] == "Charging"
        await press(world, hands, "u")
        assert world.csms.statuses()[-1] == "Available"
        assert hands.said == []


async def test_numbers_choose_the_connector() -> None:
    async with at_the_keys() as (world, hands):
        await press(world, hands, "2p")
        assert (world.csms.statuses(1)[-1], world.csms.statuses(2)[-1]) == ("Available", "Preparing")
        await press(world, hands, "9")
        assert hands.keys.chosen == 2
        assert hands.said == ["the keys act on connector 2"]


async def test_faults_come_and_go() -> None:
    async with at_the_keys() as (world, hands):
        await press(world, hands, "f")
        assert world.csms.statuses()[-1] == "Faulted"
        await press(world, hands, "c")
        assert world.csms.statuses()[-1] == "Available"
        await press(world, hands, "ec")
        assert world.csms.statuses()[-2:] == ["Faulted", "Available"]


async def test_what_cannot_be_done_is_said() -> None:
    async with at_the_keys() as (world, hands):
        await press(world, hands, "pp")
        assert hands.said[0].startswith("not done: ")
        world.csms.answers["Authorize"] = {"idTagInfo": {"status": "Blocked"}}
        await press(world, hands, "t")
        assert hands.said[-1] == "the card TAG was not accepted at connector 1"


async def test_the_rest_shows_drops_and_ends() -> None:
    async with at_the_keys() as (world, hands):
        await press(world, hands, "sx?d")
        assert hands.shown == 1
        assert world.ear.connections[-1] == "down"
        hands.keys.press("q")
        assert hands.ended
