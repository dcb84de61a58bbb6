"""Central's TCP control plane: monitors register charge points and report their health in frames.

The conversation is `evcharging.apps.ev_central.tcp_link`; this shell reads, writes and keeps time. What is wrong with
one connection (damage, garbage, too slow, too large, no message of ours) costs that connection and is counted.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import structlog
from prometheus_client import Counter, Gauge
from pydantic import ValidationError

from evcharging.apps.ev_central.errors import CentralError
from evcharging.apps.ev_central.framing import Fault, Frame, LinkBroken, Signal
from evcharging.apps.ev_central.tcp_link import ANSWER_WITHIN_S, IDLE_S, ServerLink
from evcharging.messages.control import HealthReport, RegisterFrame, Registration, control_frame
from evcharging.store.database import DatabaseUnavailable

__all__ = ["OnHealth", "OnRegister", "TcpControlPlane"]

MAX_CONNECTIONS = 1024
CHUNK_BYTES = 4096
HANDLER_WITHIN_S = 0.75 * ANSWER_WITHIN_S

CONNECTIONS = Gauge("evcharging_central_tcp_connections", "Open connections of the TCP control plane.")
FRAMES = Counter("evcharging_central_tcp_frames_total", "Frames by what was answered.", ["type", "answer"])
REFUSED = Counter("evcharging_central_tcp_refused_total", "Connections and frames not taken, by why.", ["reason"])
for reason in (*Fault, "too_many_connections"):
    REFUSED.labels(str(reason))

log = structlog.get_logger().bind(who="Central:tcp")

OnRegister = Callable[[Registration], Awaitable[object]]
OnHealth = Callable[[str, HealthReport], Awaitable[object]]


class TcpControlPlane:
    """Serves the control plane on a bound socket for as long as its ``async with`` block runs.

    A handler that returns is answered ACK. One that raises `CentralError` or `DatabaseUnavailable`, or takes longer
    than 1.5 s, is answered NACK: the peer repeats it, later registers again. Any other error of a handler is logged and
    ends the connection.

    Args:
        sock: bound and listening, see `evcharging.apps.runtime.http.bind`.
        on_register: called with each registration.
        on_health: called with the charge point's id and the report; raises `UnknownChargePoint` where it is not
            registered.
        available: whether frames are taken now; ENQ is answered NACK while it returns False.
        max_connections: one more is answered NACK and closed.
        idle_s: an open connection that says nothing for so long is closed, seconds.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        on_register: OnRegister,
        on_health: OnHealth,
        available: Callable[[], bool] = lambda: True,
        max_connections: int = MAX_CONNECTIONS,
        idle_s: float = IDLE_S,
    ) -> None:
        self._sock = sock
        self._on_register = on_register
        self._on_health = on_health
        self._available = available
        self._max_connections = max_connections
        self._idle_s = idle_s
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, sock=self._sock, limit=CHUNK_BYTES)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None  # noqa: S101 - entered before
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port listened on."""
        host, port = self._sock.getsockname()[:2]
        return str(host), int(port)

    @property
    def connections(self) -> int:
        """How many peers are connected."""
        return len(self._connections)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - start_server runs this as a task
        self._connections.add(task)
        CONNECTIONS.inc()
        connection = _Connection(reader, writer, idle_s=self._idle_s)
        try:
            if len(self._connections) > self._max_connections:
                REFUSED.labels("too_many_connections").inc()
                connection.link.reject()
            else:
                await self._converse(connection)
        except LinkBroken as broken:
            REFUSED.labels(str(broken.fault)).inc()
            log.warning("connection ended", peer=connection.peer, fault=str(broken.fault), why=str(broken))
        except ConnectionError:
            log.debug("connection lost", peer=connection.peer)
        except asyncio.CancelledError:
            log.debug("connection ended by shutdown", peer=connection.peer)
        finally:
            self._connections.discard(task)
            CONNECTIONS.dec()
            await connection.close()

    async def _converse(self, connection: _Connection) -> None:
        link = connection.link
        while not link.closed:
            await connection.read()
            while (event := link.next_event(connection.now_s())) is not None:
                if isinstance(event, Frame):
                    await self._take(link, event, connection.peer)
                elif event is Signal.ENQ:
                    link.accept() if self._available() else link.refuse()
            await connection.write()

    async def _take(self, link: ServerLink, frame: Frame, peer: str) -> None:
        if not frame.intact:
            REFUSED.labels(str(Fault.DAMAGED)).inc()
            return
        try:
            message = control_frame(frame.data)
        except ValidationError as error:
            link.reject()
            first = error.errors(include_url=False, include_input=False)[0]
            raise LinkBroken(Fault.INVALID, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        try:
            async with asyncio.timeout(HANDLER_WITHIN_S):
                if isinstance(message, RegisterFrame):
                    await self._on_register(message.registration())
                else:
                    await self._on_health(message.cp_id, message.report())
        except (CentralError, DatabaseUnavailable, TimeoutError) as error:
            link.refuse()
            log.info("not now", peer=peer, cp_id=message.cp_id, type=message.type, why=str(error) or "took too long")
        except Exception:
            link.reject()
            log.exception("handler failed", peer=peer, cp_id=message.cp_id, type=message.type)
        else:
            link.accept()
            FRAMES.labels(message.type, "ack").inc()
            return
        FRAMES.labels(message.type, "nack").inc()


class _Connection:
    """The sockets' side of one `ServerLink`: reads and writes within its deadlines."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, idle_s: float) -> None:
        self.peer = "{}:{}".format(*(writer.get_extra_info("peername") or ("?", "?"))[:2])
        self._reader = reader
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self.link = ServerLink(self._loop.time(), idle_s=idle_s)

    def now_s(self) -> float:
        return self._loop.time()

    async def read(self) -> None:
        """Wait for bytes until the link's deadline.

        Raises:
            LinkBroken: the deadline passed.
            ConnectionError: the peer went away without EOT.
        """
        await asyncio.sleep(0)  # a peer that floods must not keep the loop from the others
        try:
            async with asyncio.timeout_at(self.link.deadline_s):
                piece = await self._reader.read(CHUNK_BYTES)
        except TimeoutError:
            self.link.expire(self.now_s())
            return
        if not piece:
            raise ConnectionResetError("closed by the peer")
        self.link.feed(piece)

    async def write(self) -> None:
        """Send what the link has to say.

        Raises:
            LinkBroken: the peer does not read.
        """
        self._writer.write(self.link.take())
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await self._writer.drain()
        except TimeoutError:
            self._writer.transport.abort()
            raise LinkBroken(Fault.SLOW, "answers are not read") from None

    async def close(self) -> None:
        """Say EOT where that was not said, and close."""
        self.link.close()
        self._writer.write(self.link.take())
        self._writer.close()
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await self._writer.wait_closed()
        except (ConnectionError, TimeoutError):
            self._writer.transport.abort()
