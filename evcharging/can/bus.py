"""The CAN channel between one engine and one charger, as both see it; python-can's Message type on the outside.

Adapters: `evcharging.can.virtual` (inside one process), `evcharging.can.hub_client` (a socketcand hub),
`evcharging.can.hub` (a port of the hub's own process) and `evcharging.can.interface` (whatever python-can can open).
`evcharging.can.connect.open_can` chooses by address. What a frame means is in `evcharging.can.frames`.

Frames are handed to listeners on the event loop, in the order of the bus, and a sender does not hear itself. A frame
that cannot be taken is counted in ``dropped``: a CAN bus keeps nothing for later.

Errors::

    CanError
    ├── CanAddressError    the address is spelled wrong or cannot carry what is asked
    ├── CanUnavailable     the interface cannot be opened: no such device, a missing extra, a port that is taken
    ├── CanDisconnected    the hub is not connected (yet); the frame was not sent
    ├── CanOverloaded      more frames wait than the bound allows; the frame was not sent
    ├── CanUnsupported     a frame that the channel cannot carry: remote, error or CAN FD
    └── CanClosed          the bus was closed; open a new one
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

import structlog
from can import Message

__all__ = [
    "MAX_WAITING_FRAMES",
    "CanAddressError",
    "CanBus",
    "CanClosed",
    "CanDisconnected",
    "CanError",
    "CanOverloaded",
    "CanUnavailable",
    "CanUnsupported",
    "FrameReader",
    "Inbox",
    "Listener",
    "Listeners",
    "check_sendable",
]

log = structlog.get_logger()

MAX_WAITING_FRAMES = 10_000
"""Frames that may wait for the event loop on one channel: more than a 500 kbit/s bus carries in two seconds."""

MAX_DATA_BYTES = 8

Listener = Callable[[Message], None]


class CanError(Exception):
    """The base of every error of a CAN channel."""


class CanAddressError(CanError, ValueError):
    """The address is spelled wrong, or cannot carry what is asked of it."""


class CanUnavailable(CanError):
    """The interface cannot be opened. The message says what is missing."""


class CanDisconnected(CanError):
    """The hub is not connected (yet). The frame was not sent; the connection is tried again by itself."""


class CanOverloaded(CanError):
    """More frames wait to be sent than the bound allows. The frame was not sent."""


class CanUnsupported(CanError, ValueError):
    """A frame that this channel cannot carry: remote, error or CAN FD."""


class CanClosed(CanError):
    """The bus was closed; open a new one."""


class CanBus(Protocol):
    """One channel, one EVSE."""

    @property
    def channel(self) -> str:
        """The channel's name: the cp_id of the EVSE on it."""
        ...

    @property
    def connected(self) -> bool:
        """Whether a frame that is sent now goes out."""
        ...

    @property
    def dropped(self) -> int:
        """Frames given up so far, in either direction, because too many waited."""
        ...

    def add_listener(self, listener: Listener) -> Callable[[], None]:
        """Have ``listener`` called on the event loop for each frame heard; returns what takes it away again.

        An exception in a listener is logged and touches no other listener.
        """
        ...

    def post(self, message: Message) -> None:
        """Send without waiting.

        Raises:
            CanDisconnected, CanOverloaded, CanUnsupported, CanClosed: the frame was not sent.
        """
        ...

    async def send(self, message: Message) -> None:
        """Send, waiting for room where too many frames wait already.

        Raises:
            CanDisconnected, CanUnsupported, CanClosed: the frame was not sent.
        """
        ...

    async def wait_connected(self, timeout_s: float) -> None:
        """Return once connected.

        Raises:
            CanDisconnected: not within ``timeout_s``; says what stood in the way.
        """
        ...

    async def close(self) -> None:
        """Send what was accepted, then let go of the channel. Idempotent."""
        ...


def check_sendable(message: Message) -> None:
    """Refuse what a classic CAN channel of ours cannot carry. For adapters.

    Raises:
        CanUnsupported: the message is a remote, error or CAN FD frame, its data is longer than 8
            bytes, or its id does not fit.
    """
    if message.is_remote_frame or message.is_error_frame or message.is_fd:
        kind = "remote" if message.is_remote_frame else "error" if message.is_error_frame else "CAN FD"
        raise CanUnsupported(f"id {message.arbitration_id:#x}: a {kind} frame, expected a classic data frame")
    highest_id = 0x1FFFFFFF if message.is_extended_id else 0x7FF
    if not 0 <= message.arbitration_id <= highest_id:
        raise CanUnsupported(f"id {message.arbitration_id:#x}: expected 0 to {highest_id:#x}")
    if len(message.data) > MAX_DATA_BYTES:
        raise CanUnsupported(
            f"id {message.arbitration_id:#x}: {len(message.data)} bytes of data, expected at most {MAX_DATA_BYTES}"
        )


class Listeners:
    """Who hears the frames of a channel. For adapters."""

    __slots__ = ("_all", "_channel")

    def __init__(self, channel: str) -> None:
        self._channel = channel
        self._all: tuple[Listener, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, listener: Listener) -> Callable[[], None]:
        """See `CanBus.add_listener`."""
        self._all = (*self._all, listener)

        def remove() -> None:
            self._all = tuple(kept for kept in self._all if kept is not listener)

        return remove

    def deliver(self, message: Message) -> None:
        """Call every listener with ``message``."""
        for listener in self._all:
            try:
                listener(message)
            except Exception:
                log.exception("a listener failed on a CAN frame", channel=self._channel, can_id=message.arbitration_id)


class Inbox:
    """Frames on their way to the listeners, from this thread or another: bounded, in order, one wake-up a batch."""

    __slots__ = ("_deliver", "_loop", "_scheduled", "_waiting", "dropped")

    def __init__(self, deliver: Listener, loop: asyncio.AbstractEventLoop) -> None:
        self._deliver = deliver
        self._loop = loop
        self._waiting: deque[Message] = deque()
        self._scheduled = False
        self.dropped = 0

    def put(self, message: Message) -> None:
        """Take a frame on the event loop's thread."""
        if len(self._waiting) >= MAX_WAITING_FRAMES:
            self.dropped += 1
            return
        self._waiting.append(message)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._drain)

    def put_from_thread(self, message: Message) -> None:
        """Take a frame on any other thread. A frame that comes after the loop was closed is gone."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.put, message)

    def _drain(self) -> None:
        self._scheduled = False
        for _ in range(len(self._waiting)):
            self._deliver(self._waiting.popleft())


class FrameReader:
    """Iterates over the frames of a bus, from the moment it is entered.

    ::

        with FrameReader(bus) as frames:
            async for message in frames: ...

    At most ``max_waiting`` frames wait for the reader; the oldest give way and are counted in ``lost``.
    """

    def __init__(self, bus: CanBus, *, max_waiting: int = MAX_WAITING_FRAMES) -> None:
        self._bus = bus
        self._waiting: deque[Message] = deque(maxlen=max_waiting)
        self._arrived = asyncio.Event()
        self._remove: Callable[[], None] | None = None
        self.lost = 0

    def __enter__(self) -> Self:
        self._remove = self._bus.add_listener(self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._remove is not None:
            self._remove()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()

    def _take(self, message: Message) -> None:
        if len(self._waiting) == self._waiting.maxlen:
            self.lost += 1
        self._waiting.append(message)
        self._arrived.set()
