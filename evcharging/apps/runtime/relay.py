"""Publishes what transactions wrote into an outbox, in order, at least once.

A committed transaction hands its rows over in memory; the database is read only at start, after a failure, and for rows
that another copy left behind. A crash between publishing and marking publishes again, with the same ids.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from prometheus_client import Counter
from sqlalchemy import Table

from evcharging.bus.protocol import Bus, BusError
from evcharging.store import outbox
from evcharging.store.database import Database, DatabaseUnavailable
from evcharging.store.outbox import Waiting

__all__ = ["OutboxRelay"]

log = structlog.get_logger()

BATCH = 500
MARK_EVERY_S = 0.2
ADOPT_EVERY_S = 10.0
ADOPT_AFTER = timedelta(seconds=15)
RETRY_S = 0.5
HANDED_OVER_AT_MOST = 20_000

PUBLISHED = Counter("evcharging_outbox_published_total", "Outbox rows acknowledged by the broker")


class OutboxRelay:
    """One per process and outbox. `hand_over` after each commit; `run` for as long as the service lives."""

    def __init__(self, bus: Bus, database: Database, table: Table, *, owner: str, now: Callable[[], datetime]) -> None:
        self._bus = bus
        self._database = database
        self._table = table
        self._owner = owner
        self._now = now
        self._queue: deque[Waiting] = deque()
        self._wake = asyncio.Event()
        self._read_database = True
        self._acknowledged: list[int] = []
        self._under_way: set[int] = set()
        self._published: OrderedDict[int, None] = OrderedDict()
        self._idle = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Rows handed over or in flight and not acknowledged yet."""
        return len(self._queue) + len(self._under_way)

    def hand_over(self, rows: Sequence[Waiting]) -> None:
        """Take rows that a transaction has just committed, in the order of their commits."""
        if len(self._queue) + len(rows) > HANDED_OVER_AT_MOST:
            self._read_database = True  # they stay in the database and are read from there
        else:
            self._queue.extend(rows)
        self._wake.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._publishing())
            group.create_task(self._marking())
            group.create_task(self._adopting())

    async def drain(self, timeout_s: float) -> None:
        """Wait until everything handed over was acknowledged and marked, or the time is up."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.waiting or self._acknowledged:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            log.warning("outbox rows are left for the next start", waiting=self.waiting)

    async def _publishing(self) -> None:
        while True:
            try:
                if self._read_database:
                    await self._catch_up()
                while self._queue:
                    await self._publish(self._queue[0])
                    self._queue.popleft()
            except (BusError, DatabaseUnavailable) as error:
                self._read_database = True
                log.warning("outbox relay waits", reason=str(error))
                await asyncio.sleep(RETRY_S)
                continue
            await self._wake.wait()
            self._wake.clear()

    async def _catch_up(self) -> None:
        """Read the database until nothing waits there, then go on from memory."""
        self._queue.clear()
        self._read_database = False
        while True:
            async with self._database.begin() as transaction:
                rows = await outbox.waiting(
                    transaction,
                    self._table,
                    owner=self._owner,
                    orphaned_before=self._now() - ADOPT_AFTER,
                    limit=BATCH + len(self._under_way) + len(self._acknowledged),
                )
            known = self._under_way.union(self._acknowledged)
            rows = [row for row in rows if row.outbox_id not in known]
            if not rows:
                return
            for row in rows:
                await self._publish(row)

    async def _publish(self, row: Waiting) -> None:
        if row.outbox_id in self._under_way or row.outbox_id in self._published:
            return  # read from the database and handed over as well
        delivery = await self._bus.publish(row.event)
        self._under_way.add(row.outbox_id)
        delivery.add_done_callback(lambda done: self._delivered(row.outbox_id, done))

    def _delivered(self, outbox_id: int, delivery: asyncio.Future[None]) -> None:
        self._under_way.discard(outbox_id)
        if delivery.cancelled() or delivery.exception() is not None:
            self._read_database = True
            self._wake.set()
        else:
            PUBLISHED.inc()
            self._acknowledged.append(outbox_id)
            self._published[outbox_id] = None
            if len(self._published) > HANDED_OVER_AT_MOST:
                self._published.popitem(last=False)

    async def _marking(self) -> None:
        while True:
            await asyncio.sleep(MARK_EVERY_S)
            if not self._acknowledged:
                continue
            done = list(self._acknowledged)
            try:
                async with self._database.begin() as transaction:
                    await outbox.mark_published(transaction, self._table, done, self._now())
            except DatabaseUnavailable:
                await asyncio.sleep(RETRY_S)
            else:
                del self._acknowledged[: len(done)]
                self._idle.set()

    async def _adopting(self) -> None:
        while True:
            await asyncio.sleep(ADOPT_EVERY_S)
            self._read_database = True
            self._wake.set()
