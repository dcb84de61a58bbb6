"""Begins Central's transactions, each as one `Work`, and publishes what it sent once it has committed."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime

from evcharging.apps.ev_central.session_cache import SessionCache
from evcharging.apps.ev_central.work import Work
from evcharging.apps.runtime.relay import OutboxRelay
from evcharging.bus.protocol import Bus
from evcharging.store.database import Database

__all__ = ["Transactions"]


class Transactions:
    """What every part of Central that changes something works with.

    Args:
        relay: is handed the outbox rows of each transaction after its commit.
        instance_id: names this copy of Central as the source of its events and the owner of its rows.
        now: the time, with a zone.
    """

    def __init__(
        self, *, database: Database, bus: Bus, relay: OutboxRelay, instance_id: str, now: Callable[[], datetime]
    ) -> None:
        self.database = database
        self.bus = bus
        self.source = f"central/{instance_id}"
        self.now = now
        self._relay = relay
        self._instance_id = instance_id
        # Where one process alone writes the database, running sessions are kept in memory.
        self._cache = SessionCache() if database.url.get_backend_name() == "sqlite" else None

    @contextlib.asynccontextmanager
    async def begin(self, *, patiently: bool = False) -> AsyncIterator[Work]:
        """One transaction: its changes are saved when the block ends, and nothing of it counts when the block raises.

        ``patiently``: see `evcharging.store.database.Database.begin`.

        Raises:
            DatabaseUnavailable: nothing was stored, unless it says ``in_doubt``.
        """
        try:
            async with self.database.begin(patiently=patiently) as transaction:
                work = Work(transaction, now=self.now(), instance_id=self._instance_id, cache=self._cache)
                yield work
                waiting = await work.save()
        except BaseException:
            if self._cache is not None:
                self._cache.clear()  # its rows were changed in place
            raise
        for event in work.asides:
            await self.bus.publish(event)
        self._relay.hand_over(waiting)
