"""One TCP connection to a socketcand hub: questions and answers first, then frames. For `evcharging.can.hub_client`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar, cast

from evcharging.can import socketcand as wire

__all__ = ["ANSWER_TIMEOUT_S", "HubConnection", "HubRefused", "connect"]

ANSWER_TIMEOUT_S = 5.0
"""For the TCP connection, and for each answer of the hub until raw mode."""
MAX_UNSENT_BYTES = 256 * 1024
"""About 8,000 frames; with so much waiting the hub does not read, and `HubConnection.paused` says so."""

_E = TypeVar("_E", bound=wire.Element)


async def connect(
    host: str,
    port: int,
    hear: Callable[[wire.Element], None],
    *,
    on_lost: Callable[[], None] = lambda: None,
    max_element_bytes: int = wire.MAX_ELEMENT_BYTES,
) -> HubConnection:
    """Open the TCP connection and wait for the hub's greeting.

    Raises:
        OSError, TimeoutError: nobody answers there.
        HubRefused: what answers is no hub.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        _, connection = await loop.create_connection(
            lambda: HubConnection(hear, on_lost, max_element_bytes), host, port
        )
    try:
        await connection.expect(wire.Hi)
    except BaseException:
        await connection.end()
        raise
    return connection


class HubRefused(Exception):
    """The hub answered something else than what was expected, or went away before it did."""


class HubConnection(asyncio.Protocol):
    """Answers one at a time until raw mode, then every element to ``hear``; ``on_lost`` when it is over."""

    def __init__(
        self, hear: Callable[[wire.Element], None], on_lost: Callable[[], None], max_element_bytes: int
    ) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._hear = hear
        self._on_lost = on_lost
        self._reader = wire.ElementReader(max_element_bytes)
        self._transport: asyncio.Transport | None = None
        self._answers: asyncio.Queue[wire.Element | None] = asyncio.Queue()
        self._raw = False
        self._unsent: list[bytes] = []
        self._lost: asyncio.Future[str] = loop.create_future()
        self.room = asyncio.Event()
        self.room.set()

    @property
    def paused(self) -> bool:
        """Whether the hub reads too slowly to take more."""
        return not self.room.is_set()

    def write(self, text: bytes) -> None:
        """Send ``text`` with whatever else is written before the event loop turns."""
        if not self._unsent:
            self._loop.call_soon(self.flush)
        self._unsent.append(text)

    def flush(self) -> None:
        """Hand what was written to the transport."""
        if self._unsent and self._transport is not None:
            self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def ask(self, element: wire.Element) -> None:
        """Send one request of the handshake."""
        if self._transport is not None:
            self._transport.write(wire.encode(element))

    async def expect(self, kind: type[_E]) -> _E:
        """Return the next answer, which must be of ``kind``."""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            answer = await self._answers.get()
        if answer is None:
            raise HubRefused("the hub closed the connection")
        if isinstance(answer, wire.Refused):
            raise HubRefused(answer.reason or "refused without a reason")
        if not isinstance(answer, kind):
            raise HubRefused(f"got {answer!r}, expected {kind.__name__}; is this a socketcand hub?")
        return answer

    def enter_raw_mode(self) -> None:
        """From here on every element goes to ``hear``, beginning with those that came with the last answer."""
        self._raw = True
        while not self._answers.empty():
            element = self._answers.get_nowait()
            if element is not None:
                self._hear(element)

    async def until_lost(self) -> str:
        """Wait for the end of the connection and return its reason."""
        await asyncio.wait((self._lost,))
        return self._lost.result()

    async def end(self) -> None:
        """Close, and wait until the transport has let go."""
        if self._transport is not None:
            self._transport.close()
            if not self._lost.done():
                await asyncio.wait((self._lost,), timeout=1.0)
            if not self._lost.done():
                self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The TCP connection stands."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=MAX_UNSENT_BYTES)

    def data_received(self, data: bytes) -> None:
        """Bytes from the hub."""
        for element in self._reader.feed(data):
            if self._raw:
                self._hear(element)
            else:
                self._answers.put_nowait(element)

    def pause_writing(self) -> None:
        """The hub does not read."""
        self.room.clear()

    def resume_writing(self) -> None:
        """The hub reads again."""
        self.room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended."""
        self._on_lost()
        self.room.set()
        self._answers.put_nowait(None)
        if not self._lost.done():
            self._lost.set_result(str(exc) if exc else "the hub closed the connection")
