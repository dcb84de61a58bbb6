"""The gateway's business side for tests: the real thing over a real database and the in-memory bus, without sockets.

A `Station` is the other end of a link: what it calls is checked against the standard's schemas in both directions, and
what it is called is answered by the test.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Container
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import select

from evcharging.apps.ocpp_gateway.boots import BootTerms
from evcharging.apps.ocpp_gateway.central_system import CentralSystem, CentralSystemTerms
from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import MemoryLog
from evcharging.messages.charge_points import Alert, Status, Telemetry
from evcharging.messages.commands import Command, CommandAction, Reply
from evcharging.messages.envelope import Event
from evcharging.messages.network import AuthToken, SiteSignal, TokenStatus
from evcharging.messages.topics import ALERTS, AUTH_TOKENS, COMMANDS, REPLIES, SITE_SIGNALS, STATUS, TELEMETRY, Topic
from evcharging.ocpp.errors import ConnectionLost
from evcharging.ocpp.schemas import check_request, check_response
from evcharging.ocpp.timestamps import timestamp
from evcharging.ocpp.versions import OcppVersion
from evcharging.store.database import Database, database_url
from evcharging.store.gateway import tables
from evcharging.store.migrate import migrate_database
from tests.support.databases import BreakableSqlite, migrated_sqlite

__all__ = ["DEADLINE_S", "Business", "Station", "business", "until"]

DEADLINE_S = 30
Payload = dict[str, Any]
_ids = count(1)
KNOWS_NOTHING: dict[str, Payload] = {
    "GetConfiguration": {},
    "GetVariables": {
        "getVariableResult": [
            {"attributeStatus": "UnknownVariable", "component": {"name": "X"}, "variable": {"name": "Y"}}
        ]
    },
}


async def until(condition: Callable[[], Any]) -> Any:
    """Wait until ``condition`` gives something; returns it."""
    async with asyncio.timeout(DEADLINE_S):
        while not (found := condition()):
            await asyncio.sleep(0.005)
        return found


@dataclass
class Business:
    """One gateway without its sockets."""

    central: CentralSystem
    database: Database
    bus: MemoryBus
    log: MemoryLog
    boot_terms: dict[str, BootTerms] = field(default_factory=dict)

    async def quiet(self) -> None:
        """Wait until everything that was told is stored."""
        central = self.central
        await until(lambda: not (central.boots.due or central.statuses.due or central.metering.due))
        assert await central.writes.drain(DEADLINE_S)

    @contextlib.asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        """Take the database away for as long as the block runs."""
        assert isinstance(self.database, BreakableSqlite)
        await self.quiet()
        async with self.database.outage():
            yield

    def said(self, topic: Topic[Any]) -> list[Any]:
        """All messages on a topic, in order."""
        records = [r for p in range(self.log.partitions) for r in self.log.read(topic.name, p, 0, 1_000_000)]
        return [topic.model.from_json(r.value) for r in sorted(records, key=lambda r: r.timestamp_ms) if r.value]

    def statuses(self, cp_id: str, connector_id: int | None = None) -> list[Status]:
        """What was said of a station."""
        return [s for s in self.said(STATUS) if s.cp_id == cp_id and connector_id in (None, s.connector_id)]

    def intervals(self, session_id: str) -> list[Telemetry]:
        """The intervals of a session, each number once, as a reader counts them."""
        found = {t.seq: t for t in self.said(TELEMETRY) if t.session_id == session_id}
        return [found[seq] for seq in sorted(found)]

    def alerts(self, kind: str) -> list[Alert]:
        """Alerts of a kind."""
        return [a for a in self.said(ALERTS) if a.kind == kind]

    def replies(self, command_id: str) -> list[Reply]:
        """Replies to a command."""
        return [r for r in self.said(REPLIES) if r.command_id == command_id]

    async def rows(self, table: Any, **where: Any) -> list[dict[str, Any]]:
        """Rows of the database."""
        statement = select(table)
        for name, value in where.items():
            statement = statement.where(table.c[name] == value)
        async with self.database.begin() as transaction:
            return [dict(row) for row in (await transaction.execute(statement)).mappings()]

    async def token(self, id_tag: str, status: TokenStatus = TokenStatus.ACCEPTED, **more: Any) -> None:
        """Have Central publish a token, and the gateway know it."""
        message = AuthToken(ts=datetime.now(UTC), id_tag=id_tag, status=status, **more)
        before = len(self.central.authorization)
        known = self.central.authorization.check(id_tag)
        await self.bus.publish(Event(AUTH_TOKENS, message, f"token-{next(_ids)}", "test"))
        await until(
            lambda: len(self.central.authorization) > before or self.central.authorization.check(id_tag) != known
        )

    async def price(self, price: float, *, solar_kw: float | None = None) -> None:
        """Have Central publish a price, and what the sun gives."""
        signal = SiteSignal(
            ts=datetime.now(UTC), site_id="site-1", price_per_kwh=price, currency="EUR", solar_kw=solar_kw
        )
        await self.bus.publish(Event(SITE_SIGNALS, signal, f"price-{next(_ids)}", "test"))
        await until(lambda: self.central.price.per_kwh == price)

    async def send(self, action: CommandAction, cp_id: str, **fields: Any) -> str:
        """Publish a command; returns its id."""
        now = datetime.now(UTC)
        fields.setdefault("command_id", f"command-{next(_ids)}")
        fields.setdefault("expires_at", now + timedelta(seconds=30))
        command = Command(ts=now, cp_id=cp_id, action=action, **fields)
        await self.bus.publish(Event(COMMANDS, command, command.command_id, "test"))
        return command.command_id

    async def order(self, action: CommandAction, cp_id: str, **fields: Any) -> Reply:
        """Publish a command and wait for its reply."""
        command_id = await self.send(action, cp_id, **fields)
        replies: list[Reply] = await until(lambda: self.replies(command_id))
        return replies[0]

    async def call(self, cp_id: str, action: str, payload: Payload) -> Reply:
        """An OCPP_CALL and its reply."""
        return await self.order(CommandAction.OCPP_CALL, cp_id, payload={"action": action, "payload": payload})

    def station(self, cp_id: str = "CP-1") -> Station:
        """A station that is connected."""
        station = Station(self.central, cp_id)
        station.connect()
        return station


class Station:
    """The other end of a link, speaking 1.6. ``answers`` says what it answers to which action."""

    version = OcppVersion.V16

    def __init__(self, central: CentralSystem, cp_id: str) -> None:
        self.central = central
        self.cp_id = cp_id
        self.called: list[tuple[str, Payload]] = []
        self.answers: dict[str, Payload | Exception | Callable[[Payload], Awaitable[Payload]]] = {}
        self.closed: tuple[int, str] | None = None

    def connect(self) -> None:
        """Have a socket."""
        self.closed = None
        self.central.connected(self)

    def disconnect(self, reason: str = "reset by peer") -> None:
        """Lose it."""
        self.central.disconnected(self, reason)

    async def loaded(self) -> None:
        """Wait until the gateway has read what it knows of this station."""

        def known() -> bool:
            point = self.central.points.get(self.cp_id)
            return point is not None and point.loaded

        await until(known)

    async def call(self, action: str, payload: Payload, *, timeout_s: float = 30.0) -> Payload:
        """What the gateway calls: the link's side."""
        check_request(self.version, action, payload)
        self.called.append((action, payload))
        answer = self.answers.get(action, KNOWS_NOTHING.get(action, {"status": "Accepted"}))
        if isinstance(answer, Exception):
            raise answer
        response = answer if isinstance(answer, dict) else await answer(payload)
        check_response(self.version, action, response)
        return response

    def close(self, code: int, reason: str) -> None:
        """The gateway ends the socket."""
        self.closed = (code, reason)
        self.central.disconnected(self, reason)

    async def tell(self, action: str, payload: Payload) -> Payload:
        """What the station calls, and the answer."""
        check_request(self.version, action, payload)
        answer = self.central.handle(self, action, payload)
        response: Payload = answer if isinstance(answer, dict) else await answer
        check_response(self.version, action, response)
        return response

    async def boot(self) -> Payload:
        """Boot, and be read."""
        response = await self.tell("BootNotification", {"chargePointVendor": "Maker", "chargePointModel": "Model"})
        await self.loaded()
        return response

    async def status(self, status: str, connector_id: int = 1, **more: Any) -> None:
        """Say how a connector is."""
        await self.tell(
            "StatusNotification",
            {"connectorId": connector_id, "errorCode": "NoError", "status": status, **more},
        )

    async def start(
        self, at: datetime, meter_wh: int, id_tag: str = "TAG", connector_id: int = 1, **more: Any
    ) -> Payload:
        """Begin a transaction."""
        return await self.tell(
            "StartTransaction",
            {
                "connectorId": connector_id,
                "idTag": id_tag,
                "meterStart": meter_wh,
                "timestamp": timestamp(at),
                **more,
            },
        )

    async def meter(
        self, transaction_id: int | None, at: datetime, wh: float, *more: Payload, connector_id: int = 1
    ) -> None:
        """Tell of a register, and of what else is given as sampled values."""
        payload: Payload = {
            "connectorId": connector_id,
            "meterValue": [{"timestamp": timestamp(at), "sampledValue": [{"value": str(wh)}, *more]}],
        }
        if transaction_id is not None:
            payload["transactionId"] = transaction_id
        await self.tell("MeterValues", payload)

    async def stop(self, transaction_id: int, at: datetime, meter_wh: int, **more: Any) -> Payload:
        """End a transaction."""
        return await self.tell(
            "StopTransaction",
            {"transactionId": transaction_id, "meterStop": meter_wh, "timestamp": timestamp(at), **more},
        )


