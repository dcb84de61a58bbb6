from __future__ import annotations

import asyncio

import pytest
from can import Message

from evcharging.can import socketcand as wire
from evcharging.can.hub_channel import HubChannel, HubPort, HubStats


class Texts:
    """A member that keeps what it is given."""

    def __init__(self) -> None:
        self.got: list[bytes] = []

    def write_frame(self, text: bytes) -> None:
        self.got.append(text)


@pytest.fixture
def stats() -> HubStats:
    return HubStats()


@pytest.fixture
def emptied() -> list[str]:
    return []


@pytest.fixture
def channel(stats: HubStats, emptied: list[str]) -> HubChannel:
    return HubChannel("CP-001", stats=stats, clock=lambda: 12.5, on_empty=emptied.append)


def test_every_member_but_the_sender_gets_the_frame_with_the_hubs_time(channel: HubChannel, stats: HubStats) -> None:
    members = [Texts(), Texts(), Texts()]
    for member in members:
        channel.add_connection(member)
    channel.relay(wire.WireFrame(0x200, b""), members[0])
    assert [member.got for member in members] == [[], [b"< frame 200 12.500000  >"], [b"< frame 200 12.500000  >"]]
    assert stats.frames == 1


async def test_ports_and_connections_hear_each_other(channel: HubChannel) -> None:
    texts, port = Texts(), HubPort(channel)
    channel.add_connection(texts)
    heard: list[Message] = []
    port.add_listener(heard.append)
    port.post(Message(arbitration_id=0x300, is_extended_id=False, data=b"\x01"))
    channel.relay(wire.WireFrame(0x200, b"\x02"), texts)
    await asyncio.sleep(0)
    assert texts.got == [b"< frame 300 12.500000 01 >"]
    assert [(m.arbitration_id, bytes(m.data), m.timestamp, m.channel) for m in heard] == [
        (0x200, b"\x02", 12.5, "CP-001")
    ]


async def test_the_last_to_leave_is_told_of(channel: HubChannel, emptied: list[str]) -> None:
    texts, port = Texts(), HubPort(channel)
    channel.add_connection(texts)
    channel.remove(texts)
    assert emptied == []
    await port.close()
    assert emptied == ["CP-001"]


async def test_a_member_that_left_gets_nothing_more(channel: HubChannel) -> None:
    gone, stays = Texts(), Texts()
    channel.add_connection(gone)
    channel.add_connection(stays)
    channel.remove(gone)
    channel.relay(wire.WireFrame(0x200, b""), None)
    assert (gone.got, len(stays.got)) == ([], 1)
