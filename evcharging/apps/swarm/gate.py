"""What every frame and every connection of a swarm station passes on its way out.

Nothing goes out without the lease, so that a worker that stood still and lost its stations says no word in their
names, and nothing in the name of a station that the book no longer speaks for: what waits for the log when another
claims the station is never sent. A message about a transaction waits until the log has what it says, and an answer to
the CSMS until the log has what was set by it. At the end of the
worker, sockets close with 1001. It reads no frame beyond its action, and holds none back for longer than
`StatusBook.written` takes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from ssl import SSLContext
from typing import Final

from evcharging.apps.swarm import metrics
from evcharging.apps.swarm.book import StatusBook
from evcharging.apps.swarm.lease import Lease
from evcharging.ocpp.errors import OcppError
from evcharging.ocpp.station.interfaces import ClientSocket, Dial

__all__ = ["GOING_AWAY", "Gate", "NotOurs"]

GOING_AWAY: Final = 1001
ABOUT_A_TRANSACTION: Final = (b'"MeterValues"', b'"StartTransaction"', b'"StopTransaction"', b'"TransactionEvent"')
ACTION_WITHIN: Final = 96
"""Bytes from the start of a call in which its action stands: behind a message id of 36 characters at most."""
CALL: Final = b"[2"


class NotOurs(OcppError):
    """The station may be another worker's now: it is not connected until that is known."""


class Gate:
    """What the sockets of one worker have in common.

    Args:
        dial: opens a socket.
        lease: must be held for anything to go out.
        may_dial: whether a connection may be opened now, beyond the lease.
        book: knows what the log has, and whom it speaks for.
    """

    def __init__(self, dial: Dial, *, lease: Lease, may_dial: Callable[[], bool], book: StatusBook) -> None:
        self._dial = dial
        self.lease = lease
        self._may_dial = may_dial
        self.book = book
        self.leaving = False
        self._sockets: dict[str, _GatedSocket] = {}
        self._held: set[asyncio.Task[None]] = set()

    def dial_for(self, station_id: str) -> Dial:
        """How that station opens its sockets."""

        async def dial(
            url: str,
            *,
            subprotocols: Sequence[str],
            headers: Mapping[str, str],
            ssl_context: SSLContext | None,
            source_address: str | None,
            on_text: Callable[[bytes], None],
            on_closed: Callable[[str], None],
            max_frame_bytes: int,
            open_timeout_s: float,
        ) -> ClientSocket:
            self._refuse_if_not_ours(station_id)
            await self.book.claimed(station_id)  # others see whose it is before the CSMS does
            self._refuse_if_not_ours(station_id)

            gated: _GatedSocket | None = None

            def closed(reason: str) -> None:
                if self._sockets.get(station_id) is gated:
                    self._sockets.pop(station_id, None)
                on_closed(reason)

            inner = await self._dial(
                url,
                subprotocols=subprotocols,
                headers=headers,
                ssl_context=ssl_context,
                source_address=source_address,
                on_text=on_text,
                on_closed=closed,
                max_frame_bytes=max_frame_bytes,
                open_timeout_s=open_timeout_s,
            )
            gated = self._sockets[station_id] = _GatedSocket(inner, station_id, self)
            return gated

        return dial

    def say_goodbye(self, station_id: str) -> asyncio.Task[None] | None:
        """Begin to close the station's socket with 1001, if it has one."""
        socket = self._sockets.get(station_id)
        if socket is None:
            return None
        task = asyncio.create_task(socket.close(GOING_AWAY), name=f"goodbye:{station_id}")
        self._keep(task)
        return task

    def send_once_written(self, socket: _GatedSocket, data: bytes) -> None:
        """Send ``data`` when the log has what it says; what is behind it may overtake it, answers do."""
        self._keep(asyncio.create_task(self._send_once_written(socket, data), name=f"gate:{socket.station_id}"))

    async def _send_once_written(self, socket: _GatedSocket, data: bytes) -> None:
        await self.book.written(socket.station_id)
        with contextlib.suppress(OcppError, OSError):  # the socket went meanwhile; its station has heard of that
            socket.send_now(data)

    def may_speak_for(self, station_id: str) -> bool:
        """Whether a frame may go out in the station's name at this moment."""
        return self.lease.held and station_id in self.book

    def _refuse_if_not_ours(self, station_id: str) -> None:
        if not self.may_speak_for(station_id) or not self._may_dial():
            raise NotOurs("this worker cannot know at the moment whether the station is still its own")

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._held.add(task)
        task.add_done_callback(self._held.discard)


class _GatedSocket:
    __slots__ = ("_gate", "_inner", "station_id")

    def __init__(self, inner: ClientSocket, station_id: str, gate: Gate) -> None:
        self._inner = inner
        self._gate = gate
        self.station_id = station_id

    @property
    def subprotocol(self) -> str | None:
        return self._inner.subprotocol

    def send(self, data: bytes) -> None:
        if data.startswith(CALL):
            first_the_log = any(data.find(action, 0, ACTION_WITHIN) > 0 for action in ABOUT_A_TRANSACTION)
        else:
            first_the_log = self._gate.book.set_anew(self.station_id)
        if first_the_log:
            self._gate.send_once_written(self, data)
        else:
            self.send_now(data)

    def send_now(self, data: bytes) -> None:
        if self._gate.may_speak_for(self.station_id):
            self._inner.send(data)
        else:
            metrics.FRAMES_WITHHELD.inc()
            self._inner.abort()

    def ping(self) -> None:
        if self._gate.may_speak_for(self.station_id):
            self._inner.ping()

    async def close(self, code: int = 1000) -> None:
        await self._inner.close(GOING_AWAY if self._gate.leaving else code)

    def abort(self) -> None:
        self._inner.abort()
