"""Sockets that come and go: what a station's return calls back from the database, and what its loss is told as.

Sessions outlive sockets: a transaction stays open while its station is away. Stations that connect together are read
together, so that a storm of reconnections costs a few queries. The database has whose socket is a station's newest, so
that a gateway that hears late of its own socket's end does not call a station lost that is at another one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

import structlog
from sqlalchemy import select, update

from evcharging.apps.ocpp_gateway.announcements import Announcements
from evcharging.apps.ocpp_gateway.charge_points import (
    ChargePoint,
    ChargePoints,
    Link,
    open_transaction,
)
from evcharging.apps.ocpp_gateway.kept_connectors import learn_holders
from evcharging.apps.ocpp_gateway.metering import Metering
from evcharging.apps.ocpp_gateway.restored import restore_boot, restore_connector
from evcharging.apps.ocpp_gateway.statuses import Statuses
from evcharging.apps.ocpp_gateway.writes import Work, Writes
from evcharging.domain.states import WHOLE_CHARGE_POINT, ChargePointState, OcppStatus
from evcharging.messages.envelope import Event
from evcharging.store.gateway import tables
from evcharging.store.gateway import transactions as store
from evcharging.store.gateway.transactions import TransactionRow
from evcharging.store.many import among, parts
from evcharging.store.upsert import upsert

__all__ = ["LOOK_EVERY_S", "Presence", "is_ours_to_take"]

log = structlog.get_logger()

LOOK_EVERY_S = 10.0
DEAD_AFTER = timedelta(seconds=60)
STATIONS_AT_ONCE = 200
"""That came or went; the others have their turn next, and stations that talk are answered in between."""


class Presence:
    """The sockets of one gateway, as far as the business is concerned.

    Args:
        life: names this run of this gateway, and no other.
        new_id: makes names for sockets.
        resumed: is told of a station that was accepted before and has not booted since it connected; must not wait.
        send: puts an event on the bus; called in order, never waits.
    """

    def __init__(
        self,
        points: ChargePoints,
        writes: Writes,
        statuses: Statuses,
        metering: Metering,
        announcements: Announcements,
        *,
        life: str,
        new_id: Callable[[], str],
        resumed: Callable[[ChargePoint], None] = lambda _point: None,
        send: Callable[[Event[Any]], None],
        now: Callable[[], datetime],
    ) -> None:
        self._life = life
        self._new_id = new_id
        self._resumed = resumed
        self._points = points
        self._writes = writes
        self._statuses = statuses
        self._metering = metering
        self._announcements = announcements
        self._send = send
        self._now = now
        self._wanted: dict[str, str] = {}
        self._lost: dict[str, _Lost] = {}

    def connected(self, link: Link) -> ChargePoint:
        """A station is there, perhaps in place of its own older socket. What is known of it is read in a moment."""
        point = self._points.obtain(link.cp_id)
        point.link, point.version = link, link.version
        point.socket_id = self._new_id()
        point.connected_at = self._now()
        point.loaded = False
        point.open.clear()  # another gateway may have had it meanwhile; the database knows
        if not self._wanted:
            self._writes.post(self._load)
        self._wanted[point.cp_id] = point.socket_id
        return point

    def disconnected(self, link: Link, reason: str) -> None:
        """A station's socket is gone. Of a socket that another has replaced, here or elsewhere, nothing is said."""
        point = self._points.get(link.cp_id)
        if point is None or point.link is not link:
            return
        lost = _Lost(point, point.socket_id or "", point.rolled_up(), reason[:200])
        point.link = None
        point.loaded = False
        if not self._lost:
            self._writes.post(self._lose)
        self._lost[point.cp_id] = lost

    async def look(self) -> int:
        """Show that this gateway lives, and tell of stations that were at one that does not and are nowhere now.

        To be done every `LOOK_EVERY_S`. Returns how many stations were lost.
        """

        async def effect(work: Work) -> int:
            await upsert(work.transaction, tables.gateways, [{"gateway": self._life, "seen_at": work.now}])
            living = select(tables.gateways.c.gateway).where(tables.gateways.c.seen_at > work.now - DEAD_AFTER)
            columns = tables.sockets.c
            result = await work.transaction.execute(
                select(columns.cp_id)
                .where(columns.gone_at.is_(None), columns.gateway.not_in(living))
                .where(columns.connected_at < work.now - DEAD_AFTER)
            )
            stale = {cp_id: ChargePoint(cp_id) for cp_id in result.scalars()}
            for row in await store.open_transactions(work.transaction, list(stale)):
                stale[row.cp_id].open[row.transaction_id] = open_transaction(row)
            for found in await _rows(work, tables.connectors, list(stale)):
                restore_connector(stale[found["cp_id"]], found)
            await _mark_gone(work, list(stale))

            def stored() -> None:
                for point in stale.values():
                    self._say_lost(point, None, "its gateway ended, and it did not come back")

            work.after_commit(stored)
            return len(stale)

        return await self._writes.do(effect)

    async def publish_open_again(self) -> int:
        """At start: publish the last interval of every open transaction again. Returns how many there are."""

        async def effect(work: Work) -> int:
            rows = await store.open_transactions(work.transaction)

            def stored() -> None:
                for row in rows:
                    self._metering.publish_again(row, open_transaction(row))

            work.after_commit(stored)
            return len(rows)

        return await self._writes.do(effect)

    async def _load(self, work: Work) -> None:
        """An effect: read what is known of the stations that have just connected."""
        wanted = dict(islice(self._wanted.items(), STATIONS_AT_ONCE))
        cp_ids = list(wanted)
        transactions = await store.open_transactions(work.transaction, cp_ids)
        boots = await _rows(work, tables.boots, cp_ids)
        connectors = await _rows(work, tables.connectors, cp_ids)
        held = [p for p in map(self._points.get, cp_ids) if p is not None and p.link is not None]
        await upsert(work.transaction, tables.sockets, [self._socket(point) for point in held])
        reserved = {row["cp_id"] for row in connectors if row["status"] == OcppStatus.RESERVED.value}
        await learn_holders(work, [point for point in held if point.cp_id in reserved])

        def stored() -> None:
            self._remember(transactions)
            for found in boots:
                restore_boot(self._points.get(found["cp_id"]), found)
            for found in connectors:
                restore_connector(self._points.get(found["cp_id"]), found)
            for point in held:
                if point.socket_id == wanted[point.cp_id]:
                    self._greet(point)
            for cp_id, socket in wanted.items():
                if self._wanted.get(cp_id) == socket:
                    del self._wanted[cp_id]
            if self._wanted:
                self._writes.post(self._load)

        work.after_commit(stored)

    def _remember(self, rows: list[TransactionRow]) -> None:
        for row in rows:
            point = self._points.get(row.cp_id)
            if point is None:
                continue
            transaction = point.open.setdefault(row.transaction_id, open_transaction(row))
            self._metering.publish_again(row, transaction)

    async def _lose(self, work: Work) -> None:
        """An effect: tell of the stations whose newest socket was the one that is gone."""
        lost = dict(islice(self._lost.items(), STATIONS_AT_ONCE))
        found = {row["cp_id"]: row for row in await _rows(work, tables.sockets, list(lost))}
        gone = [one for cp_id, one in lost.items() if cp_id not in found or found[cp_id]["socket_id"] == one.socket_id]
        await _mark_gone(work, [one.point.cp_id for one in gone])

        def stored() -> None:
            for one in gone:
                if one.point.link is None:
                    self._say_lost(one.point, one.previous, one.reason)
            for one in lost.values():
                if one.point.link is None:
                    self._points.forget(one.point.cp_id)  # what is worth knowing of it is stored
            for cp_id, one in lost.items():
                if self._lost.get(cp_id) is one:
                    del self._lost[cp_id]
            if self._lost:
                self._writes.post(self._lose)

        work.after_commit(stored)

    def _say_lost(self, point: ChargePoint, previous: ChargePointState | None, reason: str) -> None:
        self._send(
            self._announcements.status(
                point,
                WHOLE_CHARGE_POINT,
                ChargePointState.DISCONNECTED,
                previous=previous,
                reason="connection_lost",
                text=reason,
            )
        )

    def _socket(self, point: ChargePoint) -> dict[str, Any]:
        return {
            "cp_id": point.cp_id,
            "gateway": self._life,
            "socket_id": point.socket_id,
            "connected_at": point.connected_at,
            "gone_at": None,
        }

    def _greet(self, point: ChargePoint) -> None:
        if point.link is None:
            return
        point.loaded = True
        self._metering.claim(point)
        for connector_id in point.connectors:
            self._statuses.doubt(point, connector_id)
        if point.booted_since_it_connected:
            self._statuses.publish(point, WHOLE_CHARGE_POINT, reason=point.boot_word)
        elif point.accepted:
            self._statuses.publish(point, WHOLE_CHARGE_POINT, reason="resumed")
            self._resumed(point)
        unsaid, point.unsaid = point.unsaid, set()
        for connector_id in sorted(unsaid):
            self._statuses.publish(point, connector_id, reason=point.connectors[connector_id].status.value)


