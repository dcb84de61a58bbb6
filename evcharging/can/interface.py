"""A CAN channel on whatever python-can can open: ``socketcan:can0``, ``udp_multicast``, ``slcan:/dev/ttyACM0``.

An interface with a file descriptor is read on the event loop; for any other, python-can's Notifier reads in a thread of
its own. Writing is python-can's: the driver queues, and a classic frame at 500 kbit/s takes a quarter of a millisecond.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import can
import structlog
from can import Message

from evcharging.can.bus import (
    MAX_WAITING_FRAMES,
    CanClosed,
    CanDisconnected,
    CanUnavailable,
    Inbox,
    Listener,
    Listeners,
    check_sendable,
)

__all__ = ["InterfaceCan"]

log = structlog.get_logger()

ECHOING_INTERFACES = frozenset({"udp_multicast"})
"""These give a sender its own frames back, and python-can cannot tell them apart."""
ECHO_WITHIN_S = 1.0
FRAMES_A_TURN = 64
"""Read at most so many before other work has its turn."""
RETRY_S = 1.0
"""After a failed read (the interface went down) reading is tried again at this pace."""
POLL_S = 0.2
"""How long python-can's reader thread waits before it looks whether it should end."""


class InterfaceCan:
    """A `CanBus` on a python-can interface. Make it on the event loop.

    Args:
        interface: python-can's name of the interface.
        channel: the channel's name for us: the cp_id of its EVSE.
        options: what python-can's Bus takes for this interface (``channel``, ``bitrate``, ``port`` …).

    Raises:
        CanUnavailable: python-can could not open it.
    """

    def __init__(self, interface: str, channel: str, options: Mapping[str, Any]) -> None:
        self._channel = channel
        self._echoes = _Echoes(time.monotonic) if interface in ECHOING_INTERFACES else None
        self.malformed = 0
        """What came in and was no frame; each was left out."""
        self._loop = asyncio.get_running_loop()
        self._listeners = Listeners(channel)
        self._inbox = Inbox(self._listeners.deliver, self._loop)
        self._notifier: can.Notifier | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._obstacle: str | None = None
        try:
            self._bus: can.BusABC | None = can.Bus(interface=interface, **options)
        except (can.CanError, OSError, ValueError, TypeError, ImportError, RuntimeError) as error:
            raise CanUnavailable(f"python-can cannot open {interface} {dict(options)}: {error}") from error
        self._descriptor = _descriptor_of(self._bus)
        if self._descriptor is None:
            self._notifier = can.Notifier(self._bus, [_ThreadListener(self._inbox, self._fail_from_thread)], POLL_S)
        else:
            self._loop.add_reader(self._descriptor, self._read)

    @property
    def channel(self) -> str:
        """See `CanBus`."""
        return self._channel

    @property
    def connected(self) -> bool:
        """See `CanBus`; false while the interface cannot be read."""
        return self._bus is not None and self._obstacle is None

    @property
    def dropped(self) -> int:
        """See `CanBus`."""
        return self._inbox.dropped

    def add_listener(self, listener: Listener) -> Callable[[], None]:
        """See `CanBus`."""
        return self._listeners.add(listener)

    def post(self, message: Message) -> None:
        """See `CanBus`."""
        check_sendable(message)
        if self._bus is None:
            raise CanClosed(f"channel {self._channel} was closed")
        try:
            self._bus.send(message)
        except (can.CanError, OSError) as error:
            raise CanDisconnected(f"channel {self._channel}: {error}") from error
        if self._echoes is not None:
            self._echoes.sent(message)

    async def send(self, message: Message) -> None:
        """See `CanBus`; the driver queues."""
        self.post(message)

    async def wait_connected(self, timeout_s: float) -> None:
        """See `CanBus`; returns at once, or says what is wrong with the interface."""
        if self._bus is None:
            raise CanClosed(f"channel {self._channel} was closed")
        if self._obstacle is not None:
            raise CanDisconnected(f"channel {self._channel}: {self._obstacle}")

    async def close(self) -> None:
        """See `CanBus`."""
        bus, self._bus = self._bus, None
        if bus is None:
            return
        if self._retry is not None:
            self._retry.cancel()
        if self._notifier is not None:
            await asyncio.to_thread(self._notifier.stop)
        elif self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
        bus.shutdown()

    def _read(self) -> None:
        for _ in range(FRAMES_A_TURN):
            if self._bus is None:
                return
            try:
                message = self._bus.recv(0)
            except (can.CanError, OSError, ValueError) as error:
                if isinstance(error, OSError) or isinstance(error.__cause__, OSError):
                    self._fail(str(error))
                    return
                self.malformed += 1
                continue
            if message is None:
                return
            if self._echoes is None or not self._echoes.is_echo(message):
                self._inbox.put(message)

    def _fail(self, reason: str) -> None:
        # A descriptor in error stays readable: without a pause the event loop would do nothing else.
        if self._obstacle is None:
            log.warning("the CAN interface cannot be read", channel=self._channel, reason=reason)
        self._obstacle = reason
        if self._descriptor is not None and self._bus is not None:
            self._loop.remove_reader(self._descriptor)
            self._retry = self._loop.call_later(RETRY_S, self._resume)

    def _fail_from_thread(self, error: Exception) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._fail, str(error))

    def _resume(self) -> None:
        if self._bus is not None and self._descriptor is not None:
            self._obstacle = None
            self._loop.add_reader(self._descriptor, self._read)


class _Echoes:
    """Tells own frames from others' on an interface that gives a sender its own frames back.

    Each frame sent comes back once: as many equal frames as were sent within the last second are taken for echoes.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._awaited: deque[tuple[float, int, bytes]] = deque(maxlen=MAX_WAITING_FRAMES)

    def sent(self, message: Message) -> None:
        self._awaited.append((self._clock() + ECHO_WITHIN_S, message.arbitration_id, bytes(message.data)))

    def is_echo(self, message: Message) -> bool:
        now_s = self._clock()
        while self._awaited and self._awaited[0][0] < now_s:
            self._awaited.popleft()
        for index, (_, can_id, data) in enumerate(self._awaited):
            if can_id == message.arbitration_id and data == message.data:
                del self._awaited[index]
                return True
        return False


class _ThreadListener(can.Listener):
    """What python-can's reader thread calls."""

    def __init__(self, inbox: Inbox, fail: Callable[[Exception], None]) -> None:
        self._inbox = inbox
        self._fail = fail

    def on_message_received(self, msg: Message) -> None:
        self._inbox.put_from_thread(msg)

    def on_error(self, exc: Exception) -> None:
        self._fail(exc)


def _descriptor_of(bus: can.BusABC) -> int | None:
    try:
        descriptor = bus.fileno()
    except NotImplementedError:
        return None
    return descriptor if descriptor >= 0 else None
