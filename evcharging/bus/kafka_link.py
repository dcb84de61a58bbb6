"""One idempotent producer at a time: connected, watched, and replaced when it failed or its broker moved.

It knows nothing of what is sent; `evcharging.bus.kafka_sender` keeps the records and hands them over again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from evcharging.bus.bounded import ended
from evcharging.bus.kafka_cluster import describe_cluster, quiet_library_logs, why_unreachable
from evcharging.bus.kafka_settings import KafkaSettings
from evcharging.bus.ratelimit import RateLimit

__all__ = ["Link", "ProducerReplaced"]

log = structlog.get_logger(__name__)

PROBE_EVERY_S = 2.0
PROBE_TIMEOUT_S = 5.0
RETRY_S = 0.5
COMPLAIN_PER_S = 0.2
LOOK_ELSEWHERE_AFTER_S = 6.0
DRAIN_S = 10.0
CLOSE_S = 2.0


class ProducerReplaced(Exception):
    """The producer was replaced before the batch was acknowledged; it is to be sent again."""


class Link:
    """The producer of the moment and what is known of its connection.

    ``moves`` counts how often the broker was found at another address: whoever is connected to the old one is lost.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self.current: AIOKafkaProducer | None = None
        self.connected = False
        self.detail: str | None = "not started"
        self.moves = 0
        self._ready = asyncio.Event()
        self._in_flight: set[asyncio.Future[Any]] = set()
        self._replacing: asyncio.Task[None] | None = None
        self._probing: asyncio.Task[None] | None = None
        self._on_news: Callable[[], None] = lambda: None

    async def start(self, *, on_news: Callable[[], None]) -> None:
        """Wait for the broker: one line in the log at first, then one every 5 s."""
        quiet_library_logs()
        self._on_news = on_news
        await self._connect()
        self._probing = asyncio.create_task(self._probe(), name="bus probe")

    async def stop(self) -> None:
        """Disconnect, dropping what is in flight."""
        tasks = [task for task in (self._probing, self._replacing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._abandon()
        if self.current is not None:
            producer, self.current = self.current, None
            await _discard(producer)
        self._set_connected(connected=False, detail="stopped")

    async def producer(self) -> AIOKafkaProducer:
        """The producer to use now; waits while there is none."""
        while self.current is None:
            await self._ready.wait()
        return self.current

    async def deliver(self, producer: AIOKafkaProducer, batch: Any, topic: str, partition: int) -> None:
        """Hand ``batch`` to ``producer`` and wait until the broker has it.

        Raises:
            ProducerReplaced: the producer is not used any more.
            KafkaError: aiokafka has given up on the batch.
        """
        if producer is not self.current:
            raise ProducerReplaced
        outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._in_flight.add(outcome)
        try:
            delivery = await producer.send_batch(batch, topic, partition=partition)
            delivery.add_done_callback(lambda done: _pass_on(done, outcome))
            await outcome
        finally:
            self._in_flight.discard(outcome)

    def replace(self, producer: AIOKafkaProducer, error: BaseException) -> None:
        """Use ``producer`` no more: let its other batches end, then connect a new one."""
        if producer is self.current and self._replacing is None:
            log.warning("replacing a producer; what was not acknowledged is sent again", error=repr(error))
            self.current = None
            self._ready.clear()
            self._replacing = asyncio.create_task(self._replace(producer), name="bus replace producer")

    async def _replace(self, producer: AIOKafkaProducer) -> None:
        try:
            waited = time.monotonic() + DRAIN_S
            while self._in_flight and time.monotonic() < waited:
                await asyncio.wait(set(self._in_flight), timeout=0.5)
            self._abandon()
            await _discard(producer)
            await asyncio.sleep(RETRY_S)
            await self._connect()
        finally:
            self._replacing = None

    def _abandon(self) -> None:
        for outcome in self._in_flight:
            if not outcome.done():
                outcome.set_exception(ProducerReplaced())
                outcome.exception()

    async def _connect(self) -> None:
        since = time.monotonic()
        complaints = RateLimit(per_s=COMPLAIN_PER_S)
        while True:
            producer = None
            try:
                producer = AIOKafkaProducer(**self._settings.producer_options())
                async with asyncio.timeout(self._settings.request_timeout_s):
                    await producer.start()
            except (KafkaError, OSError, TimeoutError, ValueError) as error:
                if producer is not None:
                    await _discard(producer)
                if complaints.admit() is not None:
                    why = await why_unreachable(self._settings) or repr(error)
                    log.warning(
                        "waiting for Kafka",
                        bootstrap=self._settings.bootstrap,
                        waited_s=round(time.monotonic() - since),
                        error=why,
                    )
                    self._set_connected(
                        connected=False, detail=f"cannot connect to Kafka at {self._settings.bootstrap}: {why}"
                    )
                await asyncio.sleep(RETRY_S)
            except BaseException:
                if producer is not None:
                    await _discard(producer)
                raise
            else:
                self.current = producer
                self._ready.set()
                log.info("connected to Kafka", bootstrap=self._settings.bootstrap)
                self._set_connected(connected=True, detail=None)
                return

    async def _probe(self) -> None:
        """Ask for metadata again and again; when nobody answers, look whether the broker is elsewhere."""
        lost_at: float | None = None
        complaints = RateLimit(per_s=COMPLAIN_PER_S)
        while True:
            await asyncio.sleep(PROBE_EVERY_S)
            producer = self.current
            if producer is None:
                continue
            answered = await _answers(producer)
            if producer is not self.current:
                continue
            now = time.monotonic()
            if answered:
                if lost_at is not None:
                    log.info("Kafka answers again", away_s=round(now - lost_at))
                lost_at = None
                self._set_connected(connected=True, detail=None)
                continue
            lost_at = now if lost_at is None else lost_at
            if complaints.admit() is not None:
                log.warning("Kafka does not answer", bootstrap=self._settings.bootstrap, away_s=round(now - lost_at))
            self._set_connected(connected=False, detail=f"Kafka at {self._settings.bootstrap} does not answer")
            if now - lost_at >= LOOK_ELSEWHERE_AFTER_S:
                await self._look_elsewhere(producer)

    async def _look_elsewhere(self, producer: AIOKafkaProducer) -> None:
        known = frozenset((broker.host, broker.port) for broker in producer.client.cluster.brokers())
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                found = (await describe_cluster(self._settings)).addresses
        except (KafkaError, OSError, TimeoutError):
            return
        if found and not found & known:
            self.moves += 1
            self._abandon()
            self.replace(producer, ConnectionError(f"the broker has moved from {sorted(known)} to {sorted(found)}"))

    def _set_connected(self, *, connected: bool, detail: str | None) -> None:
        self.connected = connected
        self.detail = detail
        self._on_news()


async def _answers(producer: AIOKafkaProducer) -> bool:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            return bool(await producer.client.force_metadata_update())
    except (KafkaError, OSError, TimeoutError):
        return False


def _pass_on(done: asyncio.Future[Any], outcome: asyncio.Future[Any]) -> None:
    if done.cancelled():
        if not outcome.done():
            outcome.set_exception(ProducerReplaced())
        return
    error = done.exception()
    if outcome.done():
        return
    if error is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(None)


async def _discard(producer: AIOKafkaProducer) -> None:
    """Close ``producer`` now. Its own ``stop`` would first wait, without end, for batches that cannot be sent."""
    await ended(producer.client.close(), CLOSE_S)
    await ended(producer._sender.close(), CLOSE_S)  # noqa: SLF001 - nothing public ends the task
    producer._closed = True  # noqa: SLF001 - or its destructor warns of what has just been done
