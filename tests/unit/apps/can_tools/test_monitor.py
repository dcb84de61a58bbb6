from __future__ import annotations

import asyncio

import pytest
from can import Message

from evcharging.apps.can_tools import monitor
from evcharging.apps.can_tools.monitor import follow
from evcharging.can.hub import CanHub
from evcharging.can.hub_channel import HubPort

DEADLINE_S = 30.0


def frame(can_id: int) -> Message:
    return Message(arbitration_id=can_id, is_extended_id=False)


class Screen:
    def __init__(self) -> None:
        self.shown: list[tuple[str, int]] = []
        self.warned: list[str] = []

    def show(self, message: Message) -> None:
        self.shown.append((message.channel, message.arbitration_id))


@pytest.fixture
async def ends() -> tuple[list[HubPort], list[HubPort]]:
    """Chargers' and monitor's ends of two channels."""
    hub = CanHub()
    names = ("CP-001", "CP-002")
    return [hub.attach(name) for name in names], [hub.attach(name) for name in names]


async def test_frames_of_all_channels_are_shown_in_their_order_until_there_are_enough(
    ends: tuple[list[HubPort], list[HubPort]],
) -> None:
    chargers, monitors = ends
    screen = Screen()
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(follow(monitors, show=screen.show, warn=screen.warned.append, most=3))
        await asyncio.sleep(0)
        for can_id in (1, 2):
            for charger in chargers:
                charger.post(frame(can_id))
    assert sorted(screen.shown) == [("CP-001", 1), ("CP-001", 2), ("CP-002", 1)]
    assert screen.warned == []


async def test_only_the_ids_that_were_asked_for_are_shown(ends: tuple[list[HubPort], list[HubPort]]) -> None:
    chargers, monitors = ends
    screen = Screen()
    ids = frozenset({0x301})
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(follow(monitors, show=screen.show, warn=screen.warned.append, ids=ids, most=1))
        await asyncio.sleep(0)
        chargers[0].post(frame(0x300))
        chargers[0].post(frame(0x301))
    assert screen.shown == [("CP-001", 0x301)]


async def test_a_channel_on_which_nothing_is_heard_is_named_once(
    ends: tuple[list[HubPort], list[HubPort]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "NOTHING_HEARD_S", 0.01)
    chargers, monitors = ends
    warned = asyncio.Event()
    screen = Screen()

    def warn(told: str) -> None:
        screen.warned.append(told)
        warned.set()

    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(follow(monitors, show=screen.show, warn=warn, most=1))
        await warned.wait()
        chargers[0].post(frame(0x300))
    assert screen.warned == ["nothing is heard on CP-001, CP-002; is a charger on it?"]


async def test_frames_that_come_faster_than_they_are_shown_are_counted(
    ends: tuple[list[HubPort], list[HubPort]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "MAX_WAITING", 3)
    chargers, monitors = ends
    screen = Screen()
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(follow(monitors, show=screen.show, warn=screen.warned.append, most=4))
        await asyncio.sleep(0)
        for can_id in range(5):
            chargers[0].post(frame(can_id))
        for _ in range(5):
            await asyncio.sleep(0)
        chargers[0].post(frame(9))
    assert [can_id for _, can_id in screen.shown] == [0, 1, 2, 9]
    assert screen.warned == ["2 frames were lost: showing is slower than the bus"]