class NoSocket(Station):
    """A station whose socket is gone without anybody having noticed."""

    async def call(self, action: str, payload: Payload, *, timeout_s: float = 30.0) -> Payload:
        """Nobody is there."""
        raise ConnectionLost("the socket is closed")


@contextlib.asynccontextmanager
async def business(
    folder: Path | str,
    *,
    log: MemoryLog | None = None,
    name: str = "gateway-1",
    terms: CentralSystemTerms | None = None,
    numbers: Callable[[], int] | None = None,
    mqtt: Any = None,
    engines: Container[str] = (),
) -> AsyncIterator[Business]:
    """One gateway's business side, running. ``folder`` holds its database, or is a URL; buses share a ``log``.

    ``engines`` are the ids that engines have.
    """
    database: Database
    if isinstance(folder, Path):
        database = await migrated_sqlite(folder / "gateway.db", schema=tables.SCHEMA)
    else:
        database = Database(database_url(folder), schema=tables.SCHEMA)
        await migrate_database(database)
    log = log if log is not None else MemoryLog()
    bus = MemoryBus(log)
    life = f"{name}-{next(_ids)}"
    boot_terms: dict[str, BootTerms] = {}
    following = count(int(datetime.now(UTC).timestamp() * 1000) % 2_000_000_000)
    central = CentralSystem(
        database=database,
        bus=bus,
        name=name,
        life=life,
        boot_terms=lambda cp_id: boot_terms.get(cp_id, BootTerms("Accepted", 300)),
        now=lambda: datetime.now(UTC),
        monotonic=asyncio.get_running_loop().time,
        new_number=numbers or (lambda: next(following)),
        new_id=lambda: f"{life}-{next(_ids)}",
        terms=terms or CentralSystemTerms(flush_s=0.01, leave_others_s=0.05, settle_s=0.0, hold_s=2.0),
        mqtt=mqtt,
        held_by_engine=lambda cp_id: cp_id in engines,
    )
    task = asyncio.create_task(central.run())
    try:
        await central.wait_ready()
        yield Business(central, database, bus, log, boot_terms)
        await central.drain()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await bus.stop()
        await database.close()
