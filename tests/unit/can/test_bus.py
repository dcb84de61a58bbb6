from __future__ import annotations

import asyncio
import threading

import pytest
from can import Message
from structlog.testing import capture_logs

from evcharging.can.bus import MAX_WAITING_FRAMES, CanUnsupported, FrameReader, Inbox, Listeners, check_sendable
from evcharging.can.hub import CanHub


def frame(can_id: int, data: bytes = b"") -> Message:
    return Message(arbitration_id=can_id, is_extended_id=False, data=data)


async def turn() -> None:
    """Let what was scheduled with call_soon run."""
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    "message",
    [frame(0), frame(0x7FF, bytes(8)), Message(arbitration_id=0x1FFFFFFF, is_extended_id=True)],
    ids=["lowest id", "longest data", "highest id"],
)
def test_a_classic_data_frame_can_be_sent(message: Message) -> None:
    check_sendable(message)


def test_a_refusal_says_what_is_wrong_with_the_frame() -> None:
    remote = Message(arbitration_id=0x200, is_extended_id=False, is_remote_frame=True)
    with pytest.raises(CanUnsupported, match="id 0x200: a remote frame, expected a classic data frame"):
        check_sendable(remote)
    with pytest.raises(CanUnsupported, match="9 bytes of data, expected at most 8"):
        check_sendable(frame(0x200, bytes(9)))
    with pytest.raises(CanUnsupported, match="id 0x800: expected 0 to 0x7ff"):
        check_sendable(frame(0x800))


def test_a_listener_that_fails_is_logged_with_its_channel() -> None:
    listeners = Listeners("CP-001")
    heard: list[int] = []

    def broken(message: Message) -> None:
        raise RuntimeError("this listener is broken")

    listeners.add(broken)
    listeners.add(lambda m: heard.append(m.arbitration_id))
    with capture_logs() as logs:
        listeners.deliver(frame(0x200))
    assert heard == [0x200]
    assert [(entry["channel"], entry["can_id"]) for entry in logs] == [("CP-001", 0x200)]


def test_a_listener_may_take_itself_away_while_it_is_called() -> None:
    listeners = Listeners("CP-001")
    heard: list[str] = []

    def once(message: Message) -> None:
        heard.append("once")
        remove()

    remove = listeners.add(once)
    listeners.add(lambda _: heard.append("always"))
    listeners.deliver(frame(0x200))
    listeners.deliver(frame(0x200))
    assert heard == ["once", "always", "always"]


async def test_an_inbox_keeps_order_and_what_comes_while_it_is_emptied() -> None:
    heard: list[int] = []

    def take(message: Message) -> None:
        heard.append(message.arbitration_id)
        if message.arbitration_id == 1:
            inbox.put(frame(3))

    inbox = Inbox(take, asyncio.get_running_loop())
    inbox.put(frame(1))
    inbox.put(frame(2))
    assert heard == []
    await turn()
    await turn()
    assert heard == [1, 2, 3]


async def test_an_inbox_is_bounded_and_counts_what_it_gives_up() -> None:
    heard: list[int] = []
    inbox = Inbox(lambda m: heard.append(m.arbitration_id), asyncio.get_running_loop())
    for _ in range(MAX_WAITING_FRAMES + 5):
        inbox.put(frame(1))
    await turn()
    assert (len(heard), inbox.dropped) == (MAX_WAITING_FRAMES, 5)


async def test_an_inbox_takes_frames_from_another_thread() -> None:
    arrived = asyncio.Event()
    on_thread: list[int] = []

    def take(message: Message) -> None:
        on_thread.append(threading.get_ident())
        arrived.set()

    inbox = Inbox(take, asyncio.get_running_loop())
    await asyncio.to_thread(inbox.put_from_thread, frame(1))
    async with asyncio.timeout(30):
        await arrived.wait()
    assert on_thread == [threading.get_ident()]


async def test_a_reader_hears_from_the_moment_it_is_entered_until_it_is_left() -> None:
    hub = CanHub()
    engine, charger = hub.attach("CP-001"), hub.attach("CP-001")
    engine.post(frame(1))
    await turn()
    with FrameReader(charger) as frames:
        engine.post(frame(2))
        async with asyncio.timeout(30):
            assert (await anext(frames)).arbitration_id == 2
    engine.post(frame(3))
    await turn()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await anext(frames)


async def test_a_slow_reader_loses_the_oldest_frames_and_counts_them() -> None:
    hub = CanHub()
    engine, charger = hub.attach("CP-001"), hub.attach("CP-001")
    with FrameReader(charger, max_waiting=2) as frames:
        for can_id in range(5):
            engine.post(frame(can_id))
        await turn()
        assert [(await anext(frames)).arbitration_id for _ in range(2)] == [3, 4]
        assert frames.lost == 3
