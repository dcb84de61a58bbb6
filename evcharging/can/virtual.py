"""python-can's ``virtual`` interface for asyncio: frames between the parties of one process, and no further.

python-can gives each receiver a queue that a thread would have to wait on. Here the queue itself wakes the event loop,
so that hundreds of channels need no thread, and python-can's own tools can still join the same channel.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable

from can import CanOperationError, Message
from can.interfaces import virtual

from evcharging.can.bus import CanClosed, Inbox, Listener, Listeners, check_sendable

__all__ = ["VirtualCan"]


class VirtualCan:
    """A `CanBus` among the parties of this process that open the same ``channel``. Make it on the event loop."""

    def __init__(self, channel: str) -> None:
        self._channel = channel
        self._listeners = Listeners(channel)
        self._inbox = Inbox(self._listeners.deliver, asyncio.get_running_loop())
        self._bus: virtual.VirtualBus | None = virtual.VirtualBus(channel)
        _replace_queue(self._bus, _WakingQueue(self._inbox))

    @property
    def channel(self) -> str:
        """See `CanBus`."""
        return self._channel

    @property
    def connected(self) -> bool:
        """See `CanBus`; true until closed."""
        return self._bus is not None

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
            raise CanClosed(f"virtual channel {self._channel} was closed")
        try:
            self._bus.send(message)
        except CanOperationError as error:
            raise CanClosed(f"virtual channel {self._channel}: {error}") from error

    async def send(self, message: Message) -> None:
        """See `CanBus`; there is always room."""
        self.post(message)

    async def wait_connected(self, timeout_s: float) -> None:
        """See `CanBus`; returns at once."""
        if self._bus is None:
            raise CanClosed(f"virtual channel {self._channel} was closed")

    async def close(self) -> None:
        """See `CanBus`."""
        if self._bus is not None:
            self._bus.shutdown()
            self._bus = None


class _WakingQueue(queue.Queue[Message]):
    """What python-can puts a frame into; passes it on to the event loop instead of keeping it."""

    def __init__(self, inbox: Inbox) -> None:
        super().__init__()
        self._inbox = inbox
        self._loop_thread = threading.get_ident()

    def put(self, item: Message, block: bool = True, timeout: float | None = None) -> None:
        if threading.get_ident() == self._loop_thread:
            self._inbox.put(item)
        else:
            self._inbox.put_from_thread(item)


def _replace_queue(bus: virtual.VirtualBus, waking: _WakingQueue) -> None:
    with virtual.channels_lock:
        bus.channel[bus.channel.index(bus.queue)] = waking
        bus.queue = waking
