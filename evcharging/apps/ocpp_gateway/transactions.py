"""Transactions: begun and ended as stations tell, each once, whatever is repeated, restarted or killed meanwhile.

Version-free: what a start or a stop says comes as `Start` and `Stop`. A transaction, its session's status and its last
interval are one database transaction with the outbox, so that the bus hears of exactly what is stored. Nothing here
decides whether an idTag may charge, and nothing here refuses: a station that tells of a transaction is always heard.

Raises, from `Transactions.start` and `Transactions.stop`: `StorageAway`; the station must not be answered then, so that
it keeps the message and tells it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import structlog
from prometheus_client import Counter

from evcharging.apps.ocpp_gateway.announcements import Announcements
from evcharging.apps.ocpp_gateway.authorization import Authorization, Verdict
from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, OpenTransaction
from evcharging.apps.ocpp_gateway.end_reasons import end_reason
from evcharging.apps.ocpp_gateway.writes import Work, Writes
from evcharging.domain.end_reasons import EndReason
from evcharging.messages.envelope import derived_id
from evcharging.messages.network import TokenStatus
from evcharging.store.gateway import records
from evcharging.store.gateway import transactions as store
from evcharging.store.gateway.transactions import IntervalRow, RemoteStartRow, TransactionRow

__all__ = ["HIGHEST_NUMBER", "Start", "Started", "Stop", "Transactions", "open_transaction"]

log = structlog.get_logger()

HIGHEST_NUMBER: Final = 2**31 - 1
NUMBERS_TRIED: Final = 50

STARTED = Counter("evcharging_gateway_transactions_started_total", "Transactions begun", ["how"])
STOPPED = Counter("evcharging_gateway_transactions_stopped_total", "Transactions ended", ["how"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a station says of a transaction that began.

    ``transaction_id`` is the station's own name for it (2.0.1); None has the gateway give a number (1.6).
    """

    connector_id: int
    id_tag: str | None
    started_at: datetime
    register_wh: Decimal | None
    transaction_id: str | None = None
    reservation_id: int | None = None
    remote_start_id: int | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """How it is known from now on, and what is to be said of the idTag. ``number`` is 0 where the station named it."""

    transaction_id: str
    number: int
    session_id: str
    verdict: Verdict
    repeated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """What a station says of a transaction that ended; ``reason`` in the standard's words."""

    transaction_id: str
    stopped_at: datetime
    register_wh: Decimal | None
    id_tag: str | None = None
    reason: str | None = None
    connector_id: int | None = None
    transaction_data: Sequence[Any] | None = None


