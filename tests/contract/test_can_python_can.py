"""python-can's own client on our hub: it joins, hears and is heard, whatever the frames are like."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import can
import pytest
from can.interfaces.socketcand import SocketCanDaemonBus

from evcharging.can.bus import FrameReader
from evcharging.can.hub import CanHub

DEADLINE_S = 30.0
FRAME_PAUSE_S = 0.001
"""Twenty frames a millisecond: far more than a channel carries, and python-can's thread still gets its turn."""


def frame(can_id: int, data: bytes = b"", *, is_extended_id: bool = False) -> can.Message:
    return can.Message(arbitration_id=can_id, is_extended_id=is_extended_id, data=data)


def seen(message: can.Message | None) -> tuple[int, bool, bytes] | None:
    return message and (message.arbitration_id, message.is_extended_id, bytes(message.data))


@pytest.fixture
async def hub() -> AsyncIterator[tuple[CanHub, int]]:
    hub = CanHub()
    _, port = await hub.start(port=0)
    yield hub, port
    await hub.stop()


@pytest.fixture
async def tool(hub: tuple[CanHub, int]) -> AsyncIterator[can.BusABC]:
    """python-can's client, joined as its documentation says."""
    bus = await asyncio.to_thread(can.Bus, interface="socketcand", channel="CP-001", host="127.0.0.1", port=hub[1])
    assert isinstance(bus, SocketCanDaemonBus)
    yield bus
    bus.shutdown()


FRAMES = [
    (0x300, False, b"\x20\x00\x80\x0c"),
    (0x200, False, b""),
    (0x7FF, False, b"\x00" * 8),
    (0x1ABCDEF, True, b"\x01\x02"),
    (0x12, True, b""),
]


@pytest.mark.parametrize(("can_id", "is_extended", "data"), FRAMES)
async def test_python_can_hears_frames_of_every_kind(
    hub: tuple[CanHub, int], tool: can.BusABC, can_id: int, is_extended: bool, data: bytes
) -> None:
    hub[0].attach("CP-001").post(frame(can_id, data, is_extended_id=is_extended))
    assert seen(await asyncio.to_thread(tool.recv, DEADLINE_S)) == (can_id, is_extended, data)


@pytest.mark.parametrize(("can_id", "is_extended", "data"), FRAMES)
async def test_python_can_is_heard_with_frames_of_every_kind(
    hub: tuple[CanHub, int], tool: can.BusABC, can_id: int, is_extended: bool, data: bytes
) -> None:
    with FrameReader(hub[0].attach("CP-001")) as frames:
        await asyncio.to_thread(tool.send, frame(can_id, data, is_extended_id=is_extended))
        async with asyncio.timeout(DEADLINE_S):
            assert seen(await anext(frames)) == (can_id, is_extended, data)


async def test_python_can_joins_a_channel_on_which_frames_never_pause(hub: tuple[CanHub, int]) -> None:
    charger = hub[0].attach("CP-001")
    joined = asyncio.Event()

    async def talk() -> None:
        while not joined.is_set():
            for _ in range(20):
                charger.post(frame(0x300, b"\x01\x00\x64\x00"))
            await asyncio.sleep(FRAME_PAUSE_S)

    async with asyncio.TaskGroup() as tasks:
        talking = tasks.create_task(talk())
        for _ in range(5):
            bus = await asyncio.to_thread(SocketCanDaemonBus, "CP-001", "127.0.0.1", hub[1])
            assert seen(await asyncio.to_thread(bus.recv, DEADLINE_S)) == (0x300, False, b"\x01\x00\x64\x00")
            bus.shutdown()
        joined.set()
        await talking


async def test_python_can_survives_its_own_bad_frame(hub: tuple[CanHub, int], tool: can.BusABC) -> None:
    charger = hub[0].attach("CP-001")
    remote = can.Message(arbitration_id=0x200, is_extended_id=False, is_remote_frame=True, dlc=4)
    await asyncio.to_thread(tool.send, remote)
    answer = await asyncio.to_thread(tool.recv, DEADLINE_S)
    assert answer is not None
    assert answer.is_error_frame
    assert hub[0].stats.malformed == 1
    charger.post(frame(0x300, b"\x01\x00\x64\x00"))
    assert seen(await asyncio.to_thread(tool.recv, DEADLINE_S)) == (0x300, False, b"\x01\x00\x64\x00")


async def test_python_can_reads_with_its_notifier(hub: tuple[CanHub, int], tool: can.BusABC) -> None:
    charger = hub[0].attach("CP-001")
    reader = can.AsyncBufferedReader()
    notifier = can.Notifier(tool, [reader], timeout=0.1, loop=asyncio.get_running_loop())
    for number in range(50):
        charger.post(frame(0x300, bytes([number, 0, 0, 0])))
    async with asyncio.timeout(DEADLINE_S):
        got = [(await reader.get_message()).data[0] for _ in range(50)]
    await asyncio.to_thread(notifier.stop)
    assert got == list(range(50))
