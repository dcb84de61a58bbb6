"""Python-can's interfaces behind our bus, driven by a small interface of the tests' own with a real descriptor."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

import can
import pytest
from structlog.testing import capture_logs

from evcharging.can import interface as interface_module
from evcharging.can.bus import CanDisconnected, CanUnavailable, FrameReader
from evcharging.can.interface import InterfaceCan

DEADLINE_S = 30.0


class PipeBus(can.BusABC):
    """A python-can interface over a socket pair: what a test puts into ``results`` is what reading gives."""

    opened: ClassVar[deque[PipeBus]] = deque(maxlen=1)

    def __init__(self, channel: str, **kwargs: Any) -> None:
        super().__init__(channel=channel, **kwargs)
        self.results: deque[can.Message | Exception] = deque()
        self.send_error: Exception | None = None
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        PipeBus.opened.append(self)

    def give(self, *results: can.Message | Exception) -> None:
        self.results.extend(results)
        self._far.send(b"x" * len(results))

    def _recv_internal(self, timeout: float | None) -> tuple[can.Message | None, bool]:
        if not self.results:
            return None, False
        self._near.recv(1)
        result = self.results.popleft()
        if isinstance(result, Exception):
            raise result
        return result, False

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        if self.send_error is not None:
            raise self.send_error

    def fileno(self) -> int:
        return self._near.fileno()

    def shutdown(self) -> None:
        super().shutdown()
        self._near.close()
        self._far.close()


@pytest.fixture(autouse=True)
def pipe_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    real = can.Bus
    monkeypatch.setattr(can, "Bus", lambda **o: PipeBus(o["channel"]) if o["interface"] == "pipe" else real(**o))


def frame(can_id: int) -> can.Message:
    return can.Message(arbitration_id=can_id, is_extended_id=False)


def opened() -> tuple[InterfaceCan, PipeBus]:
    bus = InterfaceCan("pipe", "CP-001", {"channel": "pipe0"})
    return bus, PipeBus.opened[0]


def caused_by(cause: Exception) -> can.CanOperationError:
    error = can.CanOperationError("could not read")
    error.__cause__ = cause
    return error


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.001)


async def test_frames_of_an_interface_with_a_descriptor_are_heard_in_order() -> None:
    bus, pipe = opened()
    with FrameReader(bus) as frames:
        pipe.give(*[frame(can_id) for can_id in range(200)])
        async with asyncio.timeout(DEADLINE_S):
            assert [(await anext(frames)).arbitration_id for _ in range(200)] == list(range(200))
    await bus.close()


async def test_what_is_no_frame_is_counted_and_reading_goes_on() -> None:
    bus, pipe = opened()
    with FrameReader(bus) as frames:
        pipe.give(caused_by(KeyError("arbitration_id")), frame(1), caused_by(ValueError("no frame")), frame(2))
        async with asyncio.timeout(DEADLINE_S):
            assert [(await anext(frames)).arbitration_id for _ in range(2)] == [1, 2]
    assert (bus.malformed, bus.connected) == (2, True)
    await bus.close()


async def test_an_interface_that_went_down_is_said_once_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interface_module, "RETRY_S", 0.02)
    bus, pipe = opened()
    down = OSError(100, os.strerror(100))
    with FrameReader(bus) as frames, capture_logs() as logs:
        pipe.give(caused_by(down))
        await until(lambda: not bus.connected)
        with pytest.raises(CanDisconnected, match="could not read"):
            await bus.wait_connected(0.0)
        pipe.give(frame(1))
        async with asyncio.timeout(DEADLINE_S):
            assert (await anext(frames)).arbitration_id == 1
        await bus.wait_connected(0.0)
    assert [entry["event"] for entry in logs] == ["the CAN interface cannot be read"]
    await bus.close()


async def test_a_frame_that_the_driver_does_not_take_was_not_sent() -> None:
    bus, pipe = opened()
    pipe.send_error = can.CanOperationError("Transmit buffer full")
    with pytest.raises(CanDisconnected, match="channel CP-001: Transmit buffer full"):
        bus.post(frame(0x200))
    await bus.close()


async def test_closing_while_the_interface_is_down_ends_the_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    bus, pipe = opened()
    pipe.give(OSError(100, os.strerror(100)))
    await until(lambda: not bus.connected)
    await bus.close()
    assert bus._retry is not None
    assert bus._retry.cancelled()


async def test_an_interface_without_a_descriptor_is_read_by_python_cans_notifier() -> None:
    one = InterfaceCan("virtual", "CP-001", {"channel": "notified"})
    other = InterfaceCan("virtual", "CP-001", {"channel": "notified"})
    with FrameReader(other) as frames:
        one.post(frame(0x200))
        async with asyncio.timeout(DEADLINE_S):
            assert (await anext(frames)).arbitration_id == 0x200
    await one.close()
    await other.close()


async def test_what_python_can_cannot_open_is_named() -> None:
    with pytest.raises(CanUnavailable, match=r"python-can cannot open no_such \{'channel': 'x'\}: Unknown interface"):
        InterfaceCan("no_such", "CP-001", {"channel": "x"})


def test_an_echo_is_awaited_for_a_second_only() -> None:
    now_s = 0.0
    echoes = interface_module._Echoes(lambda: now_s)
    echoes.sent(frame(0x200))
    echoes.sent(frame(0x200))
    assert echoes.is_echo(frame(0x200))
    now_s = 1.5
    assert not echoes.is_echo(frame(0x200))