class Transactions:
    """The transactions of one gateway's stations.

    Args:
        new_number: makes numbers from 1 to `HIGHEST_NUMBER`; one that is taken is followed by another.
        refuse_concurrent: answer ConcurrentTx where the idTag is charging already.
        on_stop_wanted: is told of a transaction that began though it was to be ended already.
    """

    def __init__(
        self,
        writes: Writes,
        authorization: Authorization,
        announcements: Announcements,
        *,
        new_number: Callable[[], int],
        refuse_concurrent: bool = False,
        on_stop_wanted: Callable[[ChargePoint, OpenTransaction, str], None],
    ) -> None:
        self._writes = writes
        self._authorization = authorization
        self._announcements = announcements
        self._new_number = new_number
        self._refuse_concurrent = refuse_concurrent
        self._on_stop_wanted = on_stop_wanted

    async def start(self, point: ChargePoint, start: Start) -> Started:
        """Enter a transaction, or find the one that the same message made before."""
        key = _start_key(point.cp_id, start)

        async def effect(work: Work) -> Started:
            known = await store.find_by_content(work.transaction, key)
            if known is not None:
                STARTED.labels("repeated").inc()
                self._adopt(work, point, known)
                return self._told(known, repeated=True)
            return await self._begin(work, point, start, key)

        return await self._writes.do(effect)

    async def stop(self, point: ChargePoint, stop: Stop) -> Verdict | None:
        """End a transaction; one that is not known is kept all the same. Returns what is to be said of the idTag."""

        async def effect(work: Work) -> None:
            row = await store.find_by_wire_id(work.transaction, point.cp_id, stop.transaction_id)
            if row is None:
                await self._keep_unknown(work, point, stop)
            elif row.stopped_at is not None and not row.closed_by_gateway:
                STOPPED.labels("repeated").inc()
                _drop(work, point, row.transaction_id)
            else:
                await self._end(work, point, row, stop)

        await self._writes.do(effect)
        return None if stop.id_tag is None else self._authorization.check(stop.id_tag)

    def close_lost(self, point: ChargePoint, transaction: OpenTransaction) -> None:
        """End a transaction that its station has forgotten, with what is known of it."""

        async def effect(work: Work) -> None:
            row = await store.find_by_session(work.transaction, transaction.session_id)
            if row is None or row.stopped_at is not None:
                _drop(work, point, transaction.transaction_id)
            else:
                await self._close(work, point, row)

        self._writes.post(effect)

    async def _begin(self, work: Work, point: ChargePoint, start: Start, key: str) -> Started:
        for row in await store.open_transactions(work.transaction, [point.cp_id]):
            began = row.started_at or row.created_at
            if row.connector_id == start.connector_id and began <= start.started_at:
                await self._close(work, point, row)
        order = await store.take_remote_start(
            work.transaction,
            cp_id=point.cp_id,
            connector_id=start.connector_id,
            id_tag=start.id_tag,
            remote_start_id=start.remote_start_id,
            now=work.now,
        )
        verdict = await self._judge(work, start, order)
        row = await self._insert(work, point.cp_id, start, key, order, verdict)
        row.reservation_id = await records.use_reservation(
            work.transaction,
            cp_id=point.cp_id,
            connector_id=start.connector_id,
            reservation_id=start.reservation_id,
            id_tag=start.id_tag,
            parent_id_tag=verdict.parent_id_tag,
            session_id=row.session_id,
            now=work.now,
        )
        if row.reservation_id is not None:
            await store.change(work.transaction, row.session_id, {"reservation_id": row.reservation_id})
        work.publish(self._announcements.begun(point, row))
        STARTED.labels("remote" if order is not None else "local").inc()
        self._adopt(work, point, row)
        return self._told(row, verdict=verdict)

    async def _judge(self, work: Work, start: Start, order: RemoteStartRow | None) -> Verdict:
        if start.id_tag is None:
            return Verdict(TokenStatus.ACCEPTED)
        verdict = self._authorization.check(start.id_tag)
        if order is not None and verdict.status is TokenStatus.INVALID:
            return Verdict(TokenStatus.ACCEPTED)  # ordered by Central, whose token has not come yet
        if self._refuse_concurrent and verdict.accepted and await store.tag_is_charging(work.transaction, start.id_tag):
            return Verdict(TokenStatus.CONCURRENT_TX, verdict.expires_at, verdict.parent_id_tag)
        return verdict

    async def _insert(
        self, work: Work, cp_id: str, start: Start, key: str, order: RemoteStartRow | None, verdict: Verdict
    ) -> TransactionRow:
        for _ in range(NUMBERS_TRIED):
            number = self._new_number() if start.transaction_id is None else None
            row = _new_row(cp_id, start, key, order, verdict, number=number, now=work.now)
            if row.driver_id is None and start.id_tag is not None:
                row.driver_id = self._authorization.driver_of(start.id_tag)
            if await store.insert_new(work.transaction, row):
                return row
        raise RuntimeError(f"no free transaction number in {NUMBERS_TRIED} tries; what makes them does not vary")

    async def _end(self, work: Work, point: ChargePoint, row: TransactionRow, stop: Stop) -> None:
        amended = row.closed_by_gateway
        row.stopped_at = stop.stopped_at
        row.stop_reason = stop.reason
        row.stop_id_tag = stop.id_tag
        row.end_reason = end_reason(stop.reason, requested=row.stop_requested)
        row.closed_by_gateway = False
        row.transaction_data = list(stop.transaction_data) if stop.transaction_data is not None else None
        row.meter_stop_wh = stop.register_wh if stop.register_wh is not None else row.register_wh
        STOPPED.labels("amended" if amended else "told").inc()
        await self._finish(work, point, row, ended_at=stop.stopped_at)

    async def _close(self, work: Work, point: ChargePoint, row: TransactionRow) -> None:
        """As `_end`, without a word from the station: the last reading is the end."""
        live = point.open.get(row.transaction_id)
        began = row.started_at or row.created_at
        row.stopped_at = max(row.interval_end or began, began)
        register_wh = row.register_wh
        if live is not None and live.register_wh is not None:
            register_wh = live.register_wh if register_wh is None else max(register_wh, live.register_wh)
            row.stopped_at = max(row.stopped_at, live.read_at or row.stopped_at)
        row.meter_stop_wh = register_wh if register_wh is not None else row.meter_start_wh
        booted = point.booted_at is not None and point.booted_at > began
        row.end_reason = (EndReason.POWER_LOSS if booted else EndReason.CHARGER_FAULT).value
        row.closed_by_gateway = True
        STOPPED.labels("lost").inc()
        log.warning("a transaction is closed that its station never ended", cp_id=row.cp_id, session_id=row.session_id)
        await self._finish(work, point, row, ended_at=row.stopped_at)

    async def _finish(self, work: Work, point: ChargePoint, row: TransactionRow, *, ended_at: datetime) -> None:
        """Meter the rest, store the end, say both on the bus."""
        live = point.open.get(row.transaction_id) or open_transaction(row)
        self._meter_rest(work, row, live, ended_at)
        values = {name: getattr(row, name) for name in _ENDS}
        await store.change(work.transaction, row.session_id, values)
        work.publish(self._announcements.ended(point, row))
        _drop(work, point, row.transaction_id)

    def _meter_rest(self, work: Work, row: TransactionRow, live: OpenTransaction, ended_at: datetime) -> None:
        stop_wh = row.meter_stop_wh
        if row.meter_start_wh is None:
            row.meter_start_wh = row.register_wh if row.register_wh is not None else stop_wh
        base_wh = row.register_wh if row.register_wh is not None else row.meter_start_wh
        if stop_wh is None or base_wh is None:
            return
        if stop_wh < base_wh:
            detail = f"transaction {row.transaction_id} ended at {stop_wh} Wh, its meter had shown {base_wh} Wh"
            alert = self._announcements.alert(row.cp_id, "register_backwards", detail, cause=f"{row.session_id}:stop")
            work.publish(alert)
            return
        if stop_wh == base_wh:
            return
        start = row.interval_end or row.started_at or row.created_at
        interval = IntervalRow(
            row.session_id,
            row.last_seq + 1,
            row.meter_start_wh,
            stop_wh,
            stop_wh - base_wh,
            start,
            max(start, ended_at),
        )
        row.last_seq, row.register_wh, row.interval_wh = interval.last_seq, stop_wh, interval.interval_wh
        row.interval_start, row.interval_end = interval.interval_start, interval.interval_end
        work.publish(self._announcements.telemetry(live, interval))

    async def _keep_unknown(self, work: Work, point: ChargePoint, stop: Stop) -> None:
        key = derived_id(
            "\n".join((point.cp_id, stop.transaction_id, _moment(stop.stopped_at), str(stop.register_wh))), "stop"
        )
        row = TransactionRow(
            session_id=key,
            cp_id=point.cp_id,
            transaction_id=stop.transaction_id[:36],
            content_key=key,
            connector_id=stop.connector_id or 0,
            created_at=work.now,
            start_known=False,
            meter_stop_wh=stop.register_wh,
            stopped_at=stop.stopped_at,
            stop_reason=stop.reason,
            stop_id_tag=stop.id_tag,
            end_reason=end_reason(stop.reason),
            transaction_data=list(stop.transaction_data) if stop.transaction_data is not None else None,
        )
        if not await store.insert_new(work.transaction, row):
            return
        STOPPED.labels("unknown").inc()
        detail = f"transaction {stop.transaction_id} ended at {stop.register_wh} Wh; its start was never told here"
        alert = self._announcements.alert(point.cp_id, "unknown_transaction", detail, cause=key)
        work.publish(alert)

    def _adopt(self, work: Work, point: ChargePoint, row: TransactionRow) -> None:
        """Have the station's memory hold an open transaction, once it is stored."""
        if row.stopped_at is not None:
            return

        def step() -> None:
            transaction = point.open.get(row.transaction_id)
            if transaction is None:
                transaction = point.open[row.transaction_id] = open_transaction(row)
            if row.stop_requested is not None:
                self._on_stop_wanted(point, transaction, row.stop_requested)

        work.after_commit(step)

    def _told(self, row: TransactionRow, *, verdict: Verdict | None = None, repeated: bool = False) -> Started:
        if verdict is None:
            verdict = Verdict(TokenStatus.ACCEPTED) if row.id_tag is None else self._authorization.check(row.id_tag)
            if row.id_tag_status is not None:  # what was said before is said again
                verdict = Verdict(TokenStatus(row.id_tag_status), verdict.expires_at, verdict.parent_id_tag)
        return Started(row.transaction_id, row.number or 0, row.session_id, verdict, repeated)


