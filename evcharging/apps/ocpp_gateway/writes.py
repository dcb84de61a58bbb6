"""Every change of the gateways' database, in order, many to a transaction, each once.

An effect is a coroutine function that is given the transaction as `Work`: it writes rows and says what is to be
published, which goes through the outbox of the same transaction. Who needs the result waits with `do`; `post` does not.
What comes by the hundred (a car park that starts to charge) is a `GroupEffect`: all that waits of one kind is done with
as many statements as one of them would take.
While the database is away effects wait here: those that someone waits for, so long and no longer; the others until it
is back. An effect may be run again after a commit whose outcome was not learnt, so it is one that repeats itself.

Errors::

    StorageAway    the database was not there in time; the effect was not carried out and will not be
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.apps.runtime.relay import OutboxRelay
from evcharging.messages.envelope import Event, child_of
from evcharging.store import outbox
from evcharging.store.database import Database, DatabaseUnavailable
from evcharging.store.gateway import tables

__all__ = ["Effect", "GroupEffect", "StorageAway", "Work", "Writes"]

log = structlog.get_logger()

BATCH = 200
RETRY_S = 0.25
HOLD_S = 20.0
WAITING_AT_MOST = 100_000

TRANSACTIONS = Counter("evcharging_gateway_database_transactions_total", "Database transactions committed")
REFUSED = Counter("evcharging_gateway_writes_refused_total", "Writes given up because the database was away")
WAITING = Gauge("evcharging_gateway_writes_waiting", "Writes that wait for the database")

T = TypeVar("T")
Item = TypeVar("Item")


class StorageAway(Exception):
    """The database was not there in time; nothing was stored."""


class Work:
    """What one database transaction does, on behalf of several effects."""

    def __init__(self, transaction: AsyncConnection, *, now: datetime) -> None:
        self.transaction = transaction
        self.now = now
        self.events: list[Event[Any]] = []
        self.afterwards: list[Callable[[], None]] = []

    def publish(self, event: Event[Any]) -> None:
        """Have an event published once this has committed, through the outbox, as a child of its trace."""
        self.events.append(replace(event, traceparent=child_of(event.traceparent)))

    def after_commit(self, step: Callable[[], None]) -> None:
        """Have ``step`` run once this is stored, before anybody hears of the result."""
        self.afterwards.append(step)


Effect: TypeAlias = Callable[[Work], Awaitable[T]]
GroupEffect: TypeAlias = Callable[[Work, Sequence[Item]], Awaitable[Sequence[T]]]
"""Does several things of one kind; returns a result for each, in their order."""


@dataclass(slots=True, eq=False)
class _Waiting:
    effect: Effect[Any] | None
    done: asyncio.Future[Any] | None
    deadline_s: float | None
    group: GroupEffect[Any, Any] | None = None
    item: Any = None
    result: Any = None


class Writes:
    """One per process; `run` for as long as the gateway lives.

    Args:
        relay: is handed the outbox rows after each commit.
        owner: of the outbox rows: this copy of the gateway.
        now: the time, with a zone.
        hold_s: so long a write that someone waits for is held while the database is away.
        told: sees each event that goes through the outbox, once it is stored.
    """

    def __init__(
        self,
        database: Database,
        relay: OutboxRelay,
        *,
        owner: str,
        now: Callable[[], datetime],
        hold_s: float = HOLD_S,
        told: Callable[[Event[Any]], None] | None = None,
    ) -> None:
        self._database = database
        self._relay = relay
        self._owner = owner
        self._now = now
        self._hold_s = hold_s
        self._told = told
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._away = False

    @property
    def waiting(self) -> int:
        """Effects that are not stored yet."""
        return len(self._queue)

    @property
    def away(self) -> bool:
        """Whether the database could not be reached when it was last needed."""
        return self._away

    async def do(self, effect: Effect[T], *, within_s: float | None = None) -> T:
        """Carry out ``effect`` and return what it returns, once it is committed.

        A caller that is cancelled leaves the effect to be carried out all the same.

        Raises:
            StorageAway: the database was not there in time.
            Exception: what the effect raised; nothing of it was stored then.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        limit_s = self._hold_s if within_s is None else within_s
        self._append(_Waiting(effect, done, loop.time() + limit_s))
        return await done

    async def do_together(self, effect: GroupEffect[Item, T], item: Item) -> T:
        """As `do`, for ``item`` and whatever else waits for the same ``effect``."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._append(_Waiting(None, done, loop.time() + self._hold_s, effect, item))
        return await done

    def post(self, effect: Effect[Any]) -> None:
        """Have ``effect`` carried out whenever the database lets it; what it raises is logged."""
        self._append(_Waiting(effect, None, None))

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
                await self._carry_out(batch)
                WAITING.set(len(self._queue))
            self._idle.set()

    async def drain(self, timeout_s: float) -> bool:
        """Wait until everything was written; `run` must be running. Returns whether it was."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
                return True
        log.error("the database did not take what was left to write", waiting=self.waiting)
        return False

    def _append(self, waiting: _Waiting) -> None:
        if len(self._queue) >= WAITING_AT_MOST:
            REFUSED.inc()
            if waiting.done is None:
                log.error("a write is dropped: too many wait for the database", waiting=len(self._queue))
            else:
                waiting.done.set_exception(StorageAway(f"{len(self._queue)} writes wait for the database already"))
            return
        self._queue.append(waiting)
        self._idle.clear()
        self._wake.set()

    async def _carry_out(self, batch: list[_Waiting]) -> None:
        while batch:
            try:
                await self._commit(batch)
            except DatabaseUnavailable as error:
                if not self._away:
                    log.warning("the database is away; writes wait", reason=str(error), waiting=len(batch))
                self._away = True
                batch = self._without_overdue(batch)
                await asyncio.sleep(RETRY_S)
            except Exception as error:  # noqa: BLE001 - one effect's mistake must not cost the others
                if len(batch) > 1:
                    for one in batch:
                        await self._carry_out([one])
                else:
                    _fail(batch[0], error)
                return
            else:
                if self._away:
                    log.info("the database is back")
                self._away = False
                return

    async def _commit(self, batch: list[_Waiting]) -> None:
        async with self._database.begin() as transaction:
            work = Work(transaction, now=self._now())
            await _apply(work, batch)
            rows = await outbox.enqueue(transaction, tables.outbox, work.events, owner=self._owner, now=work.now)
        TRANSACTIONS.inc()
        self._relay.hand_over(rows)
        for step in work.afterwards:
            step()
        if self._told is not None:
            for event in work.events:
                self._told(event)
        for waiting in batch:
            if waiting.done is not None and not waiting.done.done():
                waiting.done.set_result(waiting.result)

    def _without_overdue(self, batch: list[_Waiting]) -> list[_Waiting]:
        """Give up what nobody may wait for any longer, also further back in the queue."""
        now_s = asyncio.get_running_loop().time()
        overdue = [w for w in (*batch, *self._queue) if w.deadline_s is not None and w.deadline_s <= now_s]
        for waiting in overdue:
            REFUSED.inc()
            if waiting.done is not None and not waiting.done.done():
                waiting.done.set_exception(StorageAway("the database is away"))
        if overdue:
            gone = set(map(id, overdue))
            self._queue = deque(w for w in self._queue if id(w) not in gone)
            batch = [w for w in batch if id(w) not in gone]
        return batch


async def _apply(work: Work, batch: Sequence[_Waiting]) -> None:
    """Carry out effects in their order; those of a group with the first of them."""
    grouped: dict[GroupEffect[Any, Any], list[_Waiting]] = {}
    for waiting in batch:
        if waiting.group is not None:
            grouped.setdefault(waiting.group, []).append(waiting)
    for waiting in batch:
        if waiting.effect is not None:
            waiting.result = await waiting.effect(work)
        elif waiting.group is not None and waiting.group in grouped:
            group = grouped.pop(waiting.group)
            results = await waiting.group(work, [one.item for one in group])
            for one, result in zip(group, results, strict=True):
                one.result = result


def _fail(waiting: _Waiting, error: Exception) -> None:
    if waiting.done is None:
        log.error("a write failed and is dropped", exc_info=error)
    elif not waiting.done.done():
        waiting.done.set_exception(error)
