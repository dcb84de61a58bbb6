"""The embedded broker: amqtt, wrapped, for ``evcharging up``, per-service runs and tests.

It keeps nothing on disk: retained messages are gone when it is, which is why publishers send them again. Anonymous
access is for loopback; beyond it a user and a password are needed, which is for the caller to see to.

What had to be known of amqtt 0.12 and is dealt with here:

- A client that falls silent is never disconnected, so its will would never be published: it is dropped after one and a
  half keep-alives (MQTT 3.1.1, section 3.1.2.10). One that never introduces itself is dropped too.
- On connecting, every client is sent the retained messages of everybody's subscriptions, its own or not: with 200 units
  that is 200 times everything. It is left out; a client gets them when it subscribes.
- Its defaults load a plugin that needs psutil and warns, and it logs each connection, refusal and mishap of a client.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hmac
import logging
import socket
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import structlog
from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session

__all__ = ["Access", "EmbeddedBroker", "PortTaken"]

LISTENER = "default"
BACKLOG = 1_024
SILENCE_FACTOR = 1.5
CONNECT_LIMIT_S = 10.0
SWEEP_S = 0.5
CLOSE_LIMIT_S = 2.0

log = structlog.get_logger()


class PortTaken(OSError):
    """Something else listens there."""


class EmbeddedBroker:
    """A broker in this event loop.

    Args:
        host: the address to listen on.
        port: 0 takes a free one; see `port` once started.
        sock: listens already, in place of ``host`` and ``port``. It is closed with the broker.
        username: with ``password``, the only way in; without both, everybody is let in.
        password: see ``username``.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        sock: socket.socket | None = None,
        username: str | None = None,
        password: str | None = None,
    ) -> None:
        self._where: tuple[str, int] = sock.getsockname()[:2] if sock is not None else (host, port)
        self._sock = sock
        self._access = {"username": username, "password": password}
        self._broker: _Broker | None = None
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._where[1]

    @property
    def url(self) -> str:
        """Its address, without credentials."""
        host, port = self._where
        return f"mqtt://[{host}]:{port}" if ":" in host else f"mqtt://{host}:{port}"

    async def start(self) -> None:
        """Listen. A broker can be started again after `stop`, on the same port, as long as it was not given a socket.

        Raises:
            PortTaken: something else does.
            OSError: the address is not this machine's, or not allowed.
        """
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        # amqtt is told that somebody else listens, so that a socket can be given, or a free port taken.
        broker = _Broker(
            BrokerConfig(
                listeners={LISTENER: ListenerConfig(type=ListenerType.EXTERNAL)},
                plugins={f"{Access.__module__}.{Access.__name__}": dict(self._access)},
            )
        )
        host, port = self._where
        try:
            if self._sock is not None:
                server = await asyncio.start_server(broker.connected, sock=self._sock, backlog=BACKLOG)
            else:
                server = await asyncio.start_server(broker.connected, host, port, backlog=BACKLOG)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(error.errno, f"port {port} on {host} is taken") from None
            raise
        self._where = server.sockets[0].getsockname()[:2]
        await broker.start()
        self._broker, self._server = broker, server

    async def stop(self) -> None:
        """Stop listening and disconnect everybody. Idempotent."""
        broker, self._broker = self._broker, None
        server, self._server = self._server, None
        if server is not None:
            server.close()
        if broker is not None:
            await broker.shutdown()


class Access(BaseAuthPlugin):
    """Lets in who has the credentials; everybody where there are none."""

    @dataclass
    class Config:
        """As amqtt builds it from the plugin's section."""

        username: str | None = None
        password: str | None = field(default=None, repr=False)

    async def authenticate(self, *, session: Session) -> bool:
        """Compare in constant time."""
        config: Any = self.config
        if config.username is None:
            session.is_anonymous = True  # nothing is kept for it after it has gone
            return True
        given = f"{session.username or ''}\0{session.password or ''}".encode()
        return hmac.compare_digest(given, f"{config.username}\0{config.password or ''}".encode())


@dataclass(slots=True, eq=False)
class _Peer:
    """A connection, and when it was last heard."""

    address: tuple[str, int] | None
    transport: asyncio.WriteTransport
    task: asyncio.Task[None] | None
    heard_at_s: float


class _Broker(Broker):
    def __init__(self, config: BrokerConfig) -> None:
        super().__init__(config)
        self._peers: set[_Peer] = set()
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await super().start()
        self._sweeping = asyncio.create_task(self._sweep(), name="mqtt-broker-sweep")

    async def shutdown(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        await super().shutdown()
        for peer in self._peers:
            peer.transport.abort()
        serving = [peer.task for peer in self._peers if peer.task is not None]
        if serving:
            _, pending = await asyncio.wait(serving, timeout=CLOSE_LIMIT_S)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client to its end."""
        stream = StreamWriterAdapter(writer)
        now_s = asyncio.get_running_loop().time()
        peer = _Peer(stream.get_peer_info(), writer.transport, asyncio.current_task(), now_s)
        self._peers.add(peer)
        try:
            await self.external_connected(_Listening(reader, peer), stream, LISTENER)
        except Exception as error:  # noqa: BLE001 - one client's trouble is not the broker's
            log.debug("an MQTT client was dropped", why=repr(error))
        finally:
            self._peers.discard(peer)
            writer.close()
            # Cancelled here, at the end of the process, it would be reported by asyncio's streams as an error (3.11).
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        if any(subscriber is session for subscriber, _ in self._subscriptions.get(subscription[0], ())):
            await super()._publish_retained_messages_for_subscription(subscription, session)

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_S)
            limits = {
                (session.remote_address, session.remote_port): session.keep_alive * SILENCE_FACTOR
                for session, _ in self.sessions.values()
            }
            for peer in list(self._peers):
                limit_s = limits.get(peer.address, CONNECT_LIMIT_S) if peer.address else CONNECT_LIMIT_S
                if 0 < limit_s < loop.time() - peer.heard_at_s:
                    peer.transport.abort()


class _Listening(StreamReaderAdapter):
    def __init__(self, reader: asyncio.StreamReader, peer: _Peer) -> None:
        super().__init__(reader)
        self._peer = peer
        self._time = asyncio.get_running_loop().time

    async def read(self, n: int = -1) -> bytes:
        data = await super().read(n)
        self._peer.heard_at_s = self._time()
        return data
