"""aiomqtt, wrapped: one connection to a broker, from CONNECT to its end.

What had to be known of aiomqtt 2.5 (over paho-mqtt 2) and is dealt with here:

- Its message iterator makes a task per message. Its queue type can be chosen, so messages are taken from the queue's
  own ``put_nowait``, and the iterator is used for what it also does: to end when the connection does.
- It connects in a thread, which a cancellation does not end, and it leaves its socket open when the broker accepts the
  connection and does not answer. The thread is waited for, the socket closed.
- It does not notice that a peer which has not answered yet closed the connection.
- It watches a socket by its number, later, when it may be another's; see `_on_socket_register_write`.
- A broker may deliver what was never subscribed (amqtt does, to a new client), so readers match filters again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import ssl
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import aiomqtt

from evcharging.mqtt.address import MqttAddress
from evcharging.mqtt.protocol import QoS, Will

__all__ = ["ANSWER_LIMIT_S", "Connection", "ConnectionEnded"]

ANSWER_LIMIT_S = 5.0
"""How long the broker may take over an answer (CONNACK, SUBACK, PUBACK) before the connection counts as dead."""

GOODBYE_LIMIT_S = 2.0

OnMessage = Callable[[str, bytes, bool], None]
"""Is handed topic, payload and whether the message was retained. It must not block or raise."""

ConnectionEnded = aiomqtt.MqttError
"""What every method here raises when there is no connection, or no longer."""


class Connection:
    """One connection. `open` it once; always `close` it."""

    def __init__(
        self,
        address: MqttAddress,
        *,
        client_id: str,
        will: Will | None,
        keepalive_s: int,
        on_message: OnMessage,
    ) -> None:
        self._client = _Client(
            address.host,
            address.port,
            identifier=client_id,
            username=address.username,
            password=address.password,
            tls_context=_tidy(address.tls_context()),
            will=aiomqtt.Will(will.topic, will.payload, qos=1, retain=True) if will else None,
            protocol=aiomqtt.ProtocolVersion.V311,
            clean_session=True,
            keepalive=keepalive_s,
            timeout=ANSWER_LIMIT_S,
            queue_type=_hands_to(on_message),
            logger=_SILENT,
        )
        self._client.pending_calls_threshold = 1 << 16
        self._is_open = False

    async def open(self) -> None:
        """Connect.

        Raises:
            ConnectionEnded: refused, unreachable, not authorised, or no answer in time.
        """
        opening = asyncio.ensure_future(self._client.__aenter__())
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            await self._client.wait_dialled(opening)
            opening.cancel()
            with contextlib.suppress(ConnectionEnded, asyncio.CancelledError):
                await opening
            raise
        except (ValueError, RuntimeError) as error:
            raise ConnectionEnded(str(error)) from error
        self._is_open = True

    async def ended(self) -> None:
        """Wait for the connection's end. Always raises `ConnectionEnded`, with the reason."""
        async for _ in self._client.messages:
            raise AssertionError("messages are taken before they reach the iterator")

    async def publish(self, topic: str, payload: bytes, *, qos: QoS, retain: bool) -> None:
        """Return when the broker has it (QoS 1) or the network does (QoS 0)."""
        await self._client.publish(topic, payload, qos=qos, retain=retain, timeout=ANSWER_LIMIT_S if qos else math.inf)

    async def subscribe(self, filters: Mapping[str, QoS]) -> list[str]:
        """Subscribe; returns the filters that the broker refused."""
        asked: list[tuple[str, int]] = list(filters.items())
        answers = await self._client.subscribe(asked)
        return [name for (name, _), answer in zip(asked, answers, strict=False) if _is_refusal(answer)]

    async def unsubscribe(self, filters: Iterable[str]) -> None:
        """Unsubscribe."""
        await self._client.unsubscribe(list(filters))

    async def close(self) -> None:
        """Say goodbye if there is anybody to say it to, and free the socket. Does not raise."""
        try:
            if self._is_open:
                async with asyncio.timeout(GOODBYE_LIMIT_S):
                    await self._client.__aexit__(None, None, None)
        except (ConnectionEnded, TimeoutError, OSError):
            pass  # nobody there: the broker publishes the will, as it should
        finally:
            self._client.free()


class _Client(aiomqtt.Client):
    _dialled = False

    async def wait_dialled(self, opening: asyncio.Future[Any]) -> None:
        """Wait until the thread that connects has ended; paho gives up after 5 s."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * ANSWER_LIMIT_S):
                while not (self._dialled or opening.done()):  # noqa: ASYNC110 - a thread sets it
                    await asyncio.sleep(0.01)

    def free(self) -> None:
        """Let go of the socket, whatever its state."""
        self._client._sock_close()  # noqa: SLF001 - paho has no public way to leave a peer that does not answer
        for future in (self._connected, self._disconnected):
            if not future.done():
                future.cancel()
            elif not future.cancelled():
                future.exception()  # somebody has to look at it

    def _client_connect(self) -> None:
        try:
            super()._client_connect()
        finally:
            self._dialled = True

    def _on_disconnect(self, *given: Any, **more: Any) -> None:
        if not self._connected.done():  # aiomqtt would wait out the time that the answer may take
            self._connected.set_exception(aiomqtt.MqttError("the peer closed the connection and did not answer"))
        super()._on_disconnect(*given, **more)

    def _on_socket_register_write(self, client: Any, userdata: Any, sock: Any) -> None:
        # aiomqtt passes the file descriptor's number to a later turn of the loop, at the cost of two system calls a
        # message. The socket can be closed by then and its number belong to another one, watched in its stead.
        def watch() -> None:
            if sock.fileno() >= 0:
                self._loop.add_writer(sock.fileno(), self._write)

        if self._dialled:
            watch()
        else:  # still in the thread that connects
            self._loop.call_soon_threadsafe(watch)

    def _write(self) -> None:
        try:
            self._client.loop_write()
        except Exception as error:  # noqa: BLE001 - whatever it was, the connection is gone
            if not self._disconnected.done():
                self._disconnected.set_exception(error)


class _TidySocket(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:
        # paho forgets a socket whose handshake failed, and leaves it to the garbage collector.
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def _tidy(context: ssl.SSLContext | None) -> ssl.SSLContext | None:
    if context is not None:
        context.sslsocket_class = _TidySocket
    return context


_SILENT = logging.getLogger("evcharging.mqtt.paho")
_SILENT.setLevel(logging.CRITICAL)  # what matters of it is raised, and logged once by the client


def _hands_to(on_message: OnMessage) -> type[asyncio.Queue[aiomqtt.Message]]:
    class Handed(asyncio.Queue[aiomqtt.Message]):
        def put_nowait(self, item: aiomqtt.Message) -> None:
            on_message(item.topic.value, bytes(item.payload), item.retain)

    return Handed


def _is_refusal(answer: Any) -> bool:
    return bool(answer.is_failure) if hasattr(answer, "is_failure") else int(answer) >= 0x80
