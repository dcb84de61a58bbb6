"""Writes what was into the history: logs of stations, OCPP frames, alerts, and every few seconds what is drawn.

What comes over the bus is read by the group ``central-history`` and written as it comes, a batch a transaction; nothing
gathers here. While the database is away, records wait in their topics, as long as the broker keeps them, and snapshots
of that time are dropped and counted; nothing else of Central waits for any of it. The history is read elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from prometheus_client import Counter

from evcharging.apps.ev_central.swarm_view import SwarmView
from evcharging.apps.ev_central.view import NetworkView
from evcharging.bus.consumer import Consumer, Retry
from evcharging.bus.protocol import Bus
from evcharging.messages.charge_points import Alert
from evcharging.messages.envelope import Received
from evcharging.messages.network import OcppFrame, SwarmLog
from evcharging.messages.topics import ALERTS, OCPP_FRAMES, SWARM_LOG
from evcharging.store.database import Database, DatabaseUnavailable
from evcharging.store.history import tables, writing
from evcharging.store.history.rows import FrameRow, LogRow, SnapshotRow
from evcharging.store.migrate import migrate_database

__all__ = ["GROUP", "Recorder"]

log = structlog.get_logger()

GROUP = "central-history"
MOST_RECORDS_A_BATCH = 5_000
GATHER_S = 0.25
"""Least time between two transactions: what comes meanwhile is written together."""
SAMPLES_A_TURN = 500
FORGET_EVERY_S = 600.0
ROWS_FORGOTTEN_AT_ONCE = 5_000
RETRY_S = 2.0
FAILED_PAUSE_S = 10.0

WRITTEN = Counter("evcharging_central_history_rows_total", "Rows written into the history", ["kind"])
DROPPED = Counter(
    "evcharging_central_history_dropped_total", "Snapshots not written because the history was away", ["kind"]
)


class Recorder:
    """One per copy of Central; await `run` in a task of its own.

    Args:
        bus: where logs, frames and alerts are read.
        database: the history.
        view, swarm: what is drawn now.
        now: the clock.
        every_s: how often that is looked at, at moments which are multiples of it. A row has the time of the reading
            that it shows, not of the look: of several copies of Central that have heard the same, one is written.
        retention, frames_retention: rows older than this are forgotten.
        most_rows: the bound on the rows of each table, whatever their age.
    """

    def __init__(
        self,
        bus: Bus,
        database: Database,
        view: NetworkView,
        swarm: SwarmView,
        *,
        now: Callable[[], datetime],
        every_s: float,
        retention: timedelta,
        frames_retention: timedelta,
        most_rows: int,
    ) -> None:
        self._database = database
        self._view = view
        self._swarm = swarm
        self._now = now
        self._every_s = every_s
        self._kept = {
            tables.station_logs: retention,
            tables.snapshots: retention,
            tables.alerts: retention,
            tables.frames: frames_retention,
        }
        self._most_rows = most_rows
        self._last: dict[str, SnapshotRow] = {}
        self._away = False
        self._wrote_at = 0.0
        self._bus = bus

    async def run(self) -> None:
        """Record until cancelled. The database may come later, and a failure of ours costs the history alone."""
        while True:
            try:
                await self._prepare()
                await self._work()
            except Exception:
                log.exception("the recorder failed and begins again", pause_s=FAILED_PAUSE_S)
                await asyncio.sleep(FAILED_PAUSE_S)

    async def sample(self) -> int:
        """Write down what is drawn now, where that has changed since the last time; returns how many rows."""
        rows: list[SnapshotRow] = []
        for looked_at, row in enumerate(self._meters()):
            last = self._last.get(row.station_id)
            if last is None or (last.kw, last.kwh) != (row.kw, row.kwh):
                rows.append(row)
            if looked_at % SAMPLES_A_TURN == SAMPLES_A_TURN - 1:
                await asyncio.sleep(0)
        if not rows:
            return 0
        try:
            async with self._database.begin() as transaction:
                await writing.add_snapshots(transaction, rows)
        except DatabaseUnavailable as error:
            DROPPED.labels("snapshots").inc(len(rows))
            self._note_away(error)
            return 0
        self._away = False
        WRITTEN.labels("snapshots").inc(len(rows))
        for row in rows:
            if row.kw > 0:
                self._last[row.station_id] = row
            else:
                self._last.pop(row.station_id, None)
        return len(rows)

    async def forget(self) -> int:
        """Drop what is older than it is kept, and what is over the bound; returns how many rows."""
        dropped = 0
        for table, kept in self._kept.items():
            while True:
                async with self._database.begin() as transaction:
                    gone = await writing.forget(
                        transaction,
                        table,
                        before=self._now() - kept,
                        most_rows=self._most_rows,
                        at_once=ROWS_FORGOTTEN_AT_ONCE,
                    )
                dropped += gone
                if gone < ROWS_FORGOTTEN_AT_ONCE:
                    break
        return dropped

    async def _work(self) -> None:
        consumer = Consumer(
            self._bus,
            [SWARM_LOG, ALERTS, OCPP_FRAMES],
            group=GROUP,
            handler=self._record,
            max_records=MOST_RECORDS_A_BATCH,
        )
        async with consumer, asyncio.TaskGroup() as group:
            group.create_task(consumer.run(), name="history:read")
            group.create_task(self._sampling(), name="history:sample")
            group.create_task(self._forgetting(), name="history:forget")

    async def _prepare(self) -> None:
        while True:
            try:
                await migrate_database(self._database)
            except DatabaseUnavailable as error:
                self._note_away(error)
                await asyncio.sleep(RETRY_S)
            else:
                self._away = False
                return

    async def _record(self, batch: Sequence[Received[Any]]) -> None:
        await asyncio.sleep(self._wrote_at + GATHER_S - asyncio.get_running_loop().time())
        messages = [received.message for received in batch]
        lines = [LogRow(station_id=m.station_id, ts=m.ts, line=m.line) for m in messages if isinstance(m, SwarmLog)]
        alerts = [m for m in messages if isinstance(m, Alert)]
        frames = [_frame(m) for m in messages if isinstance(m, OcppFrame)]
        try:
            async with self._database.begin() as transaction:
                await writing.add_logs(transaction, lines)
                await writing.add_alerts(transaction, alerts)
                await writing.add_frames(transaction, frames)
        except DatabaseUnavailable as error:
            raise Retry(f"the history is away: {error}") from error
        self._wrote_at = asyncio.get_running_loop().time()
        for kind, rows in (("logs", lines), ("alerts", alerts), ("frames", frames)):
            WRITTEN.labels(kind).inc(len(rows))

    async def _sampling(self) -> None:
        while True:
            await asyncio.sleep(self._every_s - self._now().timestamp() % self._every_s)
            await self.sample()

    async def _forgetting(self) -> None:
        while True:
            try:
                dropped = await self.forget()
                if dropped:
                    log.info("the history forgot what is old", rows=dropped)
            except DatabaseUnavailable as error:
                self._note_away(error)
            await asyncio.sleep(FORGET_EVERY_S)

    def _meters(self) -> Iterator[SnapshotRow]:
        """What each station draws that draws anything, or did when it was last looked at."""
        now = self._now()
        drawing = dict.fromkeys([*self._view.supplying, *self._swarm.drawing(), *self._last])
        for station_id in drawing:
            kw, kwh, read_at = self._meter(station_id, now)
            last = self._last.get(station_id)
            if kw > 0 or last is not None:
                is_news = read_at is not None and (last is None or read_at > last.ts)
                ts = now if read_at is None or not is_news else min(read_at, now)
                yield SnapshotRow(station_id=station_id, ts=ts, kw=kw, kwh=kwh)

    def _meter(self, station_id: str, now: datetime) -> tuple[float, float, datetime | None]:
        """As Central meters it, with the time; of a station that charges elsewhere, as it says itself."""
        record, meter = self._view.record(station_id, now), self._view.meter(station_id)
        if record is not None and record["kw"] > 0:
            return record["kw"], record["kwh"] or 0.0, self._view.seen_at(station_id)
        of_itself = self._swarm.meter(station_id)
        if of_itself is not None and (of_itself[0] > 0 or meter is None):
            return *of_itself, self._swarm.said_at(station_id)
        return 0.0, 0.0 if meter is None else meter.kwh, self._view.seen_at(station_id)

    def _note_away(self, error: DatabaseUnavailable) -> None:
        if not self._away:
            self._away = True
            log.warning("the history is away; what is drawn meanwhile is not recorded", reason=str(error))


def _frame(message: OcppFrame) -> FrameRow:
    return FrameRow(
        cp_id=message.cp_id,
        ts=message.ts,
        direction=message.direction,
        message_type=message.message_type,
        action=message.action,
        message_id=message.message_id,
        frame=message.frame,
    )
