"""The connection that stays: `AioMqttClient` keeps the contract of `evcharging.mqtt.protocol` over aiomqtt.

It connects in the background, for ever, with jittered back-off, subscribes and publishes what is retained again after
each reconnection, and sends what waits in order. It never logs or shows a password and never blocks its caller.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from random import Random
from types import TracebackType
from typing import Self

import structlog

from evcharging.mqtt.address import MqttAddress
from evcharging.mqtt.backoff import Backoff
from evcharging.mqtt.connection import Connection, ConnectionEnded
from evcharging.mqtt.outbox import Outbox, Outgoing
from evcharging.mqtt.protocol import MqttHealth, MqttMessage, MqttStopped, QoS, Will
from evcharging.mqtt.stream import MessageStream
from evcharging.mqtt.topics import require_publishable

__all__ = ["AioMqttClient"]

KEEPALIVE_S = 10
QUEUE_LIMIT = 1_000
STREAM_LIMIT = 10_000
BATCH = 64
STEADY_AFTER_S = 5.0
FLUSH_ON_STOP_S = 2.0
CONNECTING = "connecting"

log = structlog.get_logger()


class AioMqttClient:
    """See `evcharging.mqtt.protocol.MqttClient`.

    Args:
        address: of the broker.
        client_id: unique at the broker; a second connection of the same id takes the first one's place.
        will: published by the broker when this connection ends without a goodbye.
        backoff: between attempts to connect.
        random: for the jitter.
        gate: held while connecting, so that many clients of a process do not all connect at once.
        on_connection: told of every change, with the reason for a loss; without it they are logged.
        queue_limit: messages that may wait, retained ones not counted.
        stream_limit: messages that may wait for the reader of a stream.
        keepalive_s: of the MQTT connection; a dead peer is noticed within twice that.
    """

    def __init__(
        self,
        address: MqttAddress,
        *,
        client_id: str,
        will: Will | None = None,
        backoff: Backoff | None = None,
        random: Random | None = None,
        gate: asyncio.Semaphore | None = None,
        on_connection: Callable[[bool, str | None], None] | None = None,
        queue_limit: int = QUEUE_LIMIT,
        stream_limit: int = STREAM_LIMIT,
        keepalive_s: int = KEEPALIVE_S,
    ) -> None:
        self.client_id = client_id
        self._address = address
        self._will = will
        self._backoff = backoff or Backoff()
        self._random = random or Random()
        self._gate = gate or asyncio.Semaphore()
        self._on_connection = on_connection or self._log_connection
        self._stream_limit = stream_limit
        self._keepalive_s = keepalive_s
        self._outbox = Outbox(queue_limit)
        self._streams: list[MessageStream] = []
        self._subscribed: dict[str, QoS] = {}
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self._work = asyncio.Event()
        self._connected = asyncio.Event()
        self._lost = asyncio.Event()
        self._flushed = asyncio.Event()
        self._flushed.set()
        self._connections = 0
        self._overrun = 0
        self._detail: str | None = "not started"

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def start(self) -> None:
        """Begin connecting in the background."""
        if self._stopped:
            raise MqttStopped(f"MQTT client {self.client_id} was stopped; make a new one")
        if self._task is None:
            self._detail = CONNECTING
            self._task = asyncio.create_task(self._stay_connected(), name=f"mqtt:{self.client_id}")

    async def stop(self, *, within_s: float = FLUSH_ON_STOP_S) -> None:
        """Send what waits, say goodbye, disconnect, end the streams."""
        self._stopped = True
        task, self._task = self._task, None
        if task is not None:
            if self._detail is None:
                await self._flush_while_connected(within_s)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            self._detail = "stopped"
        for stream in list(self._streams):
            stream.close()

    def publish(self, topic: str, payload: bytes, *, qos: QoS = 0, retain: bool = False) -> bool:
        """Accept a message for sending, or drop and count it."""
        self._refuse_if_stopped()
        require_publishable(topic)
        accepted = self._outbox.put(topic, payload, qos=qos, retain=retain)
        if accepted:
            self._flushed.clear()
            self._work.set()
        return accepted

    def forget(self, topic: str) -> None:
        """Publish a retained topic no more on later connections."""
        self._outbox.forget(topic)

    def subscribe(self, filters: Mapping[str, QoS]) -> MessageStream:
        """Receive what matches any of ``filters``."""
        self._refuse_if_stopped()
        stream = MessageStream(filters, limit=self._stream_limit, on_close=self._forget)
        self._streams.append(stream)
        for name in filters:  # one that another stream has is subscribed again, for its retained messages
            self._subscribed.pop(name, None)
        self._connected.clear()
        self._work.set()
        return stream

    async def wait_connected(self) -> None:
        """Return once connected and subscribed."""
        await self._connected.wait()

    async def flush(self) -> None:
        """Return once nothing waits."""
        await self._flushed.wait()

    def health(self) -> MqttHealth:
        """How the connection fares."""
        return MqttHealth(
            connected=self._detail is None,
            connections=self._connections,
            waiting=len(self._outbox),
            dropped_qos0=self._outbox.dropped_qos0,
            dropped_qos1=self._outbox.dropped_qos1,
            overrun=self._overrun + sum(stream.overrun for stream in self._streams),
            detail=self._detail,
        )

    async def _stay_connected(self) -> None:
        attempt = 0
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                reason = await self._one_connection()
            except Exception as error:
                log.exception("the MQTT connection failed in an unforeseen way", client_id=self.client_id)
                reason = repr(error)
            attempt = 0 if loop.time() - began > STEADY_AFTER_S else attempt + 1
            if self._detail is None or self._detail == CONNECTING:
                self._on_connection(False, reason)
            self._detail = reason
            await asyncio.sleep(self._backoff.pause_s(attempt, self._random))

    async def _one_connection(self) -> str:
        connection = Connection(
            self._address,
            client_id=self.client_id,
            will=self._will,
            keepalive_s=self._keepalive_s,
            on_message=self._dispatch,
        )
        try:
            async with self._gate:
                await connection.open()
            self._lost.clear()
            self._subscribed.clear()
            self._outbox.connection_made()
            self._connections += 1
            await self._serve(connection)
        except ConnectionEnded as error:
            return str(error.__cause__ or error) or type(error).__name__
        finally:
            self._connected.clear()
            self._lost.set()
            self._outbox.connection_lost()
            self._note_flushed()
            await connection.close()
        return "the connection ended"

    async def _serve(self, connection: Connection) -> None:
        ended = asyncio.ensure_future(connection.ended())
        writing = asyncio.ensure_future(self._write(connection))
        try:
            await asyncio.wait({ended, writing}, return_when=asyncio.FIRST_COMPLETED)
            await (ended if ended.done() else writing)
        finally:
            for task in (ended, writing):
                task.cancel()
            await asyncio.gather(ended, writing, return_exceptions=True)

    async def _write(self, connection: Connection) -> None:
        while True:
            self._work.clear()
            if not self._connected.is_set():
                await self._settle_subscriptions(connection)
            batch = self._outbox.take(BATCH)
            if not batch:
                self._note_flushed()
                await self._work.wait()
                continue
            self._work.set()
            for outcome in await asyncio.gather(*(self._send(connection, m) for m in batch), return_exceptions=True):
                if outcome is not None:
                    raise outcome

    async def _send(self, connection: Connection, message: Outgoing) -> None:
        await connection.publish(message.topic, message.payload, qos=message.qos, retain=message.retain)
        self._outbox.arrived(message)

    async def _settle_subscriptions(self, connection: Connection) -> None:
        while True:
            wanted: dict[str, QoS] = {}
            for stream in self._streams:
                for name, qos in stream.filters.items():
                    wanted[name] = 1 if qos == 1 else wanted.get(name, 0)
            missing = {name: qos for name, qos in wanted.items() if self._subscribed.get(name) != qos}
            surplus = self._subscribed.keys() - wanted.keys()
            if not missing and not surplus:
                break
            if missing:
                self._subscribed.update(missing)
                refused = await connection.subscribe(missing)
                if refused:
                    log.error("the MQTT broker refused subscriptions", client_id=self.client_id, filters=refused)
            if surplus:
                for name in surplus:
                    self._subscribed.pop(name, None)
                await connection.unsubscribe(surplus)
        self._connected.set()
        if self._detail is not None:
            self._detail = None
            self._on_connection(True, None)

    def _dispatch(self, topic: str, payload: bytes, retained: bool) -> None:
        message = MqttMessage(topic, payload, retained, self._connections)
        for stream in self._streams:
            if stream.wants(topic):
                stream.offer(message)

    def _forget(self, stream: MessageStream) -> None:
        self._overrun += stream.overrun
        self._streams.remove(stream)
        self._connected.clear()
        self._work.set()

    def _note_flushed(self) -> None:
        if not len(self._outbox):
            self._flushed.set()

    async def _flush_while_connected(self, within_s: float) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in (self._flushed, self._lost)]
        try:
            await asyncio.wait(waits, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _refuse_if_stopped(self) -> None:
        if self._stopped:
            raise MqttStopped(f"MQTT client {self.client_id} was stopped; make a new one")

    def _log_connection(self, connected: bool, reason: str | None) -> None:
        if connected:
            log.info("connected to the MQTT broker", broker=str(self._address), client_id=self.client_id)
        else:
            log.warning("no MQTT broker", broker=str(self._address), client_id=self.client_id, reason=reason)
