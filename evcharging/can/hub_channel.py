"""One channel of the hub: who is on it, and how a frame gets from one to all the others in order.

Two kinds of members: connections (another process, over TCP) take the frame as text, spelled once for all of them;
ports (this process) take python-can's Message. Nothing here reads a socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from can import Message

from evcharging.can import socketcand as wire
from evcharging.can.bus import CanClosed, Inbox, Listener, Listeners, check_sendable

__all__ = ["HubChannel", "HubPort", "HubStats", "TextMember"]


@dataclass(slots=True)
class HubStats:
    """What a hub has done since it was made."""

    frames: int = 0
    """Frames put on any channel."""
    dropped: int = 0
    """Frames that a slow reader lost, one count per reader."""
    malformed: int = 0
    """Elements that could not be understood or came at the wrong time."""
    connections: int = 0
    """Connections taken so far."""
    turned_away: int = 0
    """Connections refused because there were too many."""


class TextMember(Protocol):
    """A member that takes frames as the text protocol spells them."""

    def write_frame(self, text: bytes) -> None:
        """Take one spelled frame; must not wait."""
        ...


class HubChannel:
    """The members of one channel. ``on_empty`` is called with the name when the last one leaves."""

    __slots__ = ("_clock", "_on_empty", "_ports", "_stats", "_text_members", "name")

    def __init__(
        self, name: str, *, stats: HubStats, clock: Callable[[], float], on_empty: Callable[[str], None]
    ) -> None:
        self.name = name
        self._stats = stats
        self._clock = clock
        self._on_empty = on_empty
        self._text_members: list[TextMember] = []
        self._ports: list[HubPort] = []

    def relay(self, frame: wire.WireFrame, sender: object) -> None:
        """Give ``frame`` to every member but ``sender``, stamped with the hub's time.

        Raises:
            ValueError: the frame's id or length is outside the protocol's range.
        """
        self._stats.frames += 1
        timestamp_s = self._clock()
        text: bytes | None = None
        for member in self._text_members:
            if member is not sender:
                if text is None:
                    text = wire.encode_frame(frame, timestamp_s)
                member.write_frame(text)
        message: Message | None = None
        for port in self._ports:
            if port is not sender:
                if message is None:
                    message = wire.to_message(frame, timestamp_s, self.name)
                port.hear(message)

    def add_connection(self, member: TextMember) -> None:
        """From here on ``member`` gets the channel's frames."""
        self._text_members.append(member)

    def add_port(self, port: HubPort) -> None:
        """From here on ``port`` gets the channel's frames."""
        self._ports.append(port)

    def remove(self, member: TextMember | HubPort) -> None:
        """``member`` is gone."""
        self._text_members = [kept for kept in self._text_members if kept is not member]
        self._ports = [kept for kept in self._ports if kept is not member]
        if not self._text_members and not self._ports:
            self._on_empty(self.name)


class HubPort:
    """A `CanBus` in the hub's own process: no TCP in between. Made by `CanHub.attach`."""

    def __init__(self, channel: HubChannel) -> None:
        self._hub_channel = channel
        self._listeners = Listeners(channel.name)
        self._inbox = Inbox(self._listeners.deliver, asyncio.get_running_loop())
        self._closed = False
        channel.add_port(self)

    @property
    def channel(self) -> str:
        """See `CanBus`."""
        return self._hub_channel.name

    @property
    def connected(self) -> bool:
        """See `CanBus`; true until closed."""
        return not self._closed

    @property
    def dropped(self) -> int:
        """See `CanBus`."""
        return self._inbox.dropped

    def add_listener(self, listener: Listener) -> Callable[[], None]:
        """See `CanBus`."""
        return self._listeners.add(listener)

    def hear(self, message: Message) -> None:
        """Take a frame of another member. For the channel.

        Listeners run when the event loop turns, so that one that answers at once cannot overtake what it answers.
        """
        if self._listeners:
            self._inbox.put(message)

    def post(self, message: Message) -> None:
        """See `CanBus`."""
        check_sendable(message)
        if self._closed:
            raise CanClosed(f"channel {self.channel} was closed")
        self._hub_channel.relay(wire.from_message(message), self)

    async def send(self, message: Message) -> None:
        """See `CanBus`; there is always room."""
        self.post(message)

    async def wait_connected(self, timeout_s: float) -> None:
        """See `CanBus`; returns at once."""
        if self._closed:
            raise CanClosed(f"channel {self.channel} was closed")

    async def close(self) -> None:
        """See `CanBus`."""
        if not self._closed:
            self._closed = True
            self._hub_channel.remove(self)
