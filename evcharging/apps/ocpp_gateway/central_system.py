"""What stations' sockets talk to: the central system, put together from its services.

`connected`, `disconnected` and `handle` are for the sockets; `run` keeps what happens beside them going: the flush of
what stations told, the relay, the commands, the rounds. No version of OCPP is known here beyond which handlers and
which dialect it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final

import structlog

from evcharging.apps.ocpp_gateway.announcements import Announcements
from evcharging.apps.ocpp_gateway.authorization import Authorization
from evcharging.apps.ocpp_gateway.boots import Boots, BootTerms
from evcharging.apps.ocpp_gateway.bus_reader import BusReader, SitePrice
from evcharging.apps.ocpp_gateway.central_system_terms import CentralSystemTerms
from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, ChargePoints, Link, OpenTransaction
from evcharging.apps.ocpp_gateway.command_desk import CommandDesk
from evcharging.apps.ocpp_gateway.dialect import Dialect, Handlers, Payload
from evcharging.apps.ocpp_gateway.dialect_v16 import DialectV16
from evcharging.apps.ocpp_gateway.dialect_v201 import DialectV201
from evcharging.apps.ocpp_gateway.flushing import Flushing
from evcharging.apps.ocpp_gateway.handlers_v16 import HandlersV16
from evcharging.apps.ocpp_gateway.handlers_v201 import HandlersV201
from evcharging.apps.ocpp_gateway.metering import Metering
from evcharging.apps.ocpp_gateway.mqtt_feed import MqttFeed, MqttPublisher
from evcharging.apps.ocpp_gateway.presence import Presence
from evcharging.apps.ocpp_gateway.registered_configuration import RegisteredConfiguration
from evcharging.apps.ocpp_gateway.rounds import Rounds
from evcharging.apps.ocpp_gateway.solar_share import SolarShare
from evcharging.apps.ocpp_gateway.station_calls import StationCalls
from evcharging.apps.ocpp_gateway.statuses import Statuses
from evcharging.apps.ocpp_gateway.supply_orders import SupplyOrders
from evcharging.apps.ocpp_gateway.transaction_ends import TransactionEnds
from evcharging.apps.ocpp_gateway.transaction_events_v201 import TransactionEvents
from evcharging.apps.ocpp_gateway.transaction_starts import TransactionStarts
from evcharging.apps.ocpp_gateway.transactions import Transactions
from evcharging.apps.ocpp_gateway.unused_starts import UnusedStarts
from evcharging.apps.ocpp_gateway.upkeep import Upkeep
from evcharging.apps.ocpp_gateway.writes import StorageAway, Writes
from evcharging.apps.runtime.relay import OutboxRelay
from evcharging.apps.runtime.sender import Sender
from evcharging.bus.protocol import Bus
from evcharging.bus.ratelimit import RateLimit
from evcharging.domain.end_reasons import EndReason
from evcharging.domain.states import OcppStatus
from evcharging.messages.envelope import Event
from evcharging.ocpp.errors import CallRejected, Fault
from evcharging.ocpp.versions import OcppVersion
from evcharging.store.database import Database
from evcharging.store.gateway import tables

__all__ = ["CentralSystem", "CentralSystemTerms"]

log = structlog.get_logger()

TRY_AGAIN_LATER: Final = 1013
GONE_WITHIN_S: Final = 30.0


class CentralSystem:
    """The business side of one gateway.

    Args:
        database: migrated.
        bus: started.
        name: this copy of the gateway, the owner of its outbox rows; ``life``: this run of it, and no other.
        boot_terms: how a station's boot is to be answered, from memory.
        now: the time, with a zone; ``monotonic``: seconds.
        new_number: makes numbers from 1 to 2^31 - 1, for transactions and starts; ``new_id`` makes names.
        mqtt: where units are told of, None where MQTT is off.
        held_by_engine: whether an engine runs the charge point of that id.
    """

    def __init__(
        self,
        *,
        database: Database,
        bus: Bus,
        name: str,
        life: str,
        boot_terms: Callable[[str], BootTerms],
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        new_number: Callable[[], int],
        new_id: Callable[[], str],
        terms: CentralSystemTerms | None = None,
        mqtt: MqttPublisher | None = None,
        held_by_engine: Callable[[str], bool] = lambda _cp_id: False,
    ) -> None:
        terms = terms or CentralSystemTerms()
        source = f"gateway/{name}"
        self._mqtt = mqtt
        self._bus = bus
        self._may_alert = RateLimit(per_s=1.0, monotonic=monotonic)
        self.points = ChargePoints()
        self.price = SitePrice(terms.site_id)
        solar_share = SolarShare(self.price, self.points, now=now, monotonic=monotonic)
        self.mqtt_feed = MqttFeed(
            self.points,
            price=lambda: (self.price.per_kwh, self.price.currency),
            solar_fraction=solar_share.fraction,
            now=now,
        )
        self.sender = Sender(bus)
        self.relay = OutboxRelay(bus, database, tables.outbox, owner=name, now=now)
        self.writes = Writes(database, self.relay, owner=name, now=now, hold_s=terms.hold_s, told=self._tell_mqtt)
        self.authorization = Authorization(accept_unknown=terms.accept_unknown_id_tags, now=now)
        self.announcements = Announcements(
            source=source, now=now, price_per_kwh=lambda: self.price.per_kwh, solar_share=solar_share
        )
        unused_starts = UnusedStarts(self.writes, self.announcements)
        self.statuses = Statuses(
            self.announcements,
            send=self._send,
            doubt_s=terms.doubt_s,
            monotonic=monotonic,
            on_freed=unused_starts.freed,
        )
        self._dialects: dict[OcppVersion, Dialect] = {}
        calls = StationCalls(timeout_s=terms.call_timeout_s)
        self.configuration = RegisteredConfiguration(
            self.points, self.writes, calls, dialects=self._dialects, terms=boot_terms
        )
        self.boots = Boots(self.statuses, terms=boot_terms, configure=self.configuration.booted, now=now)
        self.metering = Metering(
            self.announcements,
            send=self._send,
            congested=lambda: self.sender.congested,
            monotonic=monotonic,
            on_target=self._on_target,
        )
        ends = TransactionEnds(self.announcements)
        starts = TransactionStarts(
            self.authorization,
            self.announcements,
            ends,
            new_number=new_number,
            refuse_concurrent=terms.refuse_concurrent,
            on_stop_wanted=self._end,
        )
        self.transactions = Transactions(self.writes, self.authorization, starts, ends)
        self.upkeep = Upkeep(self.writes, known_vendors=terms.known_vendors)
        self.presence = Presence(
            self.points,
            self.writes,
            self.statuses,
            self.metering,
            self.announcements,
            life=life,
            new_id=new_id,
            resumed=self.configuration.resumed,
            send=self._send,
            now=now,
        )
        self._handlers: dict[OcppVersion, Handlers] = {}
        orders = SupplyOrders(
            self.writes, calls, self.authorization, self.announcements, new_number=new_number, send=self._send
        )
        self.desk = CommandDesk(
            self.points,
            self.writes,
            calls,
            orders,
            dialects=self._dialects,
            life=life,
            source=source,
            leave_others_s=terms.leave_others_s,
            settle_s=terms.settle_s,
            held_by_engine=held_by_engine,
            say_reserved=lambda point, number: self.statuses.publish(point, number, reason=OcppStatus.RESERVED.value),
            now=now,
            send=self._send,
        )
        self.reader = BusReader(bus, self.authorization, self.price, on_command=self.desk.take, now=now)
        v16 = HandlersV16(
            authorization=self.authorization,
            boots=self.boots,
            metering=self.metering,
            statuses=self.statuses,
            transactions=self.transactions,
            upkeep=self.upkeep,
            now=now,
        )
        v201 = HandlersV201(
            authorization=self.authorization,
            boots=self.boots,
            metering=self.metering,
            statuses=self.statuses,
            events=TransactionEvents(
                authorization=self.authorization,
                metering=self.metering,
                statuses=self.statuses,
                transactions=self.transactions,
                writes=self.writes,
            ),
            upkeep=self.upkeep,
            writes=self.writes,
            now=now,
        )
        self._flushing = Flushing(self.writes, (self.boots, self.statuses), self.metering, flush_s=terms.flush_s)
        self._rounds = Rounds(
            self.points,
            self.writes,
            self.transactions,
            self.presence,
            self.mqtt_feed,
            mqtt=mqtt,
            mqtt_interval_s=terms.mqtt_interval_s,
            monotonic=monotonic,
        )
        self.speak({OcppVersion.V16: (v16, DialectV16()), OcppVersion.V201: (v201, DialectV201())})

    def speak(self, versions: Mapping[OcppVersion, tuple[Handlers, Dialect]]) -> None:
        """Know more versions of OCPP."""
        for version, (handlers, dialect) in versions.items():
            self._handlers[version] = handlers
            self._dialects[version] = dialect

    def connected(self, link: Link) -> None:
        """A station has a socket, perhaps in place of an older one."""
        self.presence.connected(link)

    def disconnected(self, link: Link, reason: str) -> None:
        """A station's socket is gone."""
        self.presence.disconnected(link, reason)

    def handle(self, link: Link, action: str, payload: Payload) -> Payload | Awaitable[Payload]:
        """Answer a station's call; the request is valid by its schema.

        Raises:
            CallRejected: see `Handlers.handle`; also from what is awaited.
        """
        point = self.points.get(link.cp_id)
        handlers = self._handlers.get(link.version)
        if point is None or handlers is None:
            raise CallRejected(Fault.INTERNAL_ERROR, f"nobody answers OCPP {link.version.value} here")
        try:
            answer = handlers.handle(point, action, payload)
        except CallRejected as error:
            self.rejected(link, action, payload, str(error))
            raise
        return answer if isinstance(answer, dict) else self._stored(link, action, payload, answer)

    def rejected(self, link: Link, action: str, payload: Any, error: str) -> None:
        """Keep a message of a transaction that is answered with CALLERROR, by its schema or by what it says."""
        dialect = self._dialects.get(link.version)
        if dialect is not None and action in dialect.transaction_messages:
            self.upkeep.rejected(link.cp_id, action, payload, error)

    def intruded(self, cp_id: str, remote: str) -> None:
        """Somebody was turned away who came under an engine's id: alert of it, of each id once an hour."""
        if self._may_alert.admit() is not None:
            self._send(self.announcements.intrusion(cp_id, remote))

    async def run(self) -> None:
        """Do what happens beside the sockets, until cancelled."""
        async with self.reader, asyncio.TaskGroup() as group:
            group.create_task(self.writes.run())
            group.create_task(self.relay.run())
            group.create_task(self.sender.run())
            group.create_task(self.desk.run())
            group.create_task(self.configuration.run())
            group.create_task(self.reader.run())
            group.create_task(self._flushing.run())
            group.create_task(self._rounds.run())

    async def wait_ready(self) -> None:
        """Wait until the tokens there are were read; before that, stations are better not let in. `run` must run."""
        await self.reader.wait_caught_up()

    async def drain(self, timeout_s: float = 10.0) -> None:
        """Store and publish what is left; the sockets are closed, `run` is running still."""
        self._flushing.post()
        if await self.writes.drain(timeout_s):
            await self.relay.drain(timeout_s)
        await self.sender.drain(timeout_s)

    async def _stored(self, link: Link, action: str, payload: Payload, answer: Awaitable[Payload]) -> Payload:
        """An answer that waits for the database. Without one the socket is ended, unanswered.

        A CALLERROR, or silence, counts as an attempt at a station that gives up after a few; a socket that is gone does
        not: the station keeps the message and tells it again when it is back. Nothing was told it that is not stored.
        """
        try:
            return await answer
        except CallRejected as error:
            self.rejected(link, action, payload, str(error))
            raise
        except StorageAway:
            log.warning("a station is sent away until the database is back", cp_id=link.cp_id, action=action)
            link.close(TRY_AGAIN_LATER, "the database is away; try again later")
            await asyncio.sleep(GONE_WITHIN_S)  # ends with the socket
            raise

    def _send(self, event: Event[Any]) -> None:
        self.sender.send(event)
        self._tell_mqtt(event)

    def _tell_mqtt(self, event: Event[Any]) -> None:
        if self._mqtt is not None:
            self.mqtt_feed.published(event, self._mqtt)

    def _on_target(self, point: ChargePoint, transaction: OpenTransaction) -> None:
        self._end(point, transaction, EndReason.TARGET_REACHED.value)

    def _end(self, point: ChargePoint, transaction: OpenTransaction, reason: str) -> None:
        self.desk.end(point, transaction, reason)
