from __future__ import annotations

import asyncio
import threading

import can

from evcharging.can.bus import FrameReader
from evcharging.can.virtual import VirtualCan

DEADLINE_S = 30.0


def frame(can_id: int) -> can.Message:
    return can.Message(arbitration_id=can_id, is_extended_id=False)


async def test_python_cans_own_bus_is_on_the_same_channel() -> None:
    ours = VirtualCan("CP-001")
    with can.Bus(interface="virtual", channel="CP-001") as theirs, FrameReader(ours) as frames:
        ours.post(frame(0x200))
        heard = await asyncio.to_thread(theirs.recv, DEADLINE_S)
        await asyncio.to_thread(theirs.send, frame(0x300))
        async with asyncio.timeout(DEADLINE_S):
            answered = await anext(frames)
    await ours.close()
    assert heard is not None
    assert (heard.arbitration_id, answered.arbitration_id) == (0x200, 0x300)


async def test_a_closed_bus_leaves_its_channel() -> None:
    one, other = VirtualCan("CP-001"), VirtualCan("CP-001")
    await other.close()
    one.post(frame(0x200))
    await one.close()
    assert can.interfaces.virtual.channels == {}


async def test_hundreds_of_channels_need_no_thread() -> None:
    before = threading.active_count()
    buses = [VirtualCan(f"CP-{number:03}") for number in range(300)]
    assert threading.active_count() == before
    for bus in buses:
        await bus.close()