_ENDS: Final = (
    "stopped_at",
    "stop_reason",
    "stop_id_tag",
    "end_reason",
    "closed_by_gateway",
    "transaction_data",
    "meter_start_wh",
    "meter_stop_wh",
    "last_seq",
    "register_wh",
    "interval_wh",
    "interval_start",
    "interval_end",
)


def open_transaction(row: TransactionRow) -> OpenTransaction:
    """What memory holds of a transaction that the database has as open."""
    return OpenTransaction(
        session_id=row.session_id,
        cp_id=row.cp_id,
        transaction_id=row.transaction_id,
        connector_id=row.connector_id,
        started_at=row.started_at or row.created_at,
        id_tag=row.id_tag,
        driver_id=row.driver_id,
        target_wh=row.target_wh,
        meter_start_wh=row.meter_start_wh,
        register_wh=row.register_wh if row.register_wh is not None else row.meter_start_wh,
        read_at=row.interval_end,
        last_seq=row.last_seq,
        stop_requested=row.stop_requested,
    )


def _new_row(
    cp_id: str,
    start: Start,
    key: str,
    order: RemoteStartRow | None,
    verdict: Verdict,
    *,
    number: int | None,
    now: datetime,
) -> TransactionRow:
    transaction_id = start.transaction_id or str(number)
    row = TransactionRow(
        session_id=derived_id(f"{cp_id}:{transaction_id}", "session"),
        cp_id=cp_id,
        transaction_id=transaction_id,
        number=number,
        content_key=key,
        connector_id=start.connector_id,
        created_at=now,
        id_tag=start.id_tag,
        id_tag_status=verdict.status.value,
        meter_start_wh=start.register_wh,
        started_at=start.started_at,
    )
    if order is not None:
        row.session_id, row.driver_id, row.command_id = order.session_id, order.driver_id, order.command_id
        row.target_wh, row.stop_requested = order.target_wh, order.stop_requested
    return row


def _start_key(cp_id: str, start: Start) -> str:
    """A start's content: the station's own name for the transaction, or else all that it says of it."""
    if start.transaction_id is not None:
        return derived_id(f"{cp_id}\n{start.transaction_id}", "start:named")
    parts = (
        cp_id,
        str(start.connector_id),
        (start.id_tag or "").casefold(),
        _moment(start.started_at),
        str(start.register_wh),
    )
    return derived_id("\n".join(parts), "start")


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _drop(work: Work, point: ChargePoint, transaction_id: str) -> None:
    def step() -> None:
        point.open.pop(transaction_id, None)

    work.after_commit(step)
