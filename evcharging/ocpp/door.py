"""One connection until its opening is decided: the request is read, decided about, and accepted or refused.

What is accepted leaves for picows (`evcharging.ocpp.server_socket`), with whatever was read behind the request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import structlog

from evcharging.ocpp.server_socket import ServerSocket, SocketHandler, SocketOwner, take_over
from evcharging.ocpp.upgrade import (
    MOST_HEAD_BYTES,
    NO_WEBSOCKET,
    BadRequest,
    Refusal,
    UpgradeRequest,
    parse_request,
    refusal_bytes,
    refused_unread,
)

__all__ = ["Acceptance", "Decide", "Decision", "Dismissal", "Door", "DoorOwner", "TlsDoor"]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Complete the opening with ``subprotocol``, and talk to ``handler``."""

    subprotocol: str
    handler: SocketHandler


@dataclass(frozen=True, slots=True)
class Dismissal:
    """Complete the opening without a subprotocol and close at once, as OCPP-J asks where none is agreed upon."""

    code: int
    reason: str


Decision: TypeAlias = Acceptance | Dismissal | Refusal
Decide: TypeAlias = Callable[[UpgradeRequest], Decision | Awaitable[Decision]]


class DoorOwner(SocketOwner, Protocol):
    """The server whose doors these are."""

    @property
    def decide(self) -> Decide:
        """Accepts, dismisses or refuses a request; it may take its time."""

    @property
    def refused(self) -> Callable[[str, UpgradeRequest | None], None]:
        """Is told why an opening did not succeed."""

    @property
    def open_timeout_s(self) -> float:
        """How long an opening may take."""

    @property
    def doors(self) -> set[Door]:
        """Those that are open; each enters and leaves by itself."""

    @property
    def overrun(self) -> bool:
        """Whether there are more connections than may be."""


class Door(asyncio.Protocol):
    """Reads one request and has it decided, then hands the connection over to picows, or refuses it."""

    def __init__(self, server: DoorOwner) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._read = b""
        self._request: UpgradeRequest | None = None
        self._deciding: asyncio.Future[Decision] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Of `asyncio.Protocol`."""
        self._transport = transport
        self._server.doors.add(self)
        if self._server.overrun:
            self._finish()
            self._server.refused("full", None)
            transport.abort()
            return
        self._timer = asyncio.get_running_loop().call_later(
            self._server.open_timeout_s, self.give_up, 408, "timeout", "the opening took too long\n"
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Of `asyncio.Protocol`."""
        if self._transport is not None:
            self._finish()
            self._server.refused("gone", self._request)

    def data_received(self, data: bytes) -> None:
        """Of `asyncio.Protocol`."""
        if self._transport is None:
            return
        if not self._read and (refusal := refused_unread(data)) is not None:
            self._refuse(refusal)
            return
        self._read += data
        if self._request is not None:
            if len(self._read) > MOST_HEAD_BYTES:
                self._transport.pause_reading()  # it talks before it is let in
            return
        head, end, rest = self._read.partition(b"\r\n\r\n")
        if not end or len(head) > MOST_HEAD_BYTES:
            if len(self._read) > MOST_HEAD_BYTES:
                self.give_up(431, NO_WEBSOCKET, f"a request's head has {MOST_HEAD_BYTES} bytes at most\n")
            return
        self._read = rest
        self._consider(head)

    def give_up(self, status: int, reason: str, text: str) -> None:
        """Refuse whatever it wanted."""
        self._refuse(Refusal(status, reason, text))

    def _consider(self, head: bytes) -> None:
        assert self._transport is not None  # noqa: S101 - a connection that is lost delivers nothing
        told = self._transport.get_extra_info
        secure = told("sslcontext") is not None or told("ssl_object") is not None
        try:
            self._request = parse_request(
                head, remote=_address(told("peername")), secure=secure, certificate=told("peercert") if secure else None
            )
            decision = self._server.decide(self._request)
        except BadRequest as error:
            self._refuse(error.refusal)
            return
        except Exception:
            log.exception("an opening could not be decided")
            self.give_up(500, "failed", "the opening could not be decided\n")
            return
        if isinstance(decision, (Acceptance, Dismissal, Refusal)):
            self._settle(decision)
        else:
            self._deciding = asyncio.ensure_future(decision)
            self._deciding.add_done_callback(self._decided)

    def _decided(self, deciding: asyncio.Future[Decision]) -> None:
        if deciding.cancelled() or self._transport is None:
            return
        error = deciding.exception()
        if error is not None:
            log.error("an opening could not be decided", exc_info=error)
            self.give_up(500, "failed", "the opening could not be decided\n")
        else:
            self._settle(deciding.result())

    def _settle(self, decision: Decision) -> None:
        if isinstance(decision, Refusal):
            self._refuse(decision)
            return
        transport, request = self._transport, self._request
        assert transport is not None and request is not None  # noqa: S101, PT018 - both are there once it is decided
        subprotocol: str | None = None
        handler: SocketHandler
        if isinstance(decision, Acceptance):
            subprotocol = decision.subprotocol
            handler = decision.handler
        else:
            handler = _Dismissed(decision)
        self._finish()
        take_over(
            transport,
            self._read,
            key=request.key,
            subprotocol=subprotocol,
            handler=handler,
            owner=self._server,
            remote=request.remote,
        )
        transport.resume_reading()

    def _refuse(self, refusal: Refusal) -> None:
        transport = self._transport
        if transport is None:
            return
        self._finish()
        self._server.refused(refusal.reason, self._request)
        transport.write(refusal_bytes(refusal))
        transport.close()

    def _finish(self) -> None:
        self._transport = None
        self._server.doors.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None  # it holds this door, which holds the timer
        if self._deciding is not None and not self._deciding.done():
            self._deciding.cancel()


class TlsDoor(Door):
    """Tells of a handshake that failed, which aiofastnet does only by letting go of the protocol it asked for."""

    _shook_hands = False

    def connection_made(self, transport: Any) -> None:
        """Of `asyncio.Protocol`: the handshake is done."""
        self._shook_hands = True
        super().connection_made(transport)

    def __del__(self) -> None:
        if not self._shook_hands:
            self._server.refused("tls_handshake", None)


class _Dismissed:
    """Closes as soon as it is opened."""

    def __init__(self, dismissal: Dismissal) -> None:
        self._dismissal = dismissal

    def opened(self, socket: ServerSocket) -> None:
        socket.close(self._dismissal.code, self._dismissal.reason)

    def text(self, data: bytes) -> None: ...

    def ignored(self, kind: str) -> None: ...

    def closed(self, reason: str) -> None: ...


def _address(peername: Any) -> str:
    return str(peername[0]) if isinstance(peername, tuple) and peername else ""
