"""Whether Central makes progress: each part says so itself, and ready is that all of them do."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from evcharging.apps.ev_central.view_reader import ViewReader
from evcharging.bus.consumer import Consumer
from evcharging.bus.partitioning import partition_for
from evcharging.bus.protocol import Bus
from evcharging.messages.topics import STATUS
from evcharging.mqtt.protocol import MqttClient
from evcharging.store.database import Database, DatabaseUnavailable

__all__ = ["Check", "Readiness"]

DATABASE_ANSWERS_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Check:
    """One part's word, with the reason where it is not ready."""

    ok: bool
    detail: str | None = None


class Readiness:
    """Asks the bus, both readers, the database and, where it is configured, MQTT."""

    def __init__(
        self,
        *,
        bus: Bus,
        database: Database,
        effects: Consumer,
        view: ViewReader,
        mqtt: MqttClient | None = None,
    ) -> None:
        self._bus = bus
        self._database = database
        self._effects = effects
        self._view = view
        self._mqtt = mqtt
        self.stopping = False

    async def checks(self) -> dict[str, Check]:
        """Every check by name: ``kafka``, ``database``, ``mqtt`` if it is on, ``stopping`` while draining."""
        checks = {"kafka": self._kafka(), "database": await self._database_check()}
        if self._mqtt is not None:
            health = self._mqtt.health()
            checks["mqtt"] = Check(health.connected, None if health.connected else health.detail)
        if self.stopping:
            checks["stopping"] = Check(ok=False, detail="draining")
        return checks

    def heard_until(self, now: datetime) -> datetime | None:
        """Until when silence on the bus means that nobody spoke; None while it means nothing.

        Where records come faster than they are handled that is not ``now``: what was said since may lie in the log.
        """
        if not self._kafka().ok:
            return None
        behind_s = self._effects.health().behind_s
        return None if math.isinf(behind_s) else now - timedelta(seconds=behind_s)

    def hears_of(self, cp_id: str) -> bool:
        """Whether it is this copy of Central that reads what is said of a charge point; silence is for it to judge."""
        everywhere = sum(topic == STATUS.name for topic, _ in self._view.partitions())
        return everywhere > 0 and (STATUS.name, partition_for(cp_id.encode(), everywhere)) in self._effects.partitions()

    def _kafka(self) -> Check:
        bus = self._bus.health()
        if not bus.connected:
            return Check(ok=False, detail=bus.detail or "not connected")
        for name, reader in (("effects", self._effects), ("view", self._view)):
            if not reader.caught_up():
                return Check(ok=False, detail=f"{name}: catching up")
            health = reader.health()
            if not health.progressing:
                detail = f"{name}: {health.lag} records behind, no progress for {health.stalled_s:.0f} s"
                return Check(ok=False, detail=detail)
        return Check(ok=True)

    async def _database_check(self) -> Check:
        try:
            async with asyncio.timeout(DATABASE_ANSWERS_WITHIN_S):
                await self._database.ping()
        except (DatabaseUnavailable, TimeoutError) as error:
            return Check(ok=False, detail=str(error) or "no answer")
        return Check(ok=True)
