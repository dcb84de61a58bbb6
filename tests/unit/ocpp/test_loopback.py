import asyncio
from typing import Any

import pytest

from evcharging.ocpp.errors import ConnectionLost
from evcharging.ocpp.loopback import LoopbackNetwork, LoopbackRefused, LoopbackSocket, Opening


class Far:
    def __init__(self) -> None:
        self.socket: LoopbackSocket | None = None
        self.texts: list[bytes] = []
        self.ends: list[str] = []

    def accept(self, opening: Opening, socket: LoopbackSocket) -> str | None:
        self.socket = socket
        socket.on_text = self.texts.append
        socket.on_closed = self.ends.append
        return opening.subprotocols[0]


async def dial(network: LoopbackNetwork, texts: list[bytes], ends: list[str]) -> Any:
    return await network.dial(
        "ws://far/x",
        subprotocols=["ocpp1.6"],
        headers={},
        ssl_context=None,
        source_address=None,
        on_text=texts.append,
        on_closed=ends.append,
        max_frame_bytes=1000,
        open_timeout_s=1.0,
    )


async def test_texts_arrive_in_order_in_a_later_turn():
    far, texts, ends = Far(), [], []
    near = await dial(LoopbackNetwork(far), texts, ends)
    near.send(b"1")
    near.send(b"2")
    assert far.texts == []
    await asyncio.sleep(0)
    assert far.texts == [b"1", b"2"]
    far.socket.send(b"3")
    await asyncio.sleep(0)
    assert texts == [b"3"]
    assert near.subprotocol == "ocpp1.6"


async def test_the_end_is_told_to_both_sides_once_and_nothing_passes_after_it():
    far, texts, ends = Far(), [], []
    near = await dial(LoopbackNetwork(far), texts, ends)
    near.send(b"on its way")
    await near.close(1001)
    near.abort()
    await asyncio.sleep(0)
    assert ends == far.ends == ["closed with 1001"]
    assert far.texts == []
    with pytest.raises(ConnectionLost):
        near.send(b"late")


async def test_a_network_that_is_down_is_refused_and_a_cut_drops_what_stands():
    network, ends = LoopbackNetwork(Far()), []
    await dial(network, [], ends)
    network.cut()
    await asyncio.sleep(0)
    assert ends == ["dropped"]
    network.up = False
    with pytest.raises(LoopbackRefused):
        await dial(network, [], [])
