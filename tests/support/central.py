"""Central's core over an in-memory log and a real database, with a scripted charge point and a clock moved by hand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from evcharging.apps.ev_central.effects import Effects
from evcharging.apps.ev_central.operations import Operations
from evcharging.apps.ev_central.prices import Prices
from evcharging.apps.ev_central.sweep import Sweep
from evcharging.apps.ev_central.transactions import Transactions
from evcharging.apps.runtime.relay import OutboxRelay
from evcharging.bus.consumer import Consumer
from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import MemoryLog
from evcharging.bus.protocol import Position
from evcharging.domain.states import ChargePointState
from evcharging.messages.base import Message
from evcharging.messages.charge_points import Status, StatusDetail, StatusSource, Telemetry
from evcharging.messages.commands import Command, CommandOutcome, Reply
from evcharging.messages.drivers import DriverRequest, DriverUpdate, RequestKind
from evcharging.messages.envelope import Event, Received, decode
from evcharging.messages.topics import (
    DRIVER_REQUESTS,
    REPLIES,
    STATUS,
    TELEMETRY,
    Topic,
    topic_named,
)
from evcharging.store.database import Database
from evcharging.store.migrate import migrate_database
from evcharging.store.simulator import tables
from evcharging.store.simulator.rows import TariffRow

M = TypeVar("M", bound=Message)
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PATIENCE_S = 30.0


async def a_moment() -> None:
    """Let others run before a condition is looked at again; the test's own deadline ends a wait in vain."""
    await asyncio.sleep(0.002)


