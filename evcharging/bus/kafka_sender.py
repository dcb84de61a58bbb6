"""The way out to Kafka: what was accepted is sent, in order per partition, until the broker has it.

aiokafka alone does not keep that promise: it fails a batch whose partition has had no leader for the request timeout,
after which the broker refuses the rest of that producer's batches as out of sequence. So records are kept here, in one
lane a partition, until they are acknowledged; a producer that failed is replaced by a new one, which is given every
record that was not acknowledged, in the old order. As long as a producer works, its own retries are free of
duplicates. Nothing here reads or decodes.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Sequence
from weakref import WeakSet

import structlog
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from evcharging.bus import futures, metrics
from evcharging.bus.beat import Beat
from evcharging.bus.checks import refuse_impossible
from evcharging.bus.kafka_cluster import create_topics
from evcharging.bus.kafka_link import Link, ProducerReplaced
from evcharging.bus.kafka_settings import KafkaSettings
from evcharging.bus.partitioning import partition_for
from evcharging.bus.protocol import BusOverloaded, BusStopped, RecordRefused
from evcharging.bus.ratelimit import RateLimit

__all__ = ["KafkaSender"]

log = structlog.get_logger(__name__)

Headers = Sequence[tuple[str, bytes]]

_RETRY_S = 0.5
_COMPLAIN_PER_S = 0.2
_RECORD_OVERHEAD_BYTES = 32
_REFUSALS = (MessageSizeTooLargeError, RecordListTooLargeError)


_senders: WeakSet[KafkaSender] = WeakSet()
metrics.WAITING.set_function(lambda: sum(sender.waiting for sender in _senders))


class _Entry:
    __slots__ = ("future", "headers", "key", "size", "timestamp_ms", "value")

    def __init__(self, key: bytes | None, value: bytes | None, headers: Headers, size: int) -> None:
        self.key = key
        self.value = value
        self.headers = headers
        self.size = size
        self.timestamp_ms = int(time.time() * 1000)
        self.future = futures.quiet_future()


class _Lane:
    """What waits for one partition. ``singly`` counts records to be sent alone, to find the one that is refused."""

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.entries: deque[_Entry] = deque()
        self.filled = asyncio.Event()
        self.singly = 0


class KafkaSender:
    """Accepts records at once and sends them when it can. Started and stopped by `evcharging.bus.kafka.KafkaBus`."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self.link = Link(settings)
        self._counts: dict[str, int] = {}
        self._unrouted: dict[str, deque[_Entry]] = {}
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting = 0
        self._waiting_bytes = 0
        self._room: asyncio.Event = asyncio.Event()
        self._idle: asyncio.Event = asyncio.Event()
        self._idle.set()
        self._keyless = 0
        self._beat = Beat(settings.linger_ms / 1000)
        self._stopped = False
        _senders.add(self)

    @property
    def waiting(self) -> int:
        """Records accepted and not yet acknowledged."""
        return self._waiting

    async def start(self) -> None:
        """Wait for the broker; see `Link.start`."""
        await self.link.start(on_news=self._refresh)

    async def stop(self) -> None:
        """Send what waits for up to the settings' ``stop_timeout_s``, fail the rest, disconnect. Idempotent."""
        if self._stopped:
            return
        self._stopped = True
        self._room.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.stop_timeout_s):
                await self._idle.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._waiting:
            log.error("stopped before everything was sent", records=self._waiting)
        for entries in [*self._unrouted.values(), *(lane.entries for lane in self._lanes.values())]:
            while entries:
                entry = entries.popleft()
                self._settle(entry)
                futures.fail(entry.future, BusStopped("the bus was stopped before the broker had this record"))
        await self.link.stop()

    async def accept(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers
    ) -> asyncio.Future[None]:
        """See `evcharging.bus.protocol.Bus.publish_raw`."""
        refuse_impossible(topic, key)
        size = _RECORD_OVERHEAD_BYTES + len(key or b"") + len(value or b"")
        for name, content in headers:
            size += len(name) + len(content)
        if size > self._settings.max_record_bytes:
            raise RecordRefused(
                f"a record of {size} bytes for {topic}, expected {self._settings.max_record_bytes} at most"
            )
        while not self._stopped and self._is_full():
            if not self.link.connected:
                raise BusOverloaded(
                    f"{self._waiting} records ({self._waiting_bytes} bytes) wait for the broker at "
                    f"{self._settings.bootstrap}, which is away; the bounds are {self._settings.max_waiting} records "
                    f"and {self._settings.max_waiting_bytes} bytes"
                )
            self._room.clear()
            await self._room.wait()
        if self._stopped:
            raise BusStopped("the bus was stopped; make a new one")
        entry = _Entry(key, value, headers, size)
        self._waiting += 1
        self._waiting_bytes += size
        self._idle.clear()
        self._place(topic, entry)
        return entry.future

    async def flush(self) -> None:
        """Wait until everything accepted so far has been acknowledged."""
        queues = [*self._unrouted.values(), *(lane.entries for lane in self._lanes.values())]
        if last := [entry.future for entries in queues for entry in entries if not entry.future.done()]:
            await asyncio.wait(last)

    def _is_full(self) -> bool:
        return self._waiting >= self._settings.max_waiting or self._waiting_bytes >= self._settings.max_waiting_bytes

    def _place(self, topic: str, entry: _Entry) -> None:
        count = self._counts.get(topic)
        if count is not None:
            self._enqueue(topic, count, entry)
        elif topic in self._unrouted:
            self._unrouted[topic].append(entry)
        else:
            self._unrouted[topic] = deque([entry])
            self._spawn(self._route(topic), f"bus route {topic}")

    def _enqueue(self, topic: str, count: int, entry: _Entry) -> None:
        if entry.key is None:
            self._keyless += 1
            partition = self._keyless % count
        else:
            partition = partition_for(entry.key, count)
        lane = self._lanes.get((topic, partition))
        if lane is None:
            lane = self._lanes[topic, partition] = _Lane(topic, partition)
            self._spawn(self._run(lane), f"bus send {topic}-{partition}")
        lane.entries.append(entry)
        lane.filled.set()

    def _spawn(self, work: object, name: str) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work, name=name)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _route(self, topic: str) -> None:
        """Find out how many partitions ``topic`` has, creating it where it is missing, then let its records go."""
        complaints = RateLimit(per_s=_COMPLAIN_PER_S)
        while True:
            producer = await self.link.producer()
            try:
                if not producer.client.cluster.partitions_for_topic(topic):
                    await create_topics(self._settings, [topic])
                count = len(await producer.partitions_for(topic))
                break
            except (KafkaError, OSError, TimeoutError) as error:
                if complaints.admit() is not None:
                    log.warning("a topic is not available yet", topic=topic, error=repr(error))
                await asyncio.sleep(_RETRY_S)
        self._counts[topic] = count
        for entry in self._unrouted.pop(topic):
            self._enqueue(topic, count, entry)

    async def _run(self, lane: _Lane) -> None:
        """Send what comes into ``lane``, one batch at a time, for as long as the bus lives."""
        while True:
            if not lane.entries:
                lane.filled.clear()
                await lane.filled.wait()
            await self._beat.wait()
            producer = await self.link.producer()
            sent = 0
            try:
                batch = producer.create_batch()
                for entry in lane.entries:
                    if (lane.singly and sent) or batch.append(
                        key=entry.key, value=entry.value, timestamp=entry.timestamp_ms, headers=entry.headers
                    ) is None:
                        break
                    sent += 1
                batch.close()
                await self.link.deliver(producer, batch, lane.topic, lane.partition)
            except ProducerReplaced:
                continue
            except _REFUSALS as error:
                self._refused(lane, sent, error)
                self.link.replace(producer, error)
            except Exception as error:  # noqa: BLE001 - whatever the library raises, what was accepted must be sent
                self.link.replace(producer, error)
            else:
                metrics.PUBLISHED.labels(lane.topic).inc(sent)
                for _ in range(sent):
                    entry = lane.entries.popleft()
                    self._settle(entry)
                    futures.succeed(entry.future)
                lane.singly = max(lane.singly - sent, 0)

    def _refused(self, lane: _Lane, sent: int, error: Exception) -> None:
        if sent > 1:
            lane.singly = sent
            return
        entry = lane.entries.popleft()
        lane.singly = max(lane.singly - 1, 0)
        self._settle(entry)
        futures.fail(entry.future, RecordRefused(f"the broker refused a record for {lane.topic}: {error!r}"))
        log.error("the broker refused a record", topic=lane.topic, bytes=entry.size, error=repr(error))

    def _settle(self, entry: _Entry) -> None:
        self._waiting -= 1
        self._waiting_bytes -= entry.size
        if not self._room.is_set():
            self._room.set()
        if self._waiting == 0:
            self._idle.set()

    def _refresh(self) -> None:
        """The link's state or the cluster's metadata is news: let who waits look again, follow added partitions."""
        self._room.set()
        producer = self.link.current
        if producer is None:
            return
        for topic, count in self._counts.items():
            known = producer.client.cluster.partitions_for_topic(topic)
            if known and len(known) > count:
                log.warning("a topic has got more partitions; keys may move", topic=topic, partitions=len(known))
                self._counts[topic] = len(known)
