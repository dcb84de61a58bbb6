"""What Central sees of the units on MQTT: their telemetry, and their coming and going.

Bad input costs only itself: it is counted and left out. Retained messages may come any number of times (amqtt delivers
them twice to a wildcard subscriber) and change nothing twice. A unit that only sends telemetry has no presence; how
long its silence may last is for the caller to say.

Mosquitto drops what waits for a subscriber beyond ``max_queued_messages`` (1,000 by default), retained statuses too.
With more than some 300 units its configuration needs ``max_queued_messages 0``; the embedded broker has no such bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from evcharging.mqtt.payloads import (
    Availability,
    PayloadError,
    UnitState,
    UnitTelemetry,
    read_availability,
    read_unit,
)
from evcharging.mqtt.presence import Presence, UnitPresence
from evcharging.mqtt.protocol import MqttClient, MqttMessage, QoS
from evcharging.mqtt.topics import (
    ALL_ENGINE_STATUS,
    ALL_STATE,
    ALL_STATUS,
    ALL_TELEMETRY,
    EngineTopic,
    TopicError,
    UnitTopic,
    UnitTopicKind,
    parse_topic,
)

__all__ = ["Observed", "ObserverCounts", "UnitObserver", "UnitReport"]

UNIT_LIMIT = 100_000
CONFIRM_WITHIN_S = 60.0
TICK_S = 1.0
FILTERS: dict[str, QoS] = {ALL_ENGINE_STATUS: 1, ALL_STATE: 1, ALL_STATUS: 1, ALL_TELEMETRY: 0}
"""In the order in which brokers send what is retained: that an engine is gone is known before its units are read."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class UnitReport:
    """One telemetry message. ``retained``: it may be old, its publisher asked the broker to keep it."""

    unit_id: str
    telemetry: UnitTelemetry
    received_at: datetime
    retained: bool = False


Observed = UnitReport | UnitPresence


@dataclass(slots=True)
class ObserverCounts:
    """What came in, and what was left out and why."""

    messages: int = 0
    bad_topics: int = 0
    bad_payloads: int = 0
    repeated: int = 0
    over_limit: int = 0


class UnitObserver:
    """Reads every unit at a broker.

    Args:
        client: a started client; its stream is taken when iteration begins.
        clock: the time in UTC, for telemetry without one.
        confirm_within_s: how long after a lost connection a unit may take to announce itself again; longer than the
            longest back-off of the publishers.
        unit_limit: units that are kept in mind; messages of further ones are counted and left out.
    """

    def __init__(
        self,
        client: MqttClient,
        *,
        clock: Callable[[], datetime],
        confirm_within_s: float = CONFIRM_WITHIN_S,
        unit_limit: int = UNIT_LIMIT,
    ) -> None:
        self.counts = ObserverCounts()
        self.presence = Presence()
        self._client = client
        self._clock = clock
        self._confirm_within_s = confirm_within_s
        self._unit_limit = unit_limit
        self._last: dict[str, tuple[int, datetime]] = {}
        self._connections = 0
        self._give_up_at: float | None = None

    async def __aiter__(self) -> AsyncIterator[Observed]:
        stream = self._client.subscribe(FILTERS)
        loop = asyncio.get_running_loop()
        next_tick = loop.time()
        try:
            while True:
                message = None
                try:
                    async with asyncio.timeout_at(next_tick):
                        message = await anext(stream)
                except TimeoutError:
                    pass
                except StopAsyncIteration:
                    return
                if message is not None:
                    self._note_connection(message.connection)
                    for observed in self.read(message):
                        yield observed
                if loop.time() >= next_tick:
                    next_tick = loop.time() + TICK_S
                    self._note_connection(self._client.health().connections)
                    for change in self._give_up_in_time():
                        yield change
        finally:
            stream.close()

    def read(self, message: MqttMessage) -> list[Observed]:
        """What follows from one message. Never raises."""
        self.counts.messages += 1
        try:
            topic = parse_topic(message.topic)
            match topic:
                case EngineTopic(engine_id):
                    online = read_availability(message.payload) is Availability.ONLINE
                    return [*self.presence.engine_status(engine_id, online=online)]
                case UnitTopic(unit_id, kind):
                    if not self._has_room(unit_id):
                        self.counts.over_limit += 1
                        return []
                    return self._read_unit(unit_id, kind, message)
        except TopicError as error:
            self.counts.bad_topics += 1
            log.debug("ignored an MQTT message", why=str(error))
        except PayloadError as error:
            self.counts.bad_payloads += 1
            log.debug("ignored an MQTT payload", topic=message.topic, why=str(error))
        return []

    def _read_unit(self, unit_id: str, kind: UnitTopicKind, message: MqttMessage) -> list[Observed]:
        now = self._clock()
        match kind:
            case UnitTopicKind.STATUS:
                online = read_availability(message.payload) is Availability.ONLINE
                return [*self.presence.unit_status(unit_id, online=online)]
            case UnitTopicKind.STATE:
                state = read_unit(UnitState, message.payload, unit_id=unit_id, received_at=now)
                return [*self.presence.unit_engine(unit_id, state.engine_id)]
            case UnitTopicKind.TELEMETRY:
                telemetry = read_unit(UnitTelemetry, message.payload, unit_id=unit_id, received_at=now)
                if telemetry.seq:  # a publisher that does not count cannot be told from one that repeats itself
                    key = (telemetry.seq, telemetry.ts)
                    if self._last.get(unit_id) == key:
                        self.counts.repeated += 1
                        return []
                    self._last[unit_id] = key
                return [UnitReport(unit_id, telemetry, now, message.retained)]
        return []

    def _has_room(self, unit_id: str) -> bool:
        if unit_id in self._last or unit_id in self.presence:
            return True
        return len(self._last) < self._unit_limit and len(self.presence) < self._unit_limit

    def _note_connection(self, connections: int) -> None:
        if connections <= self._connections:
            return
        if self._connections:
            self.presence.reconnected()
            self._give_up_at = asyncio.get_running_loop().time() + self._confirm_within_s
        self._connections = connections

    def _give_up_in_time(self) -> list[UnitPresence]:
        if self._give_up_at is None or asyncio.get_running_loop().time() < self._give_up_at:
            return []
        self._give_up_at = None
        return self.presence.give_up_unconfirmed()