async def is_ours_to_take(work: Work, cp_id: str, point: ChargePoint | None) -> bool:
    """Whether a command for a charge point may be taken here.

    Yes for an OCPP station, unless its newest socket is at another gateway; an older one of ours is ended then.
    """
    columns = tables.sockets.c
    result = await work.transaction.execute(
        select(columns.socket_id, columns.connected_at, columns.gone_at).where(columns.cp_id == cp_id)
    )
    newest = result.first()
    if point is None or point.link is None or point.connected_at is None:
        return newest is not None
    if newest is None or newest.socket_id == point.socket_id or newest.gone_at is not None:
        return True
    if newest.connected_at <= point.connected_at:
        return True
    link = point.link
    work.after_commit(lambda: link.close(1000, "the station has a newer connection"))
    return False


class _Lost(NamedTuple):
    point: ChargePoint
    socket_id: str
    previous: ChargePointState
    reason: str


async def _mark_gone(work: Work, cp_ids: list[str]) -> None:
    for part in parts(cp_ids):
        await work.transaction.execute(
            update(tables.sockets).where(among(work.transaction, tables.sockets.c.cp_id, part)).values(gone_at=work.now)
        )


async def _rows(work: Work, table: Any, cp_ids: list[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for part in parts(cp_ids):
        result = await work.transaction.execute(select(table).where(among(work.transaction, table.c.cp_id, part)))
        rows += [dict(row) for row in result.mappings()]
    return rows
