"""What the parts of a gateway's business side stand on: a real database, a clock moved by hand, and what was said."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import select

from evcharging.apps.ocpp_gateway.announcements import Announcements
from evcharging.apps.ocpp_gateway.authorization import Authorization
from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, ChargePoints, Link
from evcharging.apps.ocpp_gateway.metering import Metering
from evcharging.apps.ocpp_gateway.presence import Presence
from evcharging.apps.ocpp_gateway.statuses import Statuses
from evcharging.apps.ocpp_gateway.writes import Writes
from evcharging.apps.runtime.relay import OutboxRelay
from evcharging.bus.memory import MemoryBus
from evcharging.messages.base import Message
from evcharging.messages.envelope import Event
from evcharging.messages.network import AuthToken, TokenStatus
from evcharging.ocpp.versions import OcppVersion
from evcharging.store.gateway import tables
from tests.support.databases import BreakableSqlite, migrated_sqlite

__all__ = ["NOW", "Ground", "Socket", "ground"]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DEADLINE_S = 30.0
Payload = dict[str, Any]


class Socket:
    """A station's socket; ``answer`` is what the station says to every call, or raises, or makes of the payload."""

    version = OcppVersion.V16

    def __init__(self, cp_id: str = "CP-1") -> None:
        self.cp_id = cp_id
        self.answer: Payload | Exception | Callable[[Payload], Awaitable[Payload]] = {"status": "Accepted"}
        self.called: list[tuple[str, Payload]] = []
        self.closed: tuple[int, str] | None = None

    async def call(self, action: str, payload: Payload, *, timeout_s: float = 30.0) -> Payload:
        """What the gateway asks."""
        self.called.append((action, payload))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer if isinstance(self.answer, dict) else await self.answer(payload)

    def close(self, code: int, reason: str) -> None:
        """The gateway ends it."""
        self.closed = (code, reason)


class Ground:
    """One gateway's parts; each event that they say, at once or with what is stored, is in ``said``, in order."""

    def __init__(self, database: BreakableSqlite, *, name: str) -> None:
        self.database = database
        self.name = name
        self.moment = NOW
        self.said: list[Event[Any]] = []
        self.points = ChargePoints()
        relay = OutboxRelay(MemoryBus(), database, tables.outbox, owner=name, now=self.now)
        self.writes = Writes(database, relay, owner=name, now=self.now, hold_s=0.2, told=self.said.append)
        self.authorization = Authorization(accept_unknown=False, now=self.now)
        self.announcements = Announcements(source=name, now=self.now, price_per_kwh=lambda: 0.5)
        self.freed: list[tuple[str, int]] = []
        """Connectors that were free without having served whom their station waited for."""
        self.statuses = Statuses(
            self.announcements,
            send=self.said.append,
            doubt_s=60.0,
            monotonic=self.seconds,
            on_freed=lambda point, connector_id: self.freed.append((point.cp_id, connector_id)),
        )
        self.metering = Metering(
            self.announcements,
            send=self.said.append,
            congested=lambda: False,
            monotonic=self.seconds,
            on_target=lambda *_: None,
        )
        sockets = count(1)
        self.presence = Presence(
            self.points,
            self.writes,
            self.statuses,
            self.metering,
            self.announcements,
            life=name,
            new_id=lambda: f"{name}-socket-{next(sockets)}",
            send=self.said.append,
            now=self.now,
        )

    def now(self) -> datetime:
        """The time, moved by `advance`."""
        return self.moment

    def seconds(self) -> float:
        """The same, as a clock that counts."""
        return self.moment.timestamp()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.moment += timedelta(seconds=seconds)

    def station(self, cp_id: str = "CP-1") -> tuple[ChargePoint, Socket]:
        """A station that is connected, accepted and known, as the parts below presence see it."""
        point, socket = self.points.obtain(cp_id), Socket(cp_id)
        link: Link = socket
        point.link, point.version = link, socket.version
        point.socket_id, point.connected_at = f"{cp_id}-socket", self.moment
        point.boot_status, point.loaded = "Accepted", True
        return point, socket

    def token(self, id_tag: str = "TAG", status: TokenStatus = TokenStatus.ACCEPTED, **more: Any) -> None:
        """Know a token."""
        self.authorization.learn(AuthToken(ts=self.moment, id_tag=id_tag, status=status, **more))

    def messages(self, kind: type[Message]) -> list[Any]:
        """What was said of a kind, in order."""
        return [event.message for event in self.said if isinstance(event.message, kind)]

    async def stored(self) -> None:
        """Wait until everything that was told is stored."""
        assert await self.writes.drain(DEADLINE_S)

    async def rows(self, table: Any) -> list[dict[str, Any]]:
        """All rows of a table."""
        async with self.database.begin() as transaction:
            return [dict(row) for row in (await transaction.execute(select(table))).mappings()]


@contextlib.asynccontextmanager
async def ground(folder: Path, *, name: str = "gateway-1") -> AsyncIterator[Ground]:
    """The ground of one gateway on the database in ``folder``, which several may share."""
    database = await migrated_sqlite(folder / "gateway.db", schema=tables.SCHEMA)
    made = Ground(database, name=name)
    writing = asyncio.create_task(made.writes.run())
    try:
        yield made
    finally:
        writing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writing
        await database.close()
