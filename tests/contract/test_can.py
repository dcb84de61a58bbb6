"""What every CAN adapter keeps: frames in order to everybody else on the channel, bounded, with typed refusals."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from can import Message

from evcharging.can.bus import CanBus, CanClosed, CanUnsupported, FrameReader
from evcharging.can.connect import open_can
from evcharging.can.hub import CanHub

DEADLINE_S = 30.0
OpenBus = Callable[[str], Awaitable[CanBus]]


def frame(can_id: int, data: bytes = b"") -> Message:
    return Message(arbitration_id=can_id, is_extended_id=False, data=data)


async def take(frames: FrameReader, count: int) -> list[tuple[int, bytes]]:
    async with asyncio.timeout(DEADLINE_S):
        return [(m.arbitration_id, bytes(m.data)) for m in [await anext(frames) for _ in range(count)]]


@pytest.fixture(params=["virtual", "hub", "hub port", "udp_multicast"])
async def open_bus(request: pytest.FixtureRequest) -> AsyncIterator[OpenBus]:
    """Opens a channel of the adapter under test; all of them are closed at the end."""
    async with contextlib.AsyncExitStack() as stack:
        hub = CanHub()
        stack.push_async_callback(hub.stop)
        address = request.param
        if address == "hub":
            _, port = await hub.start(port=0)
            address = f"hub://127.0.0.1:{port}"
        elif address == "udp_multicast":
            address = f"udp_multicast:239.74.163.2:{multicast_port()}"
        ports = itertools.count()

        async def opened(channel: str) -> CanBus:
            if address == "hub port":
                bus: CanBus = hub.attach(channel)
            elif address.startswith("udp_multicast") and channel != "CP-001":
                pytest.skip("a multicast address carries one channel")
            else:
                bus = open_can(address, channel)
            stack.push_async_callback(bus.close)
            await bus.wait_connected(DEADLINE_S)
            next(ports)
            return bus

        yield opened


def multicast_port() -> int:
    """A port on which a multicast datagram comes back to this machine, or skip."""
    pytest.importorskip("msgpack")
    port = random.randint(20_000, 60_000)
    group = "239.74.163.2"
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
    ):
        try:
            receiver.bind(("", port))
            membership = socket.inet_aton(group) + socket.inet_aton("0.0.0.0")  # noqa: S104 - a group, not a service
            receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
            receiver.settimeout(1.0)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
            sender.sendto(b"", (group, port))
            receiver.recv(1)
        except (TimeoutError, OSError) as error:
            reason = errno.errorcode.get(error.errno or 0, str(error)) if isinstance(error, OSError) else "no answer"
            pytest.skip(f"no multicast route on this machine: {reason}")
    return port


async def test_a_frame_reaches_everybody_else_on_the_channel(open_bus: OpenBus) -> None:
    engine, charger, tool = [await open_bus("CP-001") for _ in range(3)]
    with FrameReader(charger) as at_charger, FrameReader(tool) as at_tool:
        await engine.send(frame(0x210, b"\x20\x00"))
        assert await take(at_charger, 1) == [(0x210, b"\x20\x00")]
        assert await take(at_tool, 1) == [(0x210, b"\x20\x00")]


async def test_a_sender_does_not_hear_itself(open_bus: OpenBus) -> None:
    engine, charger = await open_bus("CP-001"), await open_bus("CP-001")
    with FrameReader(engine) as at_engine, FrameReader(charger) as at_charger:
        await engine.send(frame(0x200))
        await take(at_charger, 1)
        await charger.send(frame(0x301, b"\x02\x00\x01\xd9"))
        assert await take(at_engine, 1) == [(0x301, b"\x02\x00\x01\xd9")]


async def test_equal_frames_of_two_senders_reach_each_other(open_bus: OpenBus) -> None:
    one, other = await open_bus("CP-001"), await open_bus("CP-001")
    with FrameReader(one) as at_one, FrameReader(other) as at_other:
        await one.send(frame(0x200))
        await other.send(frame(0x200))
        assert await take(at_one, 1) == await take(at_other, 1) == [(0x200, b"")]


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff" * 8])
async def test_data_of_every_length_arrives_as_sent(open_bus: OpenBus, data: bytes) -> None:
    engine, charger = await open_bus("CP-001"), await open_bus("CP-001")
    with FrameReader(charger) as at_charger:
        await engine.send(frame(0x200, data))
        assert await take(at_charger, 1) == [(0x200, data)]


async def test_an_extended_id_stays_extended(open_bus: OpenBus) -> None:
    engine, charger = await open_bus("CP-001"), await open_bus("CP-001")
    with FrameReader(charger) as at_charger:
        await engine.send(Message(arbitration_id=0x123, is_extended_id=True, data=b"\x01"))
        async with asyncio.timeout(DEADLINE_S):
            message = await anext(at_charger)
    assert (message.arbitration_id, message.is_extended_id) == (0x123, True)


async def test_frames_arrive_in_the_order_they_were_sent(open_bus: OpenBus) -> None:
    engine, charger = await open_bus("CP-001"), await open_bus("CP-001")
    sent = [(0x300 + number % 3, number.to_bytes(2, "little")) for number in range(500)]
    with FrameReader(charger) as at_charger:
        for can_id, data in sent:
            await engine.send(frame(can_id, data))
            await asyncio.sleep(0)
        assert await take(at_charger, len(sent)) == sent


async def test_an_answer_never_overtakes_what_it_answers(open_bus: OpenBus) -> None:
    engine, charger, tool = [await open_bus("CP-001") for _ in range(3)]
    charger.add_listener(lambda m: charger.post(frame(0x301, bytes(m.data))) if m.arbitration_id == 0x210 else None)
    with FrameReader(tool) as at_tool:
        for number in range(20):
            engine.post(frame(0x210, bytes([number, 0])))
        seen = await take(at_tool, 40)
    for number in range(20):
        assert seen.index((0x210, bytes([number, 0]))) < seen.index((0x301, bytes([number, 0])))


async def test_channels_do_not_hear_each_other(open_bus: OpenBus) -> None:
    first, first_charger = await open_bus("CP-001"), await open_bus("CP-001")
    second, second_charger = await open_bus("CP-002"), await open_bus("CP-002")
    with FrameReader(first_charger) as at_first, FrameReader(second_charger) as at_second:
        await first.send(frame(0x200))
        await second.send(frame(0x201))
        assert await take(at_first, 1) == [(0x200, b"")]
        assert await take(at_second, 1) == [(0x201, b"")]


async def test_a_listener_that_fails_does_not_keep_frames_from_the_others(open_bus: OpenBus) -> None:
    engine, charger = await open_bus("CP-001"), await open_bus("CP-001")

    def broken(message: Message) -> None:
        raise RuntimeError("this listener is broken")

    charger.add_listener(broken)
    with FrameReader(charger) as at_charger:
        await engine.send(frame(0x200))
        assert await take(at_charger, 1) == [(0x200, b"")]


async def test_a_listener_that_was_taken_away_hears_no_more(open_bus: OpenBus) -> None:
    engine, charger = await open_bus("CP-001"), await open_bus("CP-001")
    heard: list[int] = []
    remove = charger.add_listener(lambda m: heard.append(m.arbitration_id))
    with FrameReader(charger) as at_charger:
        await engine.send(frame(0x200))
        await take(at_charger, 1)
        remove()
        await engine.send(frame(0x201))
        await take(at_charger, 1)
    assert heard == [0x200]


@pytest.mark.parametrize(
    "message",
    [
        Message(arbitration_id=0x200, is_extended_id=False, is_remote_frame=True),
        Message(arbitration_id=0x200, is_extended_id=False, is_error_frame=True),
        Message(arbitration_id=0x200, is_extended_id=False, is_fd=True, data=b"\x00" * 12),
        Message(arbitration_id=0x200, is_extended_id=False, data=b"\x00" * 9),
        Message(arbitration_id=0x800, is_extended_id=False),
    ],
    ids=["remote", "error", "CAN FD", "nine bytes", "id of twelve bits"],
)
async def test_what_a_classic_channel_cannot_carry_is_refused(open_bus: OpenBus, message: Message) -> None:
    engine = await open_bus("CP-001")
    with pytest.raises(CanUnsupported):
        engine.post(message)
    with pytest.raises(CanUnsupported):
        await engine.send(message)


async def test_a_closed_bus_says_so(open_bus: OpenBus) -> None:
    engine = await open_bus("CP-001")
    assert engine.connected
    await engine.close()
    await engine.close()
    assert not engine.connected
    with pytest.raises(CanClosed):
        engine.post(frame(0x200))
    with pytest.raises(CanClosed):
        await engine.send(frame(0x200))
    with pytest.raises(CanClosed):
        await engine.wait_connected(1.0)


async def test_a_frame_posted_before_closing_still_goes_out(open_bus: OpenBus) -> None:
    engine, charger = await open_bus("CP-001"), await open_bus("CP-001")
    with FrameReader(charger) as at_charger:
        engine.post(frame(0x201))
        await engine.close()
        assert await take(at_charger, 1) == [(0x201, b"")]
