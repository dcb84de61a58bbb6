"""The units of one process on MQTT: their status, telemetry, state, events and alarms out, commands in.

A connection carries one last will. So each of the first `OWN_CONNECTIONS` units has a connection of its own, whose will
is the unit's ``offline``; where more units are expected, all share one connection, whose will is the ``offline`` of the
engine, and each unit's state names that engine. Nothing here blocks or fails for want of a broker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random
from types import TracebackType
from typing import Self

import structlog

from evcharging.mqtt.address import MqttAddress
from evcharging.mqtt.backoff import Backoff
from evcharging.mqtt.client import AioMqttClient
from evcharging.mqtt.commands import CommandCounts, CommandDesk, CommandHandler
from evcharging.mqtt.discovery import HomeAssistant
from evcharging.mqtt.payloads import Availability, UnitAck, UnitAlarm, UnitEvent, UnitState, UnitTelemetry
from evcharging.mqtt.protocol import MqttClient, MqttHealth, MqttMessage, MqttStream, Will, total
from evcharging.mqtt.topics import (
    ALL_COMMANDS,
    CommandTopic,
    EngineTopic,
    TopicError,
    UnitTopic,
    UnitTopicKind,
    commands_of,
    parse_topic,
)

__all__ = ["OWN_CONNECTIONS", "UnitPublisher"]

OWN_CONNECTIONS = 200
CONNECTING_AT_ONCE = 4
STOP_LIMIT_S = 5.0

ONLINE = Availability.ONLINE.value.encode()
OFFLINE = Availability.OFFLINE.value.encode()

log = structlog.get_logger()


class UnitPublisher:
    """Publishes for the units of one process.

    Args:
        address: of the broker.
        engine_id: names this process.
        clock: the time in UTC.
        expected_units: how many there will be; over `OWN_CONNECTIONS` they share one connection from the start.
        on_command: carries commands out; without it none are taken.
        discovery: announces the units to Home Assistant.
        random: for the jitter of reconnections.
        backoff: between attempts to connect.
    """

    def __init__(
        self,
        address: MqttAddress,
        *,
        engine_id: str,
        clock: Callable[[], datetime],
        expected_units: int = 1,
        on_command: CommandHandler | None = None,
        discovery: HomeAssistant | None = None,
        random: Random | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.engine_id = engine_id
        self._address = address
        self._engine_status = str(EngineTopic(engine_id))
        self._clock = clock
        self._own_connections = OWN_CONNECTIONS if expected_units <= OWN_CONNECTIONS else 0
        self._discovery = discovery
        self._random = random or Random()
        self._backoff = backoff
        self._desk = CommandDesk(on_command, clock=clock, publish_ack=self._ack) if on_command else None
        self._gate = asyncio.Semaphore(CONNECTING_AT_ONCE)
        self._units: dict[str, _Link] = {}
        self._own = 0
        self._shared: _Link | None = None
        self._links_made = 0
        self._past = MqttHealth(connected=True)
        self._connected: set[str] = set()
        self._told_connected: bool | None = None
        self._stopped = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def units(self) -> frozenset[str]:
        """The units that are online."""
        return frozenset(self._units)

    @property
    def command_counts(self) -> CommandCounts:
        """What came in as commands and was not carried out."""
        return self._desk.counts if self._desk else CommandCounts()

    def online(self, unit_id: str, *, rating_kw: float | None = None) -> None:
        """Announce a unit: its status (with the will against it), a first state, its sensors. Idempotent.

        Raises:
            TopicError: the unit id cannot be part of a topic.
        """
        if unit_id in self._units or self._stopped:
            return
        status = str(UnitTopic(unit_id, UnitTopicKind.STATUS))
        link = self._link_for(unit_id, status)
        self._units[unit_id] = link
        link.units.add(unit_id)
        # The state first: it names the engine whose end is the unit's end, should that come before the next line.
        self.state(UnitState(ts=self._clock(), unit_id=unit_id, rating_kw=rating_kw))
        link.client.publish(status, ONLINE, qos=1, retain=True)
        if self._discovery is not None:
            shared_engine = self.engine_id if link is self._shared else None
            for topic, payload in self._discovery.configurations(unit_id, engine_id=shared_engine):
                link.client.publish(topic, payload, qos=1, retain=True)

    async def offline(self, unit_id: str) -> None:
        """Take a unit off, cleanly: it publishes ``offline`` itself, and its will stays unused. Idempotent."""
        link = self._units.pop(unit_id, None)
        if link is None:
            return
        self._say_offline(unit_id, link)
        if link is not self._shared:
            self._own -= 1
            await self._close(link)

    def telemetry(self, payload: UnitTelemetry) -> bool:
        """Publish what a unit measures (QoS 0). Returns False where it was dropped: no broker, or the unit is off."""
        link = self._units.get(payload.unit_id)
        if link is None:
            return False
        return link.client.publish(str(UnitTopic(payload.unit_id, UnitTopicKind.TELEMETRY)), payload.to_json())

    def state(self, payload: UnitState) -> bool:
        """Publish a unit's state, retained. Its engine is filled in. Returns False where the unit is off."""
        link = self._units.get(payload.unit_id)
        if link is None:
            return False
        # A unit with a will of its own names no engine, whose retained status might be an older run's.
        stamped = payload.model_copy(update={"engine_id": self.engine_id if link is self._shared else None})
        return link.client.publish(
            str(UnitTopic(payload.unit_id, UnitTopicKind.STATE)), stamped.to_json(), qos=1, retain=True
        )

    def event(self, payload: UnitEvent) -> bool:
        """Publish an event (QoS 1, kept through an outage). Returns False where it was dropped."""
        return self._tell(UnitTopicKind.EVENT, payload)

    def alarm(self, payload: UnitAlarm) -> bool:
        """Publish an alarm (QoS 1, kept through an outage). Returns False where it was dropped."""
        return self._tell(UnitTopicKind.ALARM, payload)

    async def wait_connected(self) -> None:
        """Return once every connection there is now is made."""
        await asyncio.gather(*(link.client.wait_connected() for link in self._links()))

    def health(self) -> MqttHealth:
        """The connections together, those of units that are off counted in: connected when all there now are."""
        return total([self._past, *(link.client.health() for link in self._links())])

    async def stop(self) -> None:
        """Take every unit off, cleanly, within a few seconds. Idempotent."""
        self._stopped = True
        if self._desk is not None:
            await self._desk.close()
        links = self._links()
        if self._shared is not None:  # first, so that it is said even where the time does not suffice for all units
            self._shared.client.publish(self._engine_status, OFFLINE, qos=1, retain=True)
        for unit_id, link in self._units.items():
            self._say_offline(unit_id, link)
        self._units.clear()
        self._shared = None
        await asyncio.gather(*(self._close(link) for link in links))

    def _links(self) -> list[_Link]:
        links = {id(link): link for link in self._units.values()}
        if self._shared is not None:
            links[id(self._shared)] = self._shared
        return list(links.values())

    def _link_for(self, unit_id: str, status: str) -> _Link:
        if self._own < self._own_connections:
            self._own += 1
            filters = [status, commands_of(unit_id)] if self._desk else [status]
            return self._connect(f"{self.engine_id}-{unit_id}", status, filters)
        if self._shared is None:
            filters = [self._engine_status, ALL_COMMANDS] if self._desk else [self._engine_status]
            self._shared = self._connect(self.engine_id, self._engine_status, filters)
            self._shared.client.publish(self._engine_status, ONLINE, qos=1, retain=True)
        return self._shared

    def _connect(self, name: str, status: str, filters: list[str]) -> _Link:
        # A number in the client id keeps a unit that comes back from taking over the connection it is just leaving.
        self._links_made += 1
        name = f"{name}-{self._links_made}"

        def on_connection(connected: bool, reason: str | None) -> None:
            self._note_connection(name, connected=connected, reason=reason)

        client = AioMqttClient(
            self._address,
            client_id=f"evcharging-{name}",
            will=Will(status, OFFLINE),
            backoff=self._backoff,
            random=self._random,
            gate=self._gate,
            on_connection=on_connection,
        )
        link = _Link(client, status)
        incoming = client.subscribe(dict.fromkeys(filters, 1))
        link.listening = asyncio.create_task(self._listen(link, incoming), name=f"mqtt-listen:{name}")
        client.start()
        return link

    async def _listen(self, link: _Link, incoming: MqttStream) -> None:
        async for message in incoming:
            if message.topic == link.status:
                self._defend(link, message)
                continue
            try:
                topic = parse_topic(message.topic)
            except TopicError:
                continue  # another system's verb; ours are all spelled as parse_topic knows them
            if isinstance(topic, CommandTopic) and topic.unit_id in link.units and self._desk is not None:
                self._desk.take(topic, message)

    def _defend(self, link: _Link, message: MqttMessage) -> None:
        # The will of an older connection of ours can be published after we came back on a new one.
        if message.payload == OFFLINE and link.units and not self._stopped:
            link.client.publish(link.status, ONLINE, qos=1, retain=True)

    def _tell(self, kind: UnitTopicKind, payload: UnitEvent | UnitAlarm) -> bool:
        link = self._units.get(payload.unit_id)
        if link is None:
            return False
        return link.client.publish(str(UnitTopic(payload.unit_id, kind)), payload.to_json(), qos=1)

    def _ack(self, topic: CommandTopic, ack: UnitAck) -> None:
        link = self._units.get(topic.unit_id)
        if link is not None:
            link.client.publish(str(topic.ack), ack.to_json(), qos=1)

    def _say_offline(self, unit_id: str, link: _Link) -> None:
        link.units.discard(unit_id)
        status = str(UnitTopic(unit_id, UnitTopicKind.STATUS))
        link.client.publish(status, OFFLINE, qos=1, retain=True)
        link.client.forget(status)
        link.client.forget(str(UnitTopic(unit_id, UnitTopicKind.STATE)))

    async def _close(self, link: _Link) -> None:
        await link.client.stop(within_s=STOP_LIMIT_S)
        self._past = total([self._past, replace(link.client.health(), connected=True, waiting=0)])
        if link.listening is not None:
            await link.listening

    def _note_connection(self, name: str, *, connected: bool, reason: str | None) -> None:
        (self._connected.add if connected else self._connected.discard)(name)
        if self._stopped or bool(self._connected) is self._told_connected:
            return
        self._told_connected = bool(self._connected)
        if connected:
            log.info("connected to the MQTT broker", broker=str(self._address))
        else:
            log.warning("no MQTT broker; telemetry is dropped until it is back", broker=str(self._address), why=reason)


@dataclass(slots=True, eq=False)
class _Link:
    """A connection, the status topic its will is for, and the units on it."""

    client: MqttClient
    status: str
    listening: asyncio.Task[None] | None = None
    units: set[str] = field(default_factory=set)
