"""A socketcand hub: named CAN channels over TCP, for the chargers of this process and the engines and tools of others.

Each channel carries the frames of one EVSE to everybody who opened it, in order, except to the sender. python-can's own
``socketcand`` client and other socketcand clients can join. The hub gives a channel to whoever asks for it by name and
knows nothing of what a frame means. It keeps no frame for later: a reader that falls behind loses frames, which are
counted. Bad input costs only itself: it is answered ``< error ... >``, counted, and the connection goes on.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import cast

import structlog

from evcharging.can import socketcand as wire
from evcharging.can.bus import CanUnavailable
from evcharging.can.hub_channel import HubChannel, HubPort, HubStats

__all__ = ["DEFAULT_PORT", "CanHub"]

log = structlog.get_logger()

DEFAULT_PORT = 29536
MAX_CONNECTIONS = 20_000
BACKLOG = 4096
MAX_UNREAD_BYTES = 1024 * 1024
"""What may wait for one slow reader, about 25,000 frames; the next frame is dropped."""
HANDSHAKE_TIMEOUT_S = 10.0
QUIET_S = 0.25
"""Between the answer to rawmode and the first frame: python-can's client takes whatever comes with the answer for a
part of it, and gives up."""
PROTOCOL_VIOLATION = 0x8
"""Linux' error class CAN_ERR_PROT, the id of the error frame by which bad input is answered in raw mode."""


class CanHub:
    """The channels, and the server that lets others join them.

    ``clock`` gives the time of a frame in Unix seconds. Without `start` it serves only the ports of its own process.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time, max_connections: int = MAX_CONNECTIONS) -> None:
        self.stats = HubStats()
        self._clock = clock
        self._max_connections = max_connections
        self._channels: dict[str, HubChannel] = {}
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that somebody is on, in the order they were opened."""
        return tuple(self._channels)

    async def start(
        self, *, host: str = "127.0.0.1", port: int = DEFAULT_PORT, sock: socket.socket | None = None
    ) -> tuple[str, int]:
        """Listen, and return the address; port 0 takes a free one. ``sock``, bound already, counts before both.

        Raises:
            CanUnavailable: the address cannot be listened on; says why.
        """
        loop = asyncio.get_running_loop()
        try:
            if sock is not None:
                self._server = await loop.create_server(lambda: _Connection(self), sock=sock, backlog=BACKLOG)
            else:
                self._server = await loop.create_server(lambda: _Connection(self), host, port, backlog=BACKLOG)
        except OSError as error:
            raise CanUnavailable(f"cannot listen on {host}:{port} ({error.strerror or error})") from error
        address = self._server.sockets[0].getsockname()
        return str(address[0]), int(address[1])

    async def stop(self) -> None:
        """Stop listening, send what waits and close every connection. Idempotent."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        await asyncio.gather(*(connection.end() for connection in self._connections))
        if server is not None:
            await server.wait_closed()

    def attach(self, channel: str) -> HubPort:
        """Open ``channel`` inside this process, without TCP.

        Raises:
            ValueError: ``channel`` is no channel name.
        """
        if not wire.is_channel_name(channel):
            raise ValueError(f"channel name {channel!r}: expected {wire.NAME_RULE}")
        return HubPort(self.join(channel))

    def join(self, name: str) -> HubChannel:
        """The channel of that name, made when nobody is on it yet. For connections."""
        channel = self._channels.get(name)
        if channel is None:
            channel = HubChannel(name, stats=self.stats, clock=self._clock, on_empty=self._forget_channel)
            self._channels[name] = channel
        return channel

    def admit(self, connection: _Connection) -> bool:
        """Whether there is room for one more connection; if so it is counted. For connections."""
        if len(self._connections) >= self._max_connections:
            self.stats.turned_away += 1
            return False
        self._connections.add(connection)
        self.stats.connections += 1
        return True

    def forget(self, connection: _Connection) -> None:
        """A connection ended. For connections."""
        self._connections.discard(connection)

    def now_s(self) -> float:
        """The hub's time. For connections."""
        return self._clock()

    def _forget_channel(self, name: str) -> None:
        self._channels.pop(name, None)


