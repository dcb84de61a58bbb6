"""One live socket of a station: its calls in both directions, its rate, its trace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from evcharging.apps.ocpp_gateway.intake import Intake
from evcharging.apps.ocpp_gateway.metrics import GatewayMetrics
from evcharging.ocpp.errors import ConnectionLost
from evcharging.ocpp.exchange import Direction, Exchange
from evcharging.ocpp.frames import Call, Frame
from evcharging.ocpp.server_socket import ServerSocket
from evcharging.ocpp.versions import OcppVersion

__all__ = ["ChargePointLink", "LinkHost", "LinkTerms"]

Payload = dict[str, Any]


class LinkHost(Protocol):
    """Who is behind the sockets."""

    def opened(self, link: ChargePointLink) -> None:
        """The opening is complete; calls may go both ways."""

    def closed(self, link: ChargePointLink, reason: str) -> None:
        """The socket is gone; told once, of each link that was opened."""

    def handle(self, link: ChargePointLink, action: str, payload: Payload) -> Payload | Awaitable[Payload]:
        """Answer a call of the station's that is valid by its schema."""

    def rejected(self, link: ChargePointLink, action: str, payload: Payload, code: str) -> None:
        """A call was answered with CALLERROR before it came to `handle`: it breaks its schema."""

    def frame(self, link: ChargePointLink, direction: Direction, frame: Frame | None, raw: bytes | str) -> None:
        """A frame came or goes, readable or not."""


@dataclass(frozen=True, slots=True)
class LinkTerms:
    """What holds for every link. ``clock`` is monotonic, in seconds; ``new_id`` makes message ids."""

    messages_per_s: float
    message_burst: int
    tolerate_unknown_fields: bool
    clock: Callable[[], float]
    new_id: Callable[[], str]


class ChargePointLink:
    """A station's socket. The gateway's `SocketHandler`, and its `ExchangeObserver`.

    Args:
        cp_id: the station.
        version: what was agreed upon.
        remote: the peer's address.
        connected_at: when the opening was decided on.
        host: who is behind it.
        terms: see `LinkTerms`.
        metrics: what is counted.
    """

    __slots__ = (
        "_calls",
        "_came_through",
        "_exchange",
        "_host",
        "_intake",
        "_metrics",
        "_socket",
        "connected_at",
        "cp_id",
        "epoch",
        "remote",
        "version",
    )

    def __init__(
        self,
        cp_id: str,
        version: OcppVersion,
        *,
        remote: str,
        connected_at: datetime,
        host: LinkHost,
        terms: LinkTerms,
        metrics: GatewayMetrics,
    ) -> None:
        self.cp_id = cp_id
        self.version = version
        self.remote = remote
        self.connected_at = connected_at
        self.epoch = 0
        """Set as it is opened; of two links of a station the one with the higher epoch counts."""
        self._host = host
        self._metrics = metrics
        self._socket: ServerSocket | None = None
        self._calls: list[Call] = []
        """Of the station's, not answered yet; the exchange takes them in order."""
        self._came_through = False
        self._intake = Intake(self, per_s=terms.messages_per_s, burst=terms.message_burst, clock=terms.clock)
        self._exchange = Exchange(
            version,
            send=self._send,
            handle=self._handle,
            new_id=terms.new_id,
            observer=self,
            on_frame=self._passed,
            tolerate_unknown=terms.tolerate_unknown_fields,
        )

    async def call(self, action: str, payload: Payload, *, timeout_s: float = 30.0) -> Payload:
        """Ask the station; calls wait for one another. See `Exchange.call` for what is raised."""
        return await self._exchange.call(action, payload, timeout_s=timeout_s)

    def close(self, code: int, reason: str) -> None:
        """End the socket with a goodbye; from here on nothing more is taken or answered. Idempotent."""
        self._exchange.close(reason)
        self._intake.close()
        if self._socket is not None:
            self._socket.close(code, reason)

    def opened(self, socket: ServerSocket) -> None:
        """Of `SocketHandler`."""
        self._socket = socket
        self._host.opened(self)

    def text(self, data: bytes) -> None:
        """Of `SocketHandler`."""
        self._intake.take(data)

    def ignored(self, reason: str) -> None:
        """Of `SocketHandler` and of `ExchangeObserver`."""
        if reason == "ping":
            self._intake.count()
            return
        if reason in ("duplicate", "flood"):
            self._calls.pop()
        self._metrics.ignored(reason)

    def closed(self, reason: str) -> None:
        """Of `SocketHandler`."""
        self._socket = None
        self._exchange.close(reason)
        self._intake.close()
        self._host.closed(self, reason)

    def deliver(self, data: bytes) -> None:
        """Of `Outlet`."""
        self._exchange.receive(data)

    def pause_reading(self) -> None:
        """Of `Outlet`."""
        if self._socket is not None:
            self._socket.pause_reading()

    def resume_reading(self) -> None:
        """Of `Outlet`."""
        if self._socket is not None:
            self._socket.resume_reading()

    def held_back(self) -> None:
        """Of `Outlet`."""
        self._metrics.held_back()

    def handled(self, action: str, seconds: float, outcome: str) -> None:
        """Of `ExchangeObserver`."""
        self._metrics.handled(self.version, action, seconds, outcome)
        call = self._calls.pop(0)
        if outcome != "ok" and not self._came_through:
            self._host.rejected(self, action, call.payload, outcome)
        self._came_through = False

    def called(self, action: str, seconds: float | None, outcome: str) -> None:
        """Of `ExchangeObserver`."""
        self._metrics.called(self.version, action, seconds, outcome)

    def _passed(self, direction: Direction, frame: Frame | None, raw: bytes | str) -> None:
        if direction == "in" and type(frame) is Call:
            self._calls.append(frame)
        self._host.frame(self, direction, frame, raw)

    def _send(self, data: bytes) -> None:
        if self._socket is None:
            raise ConnectionLost("the socket is closed")
        self._socket.send(data)

    def _handle(self, action: str, payload: Payload) -> Payload | Awaitable[Payload]:
        self._came_through = True
        return self._host.handle(self, action, payload)
