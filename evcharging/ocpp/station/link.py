"""The one socket of a station: opened, watched, and opened again after a pause that grows, with jitter by seed.

It carries calls and hands what arrives to the station; it never decides what is said.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable
from typing import Protocol

from evcharging.ocpp.errors import CallFailed, CallRejected, ConnectionLost, OcppError
from evcharging.ocpp.exchange import Exchange, Handler, Payload, Then
from evcharging.ocpp.schemas import check_request
from evcharging.ocpp.station.interfaces import ClientSocket, Dial, StationClock, StationListener, StationSettings, Timer
from evcharging.ocpp.station.parameters import Parameters
from evcharging.ocpp.station.randomness import StationRandom
from evcharging.ocpp.station.wire import Request

GOING_AWAY = 1001
HURRIED_PAUSE_S = 2.0
_NORMAL = 1000


class LinkEvents(Protocol):
    """What a link tells its station."""

    async def opened(self, attempts: int) -> None:
        """A socket stands, after so many that failed; returns when the CSMS takes calls. May raise OcppError."""

    def closed(self, reason: str) -> None:
        """It is gone."""

    def not_opened(self, reason: str, pause_s: float) -> None:
        """It could not be opened; the next attempt comes after `pause_s`."""


class Link:
    """A station's connection.

    Args:
        settings: Where to connect, as whom, and how to pause.
        dial: Opens a websocket.
        clock, rng: For pauses and their jitter.
        parameters: For the ping interval.
        handle: Answers what the CSMS calls.
        events, listener: Who hears of it.
    """

    __slots__ = (
        "_absent_until_s",
        "_clock",
        "_closed",
        "_dial",
        "_events",
        "_exchange",
        "_handle",
        "_hurried",
        "_listener",
        "_message_prefix",
        "_messages",
        "_opening",
        "_parameters",
        "_ping",
        "_rng",
        "_settings",
        "_socket",
        "_stopping",
        "_waking",
        "active_at_s",
        "password",
        "reconnects",
    )

    def __init__(
        self,
        settings: StationSettings,
        *,
        dial: Dial,
        clock: StationClock,
        rng: StationRandom,
        parameters: Parameters,
        handle: Handler,
        events: LinkEvents,
        listener: StationListener,
    ) -> None:
        self._settings = settings
        self._dial = dial
        self._clock = clock
        self._rng = rng
        self._parameters = parameters
        self._handle = handle
        self._events = events
        self._listener = listener
        self._message_prefix = f"{int(clock.now_s() * 1000):x}"
        self._messages = 0
        self._opening: asyncio.Timeout | None = None
        self._socket: ClientSocket | None = None
        self._exchange: Exchange | None = None
        self._closed: asyncio.Future[str] | None = None
        self._waking: asyncio.Future[None] | None = None
        self._ping: Timer | None = None
        self._absent_until_s = 0.0
        self._stopping = False
        self._hurried = False
        self.active_at_s = 0.0
        """When something was last heard: what the CSMS asked, or its answer."""
        self.password = settings.password
        self.reconnects = -1

    @property
    def connected(self) -> bool:
        """Whether a socket stands."""
        return self._exchange is not None

    @property
    def leaving(self) -> bool:
        """Whether this side closes its socket for good, or has."""
        return self._stopping

    async def run(self) -> None:
        """Keep a connection until `close`."""
        failed = 0
        while not self._stopping:
            try:
                closed = await self._open()
            except (OcppError, OSError) as error:
                if self._stopping:
                    return
                failed += 1
                pause_s = self._pause_s(failed)
                self._events.not_opened(str(error), pause_s)
            else:
                failed = 0 if await self._stay(closed, failed) else failed + 1
                pause_s = self._pause_s(max(1, failed))
            if not self._stopping:
                await self.pause(pause_s)

    async def call(self, request: Request) -> Payload:
        """Make a call and return its answer; both are held to the standard's schemas.

        Raises OcppError: ConnectionLost at once without a socket, CallFailed also where the request is none that the
        standard knows (an idTag of 30 characters), which is then not sent.
        """
        exchange = self._exchange
        if exchange is None:
            raise ConnectionLost("not connected")
        if self._settings.validate:
            self._check(*request)
        try:
            return await exchange.call(request.action, request.payload, timeout_s=self._settings.call_timeout_s)
        except OSError as error:
            raise ConnectionLost(str(error)) from error

    def ask(self, action: str, payload: Payload, then: Then) -> None:
        """As `call`, for who does not wait: `then` is told the answer or the error, perhaps before this returns."""
        exchange = self._exchange
        try:
            if exchange is None:
                raise ConnectionLost("not connected")
            if self._settings.validate:
                self._check(action, payload)
            exchange.ask(action, payload, timeout_s=self._settings.call_timeout_s, then=then)
        except OcppError as error:
            then(error)
        except OSError as error:
            then(ConnectionLost(str(error)))

    def _check(self, action: str, payload: Payload) -> None:
        try:
            check_request(self._settings.version, action, payload)
        except CallRejected as error:
            self.called(action, None, "unsendable")
            raise CallFailed(error.fault.value, f"not sent: {error.description}") from None

    async def pause(self, delay_s: float) -> None:
        """Return after `delay_s`, or at once when the link is woken by `wake`, `close` or the end of its socket."""
        if self._stopping:
            return
        waking = self._waking = asyncio.get_running_loop().create_future()
        timer = self._clock.call_later(delay_s, self.wake)
        try:
            await waking
        finally:
            timer.cancel()
            self._waking = None

    def wake(self) -> None:
        """End a pause."""
        if self._waking is not None and not self._waking.done():
            self._waking.set_result(None)

    def drop(self, *, absent_s: float = 0.0) -> None:
        """Cut the socket and stay away for `absent_s` at least."""
        self._absent_until_s = self._clock.now_s() + absent_s
        if self._socket is not None:
            self._socket.abort()

    def hurry(self) -> None:
        """Come back at once, and pause but shortly where that fails: there is something to say and little time."""
        self._hurried = True
        self.wake()

    async def restart(self, *, absent_s: float) -> None:
        """Close the socket in good order and come back after `absent_s`."""
        self._absent_until_s = self._clock.now_s() + absent_s
        if self._socket is not None:
            await self._socket.close(_NORMAL)

    async def close(self) -> None:
        """Close the socket with 1001, or give up the one that is being opened, and let `run` end."""
        self._stopping = True
        self.wake()
        if self._opening is not None and not self._opening.expired():
            self._opening.reschedule(asyncio.get_running_loop().time())
        if self._socket is not None:
            await self._socket.close(GOING_AWAY)

    def reset_ping(self) -> None:
        """Take up a changed ping interval."""
        if self._ping is not None:
            self._ping.cancel()
            self._ping = None
        interval_s = self._parameters.ping_interval_s
        if self._socket is not None and interval_s > 0:
            self._ping = self._clock.call_later(interval_s, self._send_ping)

    def called(self, action: str, seconds: float | None, outcome: str) -> None:
        """Pass on how a call ended (`ExchangeObserver`)."""
        self._listener.called(self._settings.station_id, action, seconds, outcome)

    def handled(self, action: str, seconds: float, outcome: str) -> None:
        """A call of the CSMS's was answered (`ExchangeObserver`); the station's own log tells what it did."""

    def ignored(self, reason: str) -> None:
        """Pass on that a text was dropped (`ExchangeObserver`)."""
        self._listener.called(self._settings.station_id, "", None, f"ignored:{reason}")

    async def _open(self) -> asyncio.Future[str]:
        settings = self._settings
        closed = self._closed = asyncio.get_running_loop().create_future()
        headers = {}
        if self.password is not None:
            credentials = b64encode(f"{settings.station_id}:{self.password}".encode()).decode("ascii")
            headers["Authorization"] = f"Basic {credentials}"
        try:  # awaited in this task, as the dial wants it; `close` makes its time run out
            async with asyncio.timeout(None) as self._opening:
                socket = await self._dial(
                    f"{settings.csms_url.rstrip('/')}/{settings.station_id}",
                    subprotocols=(settings.version.subprotocol,),
                    headers=headers,
                    ssl_context=settings.ssl_context,
                    source_address=settings.source_address,
                    on_text=self._receive,
                    on_closed=self._on_closed,
                    max_frame_bytes=settings.max_frame_bytes,
                    open_timeout_s=settings.open_timeout_s,
                )
        finally:
            self._opening = None
        if self._stopping:
            await socket.close(GOING_AWAY)
            raise ConnectionLost("stopped")
        self._socket = socket
        self._exchange = Exchange(
            settings.version,
            send=self._sender(socket),
            handle=self._handle,
            new_id=self._new_id,
            observer=self,
            validate_answers=settings.validate,
            tolerate_unknown=True,
        )
        self.reconnects += 1
        self.reset_ping()
        return closed

    async def _stay(self, closed: asyncio.Future[str], failed: int) -> bool:
        """Live on the open socket to its end; return whether the CSMS took it."""
        taken = False
        reason = "no answer to the boot"
        try:
            await self._events.opened(failed)
            taken = True
            reason = await closed
        except OcppError as error:
            reason = closed.result() if closed.done() else str(error)
        except asyncio.CancelledError:
            self._stopping = True
            raise
        finally:
            self._let_go(reason, closed)
        return taken

    def _let_go(self, reason: str, closed: asyncio.Future[str]) -> None:
        """Forget the socket; one that stands is dropped. The station hears of it before its calls end."""
        socket, self._socket = self._socket, None
        exchange, self._exchange = self._exchange, None
        if self._ping is not None:
            self._ping.cancel()
            self._ping = None
        if exchange is not None:
            self._events.closed(reason)
            exchange.close(reason)
        if socket is not None and (closed.cancelled() or not closed.done()):
            socket.abort()

    def _receive(self, data: bytes) -> None:
        exchange, socket, faults = self._exchange, self._socket, self._settings.faults
        if exchange is None or socket is None:
            return
        self.active_at_s = self._clock.now_s()
        if faults is None:
            exchange.receive(data)
        else:
            faults.incoming(data, exchange.receive, socket.abort)

    def _sender(self, socket: ClientSocket) -> Callable[[bytes], None]:
        faults = self._settings.faults
        if faults is None:
            return socket.send
        return lambda data: faults.outgoing(data, socket.send, socket.abort, self._left_late)

    def _left_late(self, message_id: str) -> None:
        if self._exchange is not None:
            self._exchange.left_late(message_id)

    def _on_closed(self, reason: str) -> None:
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(reason)
        if self._exchange is not None:
            self._events.closed(reason)
            self._exchange.close(reason)
            self._exchange = None
        self.wake()

    def _send_ping(self) -> None:
        if self._socket is not None:
            self._socket.ping()
        self._ping = None
        self.reset_ping()

    def _new_id(self) -> str:
        self._messages += 1
        return f"{self._message_prefix}-{self._messages:x}"

    def _pause_s(self, failed: int) -> float:
        backoff = self._settings.backoff
        absent_s = self._absent_until_s - self._clock.now_s()
        if absent_s > 0 and not self._hurried:
            return absent_s
        most_s = min(backoff.longest_s, HURRIED_PAUSE_S) if self._hurried else backoff.longest_s
        longest_s = min(most_s, backoff.first_s * 2.0 ** min(failed - 1, 30))
        return longest_s * (1.0 - backoff.jitter * self._rng.random())