class _Connection(asyncio.Protocol):
    """One client: greeted, on a channel, then in raw mode."""

    def __init__(self, hub: CanHub) -> None:
        self._hub = hub
        self._loop = asyncio.get_running_loop()
        self._reader = wire.ElementReader()
        self._transport: asyncio.Transport | None = None
        self._name: str | None = None
        self._channel: HubChannel | None = None
        """Set in raw mode."""
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._quiet = False
        self._full = False
        self._lost_frames = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._ended = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=MAX_UNREAD_BYTES)
        if not self._hub.admit(self):
            self._transport.write(wire.encode(wire.Refused("too many connections")))
            self._transport.close()
            return
        self._deadline = self._loop.call_later(HANDSHAKE_TIMEOUT_S, self._give_up_handshake)
        self._transport.write(wire.encode(wire.Hi()))

    def data_received(self, data: bytes) -> None:
        for element in self._reader.feed(data):
            if isinstance(element, wire.Send) and self._channel is not None:
                self._channel.relay(element.frame, self)
            else:
                self._answer(element)

    def write_frame(self, text: bytes) -> None:
        """Take a frame of the channel; dropped and counted while the client does not read."""
        if self._full or self._unsent_bytes > MAX_UNREAD_BYTES:
            self._lost_frames += 1
            self._hub.stats.dropped += 1
            return
        if not self._unsent and not self._quiet:
            self._loop.call_soon(self._flush)
        self._unsent.append(text)
        self._unsent_bytes += len(text)

    async def end(self) -> None:
        """Send what waits, close, and wait until the transport has let go (1 s at most)."""
        if self._transport is None:
            return
        self._flush()
        self._transport.close()
        await asyncio.wait((self._ended,), timeout=1.0)
        if not self._ended.done():
            self._transport.abort()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._lost_frames:
            log.warning("a CAN client read too slowly", channel=self._name, lost_frames=self._lost_frames)
            self._lost_frames = 0

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        if self._channel is not None:
            self._channel.remove(self)
            self._channel = None
        self._unsent.clear()
        self._hub.forget(self)
        if not self._ended.done():
            self._ended.set_result(None)

    def _answer(self, element: wire.Element) -> None:
        match element:
            case wire.Echo():
                self._say(wire.Echo())
            case wire.ListChannels():
                self._say(wire.ChannelList(self._hub.channels))
            case wire.Open(channel) if self._name is None:
                self._name = channel
                self._say(wire.Ok())
            case wire.RawMode() if self._name is not None and self._channel is None:
                self._enter_raw_mode(self._name)
            case wire.Malformed(_, problem):
                self._refuse(problem)
            case wire.Send() | wire.RawMode() if self._name is None:
                self._refuse("open a channel first: open NAME")
            case wire.Send():
                self._refuse("enter raw mode first: rawmode")
            case wire.Open() | wire.RawMode():
                self._refuse("the channel is open already")
            case _:
                self._refuse(f"{type(element).__name__.lower()} is not for a client to say")

    def _enter_raw_mode(self, name: str) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._say(wire.Ok())
        self._quiet = True
        self._loop.call_later(QUIET_S, self._end_quiet)
        self._channel = self._hub.join(name)
        self._channel.add_connection(self)

    def _end_quiet(self) -> None:
        self._quiet = False
        self._flush()

    def _flush(self) -> None:
        if self._unsent and self._transport is not None:
            self._transport.write(b"".join(self._unsent))
        self._unsent.clear()
        self._unsent_bytes = 0

    def _say(self, element: wire.Element) -> None:
        if self._transport is not None and not self._full:
            self._transport.write(wire.encode(element))

    def _refuse(self, problem: str) -> None:
        self._hub.stats.malformed += 1
        if self._channel is None:
            self._say(wire.Refused(problem))
        elif not self._full:
            # In raw mode clients expect frames only: python-can's reads the two numbers and leaves the rest alone.
            self.write_frame(wire.encode(wire.ErrorFrame(PROTOCOL_VIOLATION, self._hub.now_s(), problem)))

    def _give_up_handshake(self) -> None:
        self._say(wire.Refused(f"no raw mode within {HANDSHAKE_TIMEOUT_S:g} s"))
        if self._transport is not None:
            self._transport.close()
