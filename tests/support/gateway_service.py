"""A whole gateway in this process, on a bus in memory on which a test is Central, for stations that really connect."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Table, select

from evcharging.apps.ocpp_gateway.main import gateway
from evcharging.apps.ocpp_gateway.settings import GatewaySettings
from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import forget_log, shared_log
from evcharging.messages.envelope import Event
from evcharging.messages.topics import OCPP_CONFIG, Topic
from evcharging.store.database import Database, database_url
from evcharging.store.gateway import tables
from tests.support.ports import free_port

__all__ = ["GatewayService", "gateway_service"]

DEADLINE_S = 30


class GatewayService:
    """What a test says to it, and what it has stored."""

    def __init__(self, settings: GatewaySettings, log_name: str) -> None:
        self.settings = settings
        self.stop = asyncio.Event()
        self._bus = MemoryBus(shared_log(log_name))
        self._database = Database(database_url(settings.database), schema=tables.SCHEMA)

    def url(self, cp_id: str) -> str:
        """Where a station connects."""
        return f"ws://127.0.0.1:{self.settings.ws_port}/ocpp/{cp_id}"

    async def say(self, topic: Topic[Any], **fields: Any) -> None:
        """As Central."""
        message = topic.model(ts=datetime.now(UTC), **fields)
        await (await self._bus.publish(Event(topic, message, uuid.uuid4().hex, "central")))

    async def register(self, cp_id: str, **fields: Any) -> None:
        """As Central."""
        await self.say(OCPP_CONFIG, cp_id=cp_id, **fields)

    async def rows(self, table: Table, **where: Any) -> list[dict[str, Any]]:
        """What is stored."""
        statement = select(table).where(*(table.c[name] == value for name, value in where.items()))
        async with self._database.read() as transaction:
            return [dict(row) for row in (await transaction.execute(statement)).mappings()]

    async def is_ready(self) -> bool:
        """Whether stations may connect."""
        try:
            async with httpx.AsyncClient(trust_env=False) as http:
                answer = await http.get(f"http://127.0.0.1:{self.settings.http_port}/ready")
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK

    async def close(self) -> None:
        """Leave its database alone."""
        await self._database.close()


@contextlib.asynccontextmanager
async def gateway_service(folder: Path, *, log_name: str | None = None, **more: Any) -> AsyncIterator[GatewayService]:
    """One that is ready, and gone at the end; others may be on the log of that name, which is theirs to forget."""
    own = log_name is None
    log_name = log_name or f"gateway-{uuid.uuid4().hex}"
    settings = GatewaySettings(
        kafka_bootstrap=f"memory://{log_name}",
        ws_port=free_port(),
        http_port=free_port(),
        db_path=folder / "gateway.db",
        **more,
    )
    made = GatewayService(settings, log_name)
    task = asyncio.create_task(gateway(settings, made.stop))
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not await made.is_ready():
                assert not task.done(), task.exception()
                await asyncio.sleep(0.02)
        yield made
    finally:
        made.stop.set()
        await asyncio.wait_for(task, DEADLINE_S)
        await made.close()
        if own:
            forget_log(log_name)
