"""A CAN channel over a socketcand hub: ``hub://host:port``, one TCP connection a channel.

python-can's own client for this protocol fails on empty frames, spins when the hub goes away and waits with select (no
descriptor over 1023); this one has none of that. It connects by itself, again and again with growing pauses, for as
long as it is open. It keeps nothing while it is not connected: an old set point must not reach a charger late.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable

import structlog
from can import Message

from evcharging.can import socketcand as wire
from evcharging.can.bus import (
    CanClosed,
    CanDisconnected,
    CanOverloaded,
    Listener,
    Listeners,
    check_sendable,
)
from evcharging.can.hub_client_connection import ANSWER_TIMEOUT_S, HubConnection, HubRefused, connect

__all__ = ["HubBus", "fetch_channels"]

log = structlog.get_logger()

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
MAX_LIST_BYTES = 1024 * 1024


class HubBus:
    """A `CanBus` to the hub at ``host:port``. Make it on the event loop; it connects at once and by itself.

    ``rng`` spreads the pauses between attempts, so that many channels do not return in the same instant.
    """

    def __init__(self, host: str, port: int, channel: str, *, rng: random.Random | None = None) -> None:
        if not wire.is_channel_name(channel):
            raise ValueError(f"channel name {channel!r}: expected {wire.NAME_RULE}")
        self._host = host
        self._port = port
        self._channel = channel
        self._rng = rng or random.Random()
        self._listeners = Listeners(channel)
        self._connection: HubConnection | None = None
        self._ready = asyncio.Event()
        self._obstacle = "not tried yet"
        self._dropped = 0
        self._closed = False
        self.malformed = 0
        """Elements from the hub that could not be understood; each was left out."""
        self._task = asyncio.create_task(self._keep_connected(), name=f"can-hub-client:{channel}")

    @property
    def channel(self) -> str:
        """See `CanBus`."""
        return self._channel

    @property
    def connected(self) -> bool:
        """See `CanBus`; true in raw mode."""
        return self._connection is not None

    @property
    def dropped(self) -> int:
        """See `CanBus`."""
        return self._dropped

    def add_listener(self, listener: Listener) -> Callable[[], None]:
        """See `CanBus`."""
        return self._listeners.add(listener)

    def post(self, message: Message) -> None:
        """See `CanBus`."""
        check_sendable(message)
        connection = self._usable()
        if connection.paused:
            self._dropped += 1
            raise CanOverloaded(f"the hub at {self._host}:{self._port} does not read channel {self._channel}")
        connection.write(wire.encode_send(wire.from_message(message)))

    async def send(self, message: Message) -> None:
        """See `CanBus`."""
        check_sendable(message)
        text = wire.encode_send(wire.from_message(message))
        connection = self._usable()
        while connection.paused:
            await connection.room.wait()
            connection = self._usable()
        connection.write(text)

    async def wait_connected(self, timeout_s: float) -> None:
        """See `CanBus`."""
        if self._closed:
            raise CanClosed(f"channel {self._channel} was closed")
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        except TimeoutError:
            raise CanDisconnected(
                f"no CAN hub at {self._host}:{self._port} within {timeout_s:g} s: {self._obstacle}"
            ) from None

    async def close(self) -> None:
        """See `CanBus`."""
        if self._closed:
            return
        self._closed = True
        if self._connection is not None:
            self._connection.flush()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    def _usable(self) -> HubConnection:
        connection = self._connection
        if connection is None:
            if self._closed:
                raise CanClosed(f"channel {self._channel} was closed")
            raise CanDisconnected(f"channel {self._channel}: no CAN hub at {self._host}:{self._port}: {self._obstacle}")
        return connection

    async def _keep_connected(self) -> None:
        pause_s = FIRST_PAUSE_S
        told = False
        while True:
            try:
                connection = await self._connect()
                try:
                    if told:
                        log.info("the CAN hub is back", channel=self._channel, host=self._host, port=self._port)
                    told, pause_s = False, FIRST_PAUSE_S
                    self._connection = connection
                    self._ready.set()
                    self._obstacle = await connection.until_lost()
                finally:
                    self._lose()
                    await connection.end()
            except TimeoutError:
                self._obstacle = f"no answer within {ANSWER_TIMEOUT_S:g} s"
            except (OSError, HubRefused) as error:
                self._obstacle = str(error) or type(error).__name__
            if not told:
                told = True
                log.warning(
                    "no CAN hub", channel=self._channel, host=self._host, port=self._port, reason=self._obstacle
                )
            await asyncio.sleep(pause_s * self._rng.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _connect(self) -> HubConnection:
        connection = await connect(self._host, self._port, self._hear, on_lost=self._lose)
        try:
            connection.ask(wire.Open(self._channel))
            await connection.expect(wire.Ok)
            connection.ask(wire.RawMode())
            await connection.expect(wire.Ok)
        except BaseException:
            await connection.end()
            raise
        connection.enter_raw_mode()
        return connection

    def _lose(self) -> None:
        self._connection = None
        self._ready.clear()

    def _hear(self, element: wire.Element) -> None:
        match element:
            case wire.Frame(frame, timestamp_s):
                self._listeners.deliver(wire.to_message(frame, timestamp_s, self._channel))
            case wire.ErrorFrame(can_id, _, reason) if reason:
                log.warning("the CAN hub refused a frame", channel=self._channel, can_id=can_id, reason=reason)
            case wire.Refused(reason):
                log.warning("the CAN hub refused a request", channel=self._channel, reason=reason)
            case wire.Malformed(text, problem):
                self.malformed += 1
                log.debug("unreadable from the CAN hub", channel=self._channel, got=text, problem=problem)
            case _:
                pass


async def fetch_channels(host: str, port: int) -> tuple[str, ...]:
    """Ask the hub at ``host:port`` which channels are in use, in the order they were opened.

    Raises:
        CanDisconnected: there is no hub, or it is one that cannot be asked (a plain socketcand).
    """
    connection: HubConnection | None = None
    try:
        connection = await connect(host, port, lambda _: None, max_element_bytes=MAX_LIST_BYTES)
        connection.ask(wire.ListChannels())
        answer = await connection.expect(wire.ChannelList)
    except TimeoutError:
        raise CanDisconnected(f"the CAN hub at {host}:{port} did not answer within {ANSWER_TIMEOUT_S:g} s") from None
    except (OSError, HubRefused) as error:
        raise CanDisconnected(f"no list of channels from {host}:{port}: {error}") from error
    else:
        return answer.names
    finally:
        if connection is not None:
            await connection.end()
