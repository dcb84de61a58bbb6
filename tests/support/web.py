"""Central's HTTP layer over its real core: SQLite, the in-memory log and the view; with or without a port."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from evcharging.apps.ev_central.api.app import create_app
from evcharging.apps.ev_central.charging_profiles import ChargingProfiles
from evcharging.apps.ev_central.ocpp_calls import OcppCalls
from evcharging.apps.ev_central.ocpp_registry import OcppRegistry
from evcharging.apps.ev_central.readiness import Readiness
from evcharging.apps.ev_central.swarm import Swarm
from evcharging.apps.ev_central.swarm_view import SwarmView
from evcharging.apps.ev_central.view import NetworkView
from evcharging.apps.ev_central.view_reader import ViewReader
from evcharging.apps.runtime.behaviour_profiles import load_profiles
from evcharging.apps.runtime.http import bind, serving
from evcharging.bus.memory_log import MemoryLog
from evcharging.messages.charge_points import Telemetry
from evcharging.messages.commands import Command
from evcharging.messages.topics import TELEMETRY
from tests.support.central import CentralRig, Clock, a_moment, make_rig
from tests.support.databases import BreakableDatabase, migrated_sqlite

PATIENCE_S = 30.0
MOST_STATIONS = 3_000


class WebRig:
    """A Central with HTTP. ``http`` calls it without a port."""

    def __init__(
        self,
        core: CentralRig,
        database: BreakableDatabase,
        history: BreakableDatabase,
        gateway: BreakableDatabase,
        *,
        token: str | None = None,
        answer_within_s: float = 30.0,
    ) -> None:
        self.core = core
        self.database = database
        self.history = history
        self.gateway = gateway
        self.clock = core.clock
        self.view = NetworkView(site_id="site-1")
        profiles = load_profiles()
        self.swarm_view = SwarmView(profiles)
        self.swarm = Swarm(core.transactions, self.swarm_view, profiles, most_stations=MOST_STATIONS)
        self.calls = OcppCalls(core.transactions, answer_within_s=answer_within_s)
        self.registry = OcppRegistry(core.transactions)
        self.reader = ViewReader(core.bus, self.view, self.swarm_view, now=core.clock, on_reply=self.calls.hear)
        self.readiness = Readiness(bus=core.bus, database=database, effects=core.consumer, view=self.reader)
        self.app: FastAPI = create_app(
            operations=core.operations,
            view=self.view,
            swarm=self.swarm,
            swarm_view=self.swarm_view,
            calls=self.calls,
            registry=self.registry,
            profiles=ChargingProfiles(core.transactions),
            readiness=self.readiness,
            database=database,
            history_database=history,
            gateway_database=gateway,
            api_token=SecretStr(token) if token else None,
            now=core.clock,
        )
        self.http = self.client()

    def client(self, **more: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://central", **more)

    async def activated(self, *cp_ids: str) -> None:
        """Charge points that both the core and the view know as ACTIVATED."""
        await self.core.activated(*cp_ids)
        for cp_id in cp_ids:
            await self.state(cp_id, "ACTIVATED")

    async def state(self, cp_id: str, state: str) -> dict[str, Any]:
        """Wait until the view shows ``cp_id`` in ``state``."""
        return await self.record(cp_id, lambda record: record["state"] == state)

    async def record(self, cp_id: str, matches: Any) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = self.view.record(cp_id, self.clock())
                if found is not None and matches(found):
                    return dict(found)
                await a_moment()

    async def supplying(self, cp_id: str, *, driver_id: str = "driver-alice") -> Command:
        """A session that an operator started and the charge point began."""
        answer = await self.http.post(f"/cp/{cp_id}/start", json={"driver_id": driver_id})
        assert answer.status_code == 202, answer.text
        command = await self.core.heard.wait_for(Command, lambda c: c.command_id == answer.json()["command_id"])
        await self.core.supply(command)
        await self.state(cp_id, "SUPPLYING")
        return command

    async def metered(self, command: Command, seq: int, **more: Any) -> Telemetry:
        """One interval of a second, seen by the core and by the view."""
        self.clock.advance(1)
        telemetry = self.core.telemetry(command, seq, **more)
        before = self.view.record(command.cp_id, self.clock())
        kwh = (before["kwh"] if before else None) or 0.0
        await self.core.publish(TELEMETRY, telemetry)
        await self.record(
            command.cp_id,
            lambda r: r["cost"] is not None and r["kwh"] > kwh and self.view.meter(command.cp_id) == telemetry,
        )
        return telemetry

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[WebRig]:
        async with self.core.running(), self.reader, self.http:
            task = asyncio.create_task(self.reader.run())
            try:
                await self.reader.wait_caught_up()
                yield self
            finally:
                task.cancel()
                await asyncio.wait([task])

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Serve on a port of its own; the address, host:port."""
        sock = bind("127.0.0.1", 0, flag="--http-port")
        try:
            async with serving(self.app, sock, name="test"):
                yield f"127.0.0.1:{sock.getsockname()[1]}"
        finally:
            sock.close()


@contextlib.asynccontextmanager
async def running_web(
    folder: Path,
    *,
    token: str | None = None,
    answer_within_s: float = 30.0,
    log: MemoryLog | None = None,
    clock: Clock | None = None,
    name: str = "central-1",
) -> AsyncIterator[WebRig]:
    """A Central with HTTP on databases in ``folder``; others may be on its ``log``, and go by its ``clock``."""
    database = await migrated_sqlite(folder / "simulator.db")
    history = await migrated_sqlite(folder / "history.db", schema="history")
    gateway = await migrated_sqlite(folder / "gateway.db", schema="gateway")
    try:
        core = await make_rig(log or MemoryLog(), database, clock or Clock(), name=name)
        async with WebRig(
            core, database, history, gateway, token=token, answer_within_s=answer_within_s
        ).running() as rig:
            yield rig
    finally:
        await gateway.close()
        await history.close()
        await database.close()