class Clock:
    """The time, moved by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def timestamp(self) -> float:
        return self.now.timestamp()

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Heard:
    """Everything published on some topics, in order; waits for what a test expects next."""

    def __init__(self, bus: MemoryBus, *topics: str) -> None:
        self.all: list[Received[Any]] = []
        self._bus = bus
        self._topics = topics
        self._news = asyncio.Event()

    async def listen(self) -> None:
        async with self._bus.subscribe(dict.fromkeys(self._topics, Position.BEGINNING)) as subscription:
            while True:
                for r in await subscription.getmany(timeout_s=0.05):
                    topic = topic_named(r.topic)
                    self.all.append(
                        decode(topic, body=r.value, headers=r.headers, partition=r.partition, offset=r.offset)
                    )
                    self._news.set()

    async def wait_for(self, kind: type[M], matches: Callable[[M], bool] = lambda _: True) -> M:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for received in self.all:
                    if isinstance(received.message, kind) and matches(received.message):
                        return received.message
                self._news.clear()
                await self._news.wait()

    def of(self, kind: type[M]) -> list[M]:
        return [r.message for r in self.all if isinstance(r.message, kind)]


class CentralRig:
    """One copy of Central's core: effects, operations, relay, sweep."""

    def __init__(self, log: MemoryLog, database: Database, prices: Prices, clock: Clock, *, name: str) -> None:
        self.clock = clock
        self.database = database
        self.prices = prices
        self.bus = MemoryBus(log, wall_clock=clock.timestamp)
        self.relay = OutboxRelay(self.bus, database, tables.outbox, owner=name, now=clock)
        transactions = Transactions(database=database, bus=self.bus, relay=self.relay, instance_id=name, now=clock)
        self.transactions = transactions
        self.policies: dict[str, str] = {}
        """Why charge points let no session begin, by id."""
        policy = self.policies.get
        self.operations = Operations(transactions, prices, site_id="site-1", start_timeout_s=15, policy=policy)
        self.effects = Effects(transactions, prices, start_timeout_s=15, policy=policy)
        self.consumer = Consumer(
            self.bus,
            [DRIVER_REQUESTS, STATUS, TELEMETRY, REPLIES],
            group="central",
            handler=self.effects.handle,
        )
        self.hears = True
        self.behind_s = 0.0
        """How long ago this copy had read everything that was said."""
        self.of_others: set[str] = set()
        """Charge points whose partitions another copy reads."""
        self.sweep = Sweep(
            transactions,
            heard_until=lambda now: now - timedelta(seconds=self.behind_s) if self.hears else None,
            hears_of=lambda cp_id: cp_id not in self.of_others,
            engine_lost_s=60,
            settle_s=10,
            late_end_s=300,
            retention=timedelta(days=7),
        )
        self.heard = Heard(self.bus, "driver.updates", "central.commands", "cp.status", "cp.alerts", "site.signals")

    async def publish(self, topic: Topic[M], message: M, *, event_id: str | None = None) -> None:
        identity = event_id or message.body_id() or f"{topic.name}-{message.model_dump_json()}"
        await (await self.bus.publish(Event(topic, message, identity, "test")))

    async def request(
        self, request_id: str, cp_id: str, *, kind: RequestKind = RequestKind.CHARGE, **more: Any
    ) -> None:
        request = DriverRequest(
            ts=self.clock(), request_id=request_id, driver_id="driver-alice", cp_id=cp_id, kind=kind, **more
        )
        await self.publish(DRIVER_REQUESTS, request)

    async def status(
        self,
        cp_id: str,
        state: ChargePointState,
        *,
        previous: ChargePointState | None = None,
        reason: str | None = None,
        session_id: str | None = None,
        detail: dict[str, Any] | None = None,
        connector_id: int = 1,
    ) -> None:
        message = Status(
            ts=self.clock(),
            cp_id=cp_id,
            connector_id=connector_id,
            state=state,
            previous_state=previous,
            reason=reason,
            session_id=session_id,
            source=StatusSource.ENGINE,
            detail=StatusDetail(**detail) if detail else None,
        )
        await self.publish(STATUS, message)

    async def activated(self, *cp_ids: str) -> None:
        """Have charge points come up and wait until Central knows."""
        for cp_id in cp_ids:
            await self.status(cp_id, ChargePointState.ACTIVATED, reason="boot", connector_id=0)
        while {cp_id: state for cp_id, state in (await self.known_states()).items() if cp_id in cp_ids} != (
            dict.fromkeys(cp_ids, "ACTIVATED")
        ):
            await a_moment()

    async def known_states(self) -> dict[str, str]:
        async with self.database.begin() as transaction:
            rows = await transaction.execute(tables.charge_points.select())
            return {row.cp_id: row.state for row in rows}

    async def connectors_of(self, cp_id: str) -> dict[str, list[str]]:
        async with self.database.begin() as transaction:
            rows = await transaction.execute(tables.charge_points.select().where(tables.charge_points.c.cp_id == cp_id))
            return dict(rows.one().connectors)

    async def supply(self, command: Command) -> None:
        """Do what an engine does on a start command."""
        await self.reply(command, CommandOutcome.ACCEPTED)
        await self.status(
            command.cp_id,
            ChargePointState.SUPPLYING,
            previous=ChargePointState.ACTIVATED,
            session_id=command.session_id,
            detail={"register_start_wh": 1000.0},
        )

    async def interval(self, command: Command, seq: int, *, energy_wh: float = 6.1, **more: Any) -> None:
        await self.publish(TELEMETRY, self.telemetry(command, seq, energy_wh=energy_wh, **more))

    def telemetry(self, command: Command, seq: int, *, energy_wh: float = 6.1, **more: Any) -> Telemetry:
        end = self.clock() + timedelta(seconds=seq)
        values = {
            "ts": end,
            "cp_id": command.cp_id,
            "session_id": command.session_id,
            "driver_id": command.driver_id,
            "seq": seq,
            "interval_start": end - timedelta(seconds=1),
            "interval_end": end,
            "register_wh": round(1000.0 + seq * energy_wh, 1),
            "energy_wh": energy_wh,
            "grid_wh": energy_wh,
            "kw": 22.0,
            "kwh": seq * energy_wh / 1000,
            "euros": 0.0,
        }
        return Telemetry(**{**values, **more})

    async def end(self, command: Command, last_seq: int, *, reason: str = "time_elapsed", **more: Any) -> None:
        state = more.pop("state", ChargePointState.ACTIVATED)
        await self.status(
            command.cp_id,
            state,
            previous=ChargePointState.SUPPLYING,
            reason=reason,
            session_id=command.session_id,
            detail={"last_seq": last_seq, "register_start_wh": 1000.0, **more},
        )

    async def reply(self, command: Command, outcome: CommandOutcome, **more: Any) -> None:
        reply = Reply(ts=self.clock(), command_id=command.command_id, cp_id=command.cp_id, outcome=outcome, **more)
        await self.publish(REPLIES, reply)

    async def command(self, action: str, cp_id: str | None = None) -> Command:
        return await self.heard.wait_for(Command, lambda c: c.action == action and (cp_id is None or c.cp_id == cp_id))

    async def update(self, request_id: str, status: str) -> DriverUpdate:
        return await self.heard.wait_for(DriverUpdate, lambda u: u.request_id == request_id and u.status == status)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[CentralRig]:
        await self.bus.start()
        async with self.consumer:
            tasks = [asyncio.create_task(work) for work in (self.consumer.run(), self.relay.run(), self.heard.listen())]
            try:
                yield self
                for task in tasks:
                    if task.done():
                        task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        await self.bus.stop()


async def make_rig(
    log: MemoryLog, database: Database, clock: Clock, *, name: str = "central-1", price: str = "0.30"
) -> CentralRig:
    """Central on a database that is brought up to date first."""
    await migrate_database(database)
    first = TariffRow(
        valid_from=clock() - timedelta(days=1),
        price_per_kwh=Decimal(price),
        solar_price_per_kwh=None,
        currency="EUR",
    )
    return CentralRig(log, database, await Prices.load(database, first=first), clock, name=name)
