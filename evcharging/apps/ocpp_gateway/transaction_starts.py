"""How transactions begin: recognised by content, numbered, tied to the order or the reservation that they come from.

Starts that come together are entered together, with as many statements as one takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from prometheus_client import Counter

from evcharging.apps.ocpp_gateway.announcements import Announcements
from evcharging.apps.ocpp_gateway.authorization import Authorization, Verdict
from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, OpenTransaction, open_transaction
from evcharging.apps.ocpp_gateway.transaction_ends import TransactionEnds
from evcharging.apps.ocpp_gateway.transaction_reports import Start, Started
from evcharging.apps.ocpp_gateway.writes import Work
from evcharging.domain.authorization import same_id_tag
from evcharging.messages.envelope import derived_id
from evcharging.messages.network import TokenStatus
from evcharging.store.gateway import records, remote_starts
from evcharging.store.gateway import transactions as store
from evcharging.store.gateway.remote_starts import RemoteStartRow
from evcharging.store.gateway.transactions import TransactionRow

__all__ = ["HIGHEST_NUMBER", "TransactionStarts"]

HIGHEST_NUMBER: Final = 2**31 - 1
NUMBERS_TRIED: Final = 50

STARTED = Counter("evcharging_gateway_transactions_started_total", "Transactions begun", ["how"])


class TransactionStarts:
    """Begins transactions.

    Args:
        new_number: makes numbers from 1 to `HIGHEST_NUMBER`; one that is taken is followed by another.
        refuse_concurrent: answer ConcurrentTx where the idTag is charging already.
        on_stop_wanted: is told of a transaction that began though it was to be ended already.
    """

    def __init__(
        self,
        authorization: Authorization,
        announcements: Announcements,
        ends: TransactionEnds,
        *,
        new_number: Callable[[], int],
        refuse_concurrent: bool = False,
        on_stop_wanted: Callable[[ChargePoint, OpenTransaction, str], None],
    ) -> None:
        self._authorization = authorization
        self._announcements = announcements
        self._ends = ends
        self._new_number = new_number
        self._refuse_concurrent = refuse_concurrent
        self._on_stop_wanted = on_stop_wanted

    async def begin(self, work: Work, starts: Sequence[tuple[ChargePoint, Start]]) -> Sequence[Started]:
        """A group effect: enter transactions, or find those that the same messages made before."""
        keys = [start.content_key(point.cp_id) for point, start in starts]
        rows = await store.find_by_contents(work.transaction, keys)
        known = frozenset(rows)
        fresh = {key: (point, start) for key, (point, start) in zip(keys, starts, strict=True) if key not in known}
        if fresh:
            rows |= await self._enter(work, fresh)
        answers = []
        for key, (point, _) in zip(keys, starts, strict=True):
            if key in known:
                STARTED.labels("repeated").inc()
            self._adopt(work, point, rows[key])
            answers.append(self._told(rows[key], repeated=key in known))
        return answers

    async def _enter(self, work: Work, fresh: dict[str, tuple[ChargePoint, Start]]) -> dict[str, TransactionRow]:
        cp_ids = list({point.cp_id for point, _ in fresh.values()})
        await self._close_forgotten(work, cp_ids, fresh.values())
        orders = await remote_starts.waiting_starts(work.transaction, cp_ids)
        reservations = await records.active_reservations(work.transaction, cp_ids)
        charging = await self._charging(work, fresh.values())
        numbers = await self._numbers(work, sum(start.transaction_id is None for _, start in fresh.values()))
        rows: dict[str, TransactionRow] = {}
        consumed: list[int] = []
        used: list[TransactionRow] = []
        for key, (point, start) in fresh.items():
            order = _pop_order(orders.get(point.cp_id, []), start, work.now)
            verdict = self._judge(start, order, charging)
            number = numbers.pop() if start.transaction_id is None else None
            row = rows[key] = self._row(point.cp_id, start, key, order, verdict, number=number, now=work.now)
            row.reservation_id = _pop_reservation(reservations.get(point.cp_id, []), start, verdict, work.now)
            if row.reservation_id is not None:
                used.append(row)
            if order is not None:
                consumed.append(order.remote_start_id)
            STARTED.labels("remote" if order is not None else "local").inc()
            work.publish(self._announcements.begun(point, row))
        await store.insert_all(work.transaction, list(rows.values()))
        await remote_starts.consume_starts(work.transaction, consumed, work.now)
        for row in used:
            await records.use_reservation(
                work.transaction, row.cp_id, row.reservation_id or 0, session_id=row.session_id, now=work.now
            )
        return rows

    async def _close_forgotten(self, work: Work, cp_ids: list[str], fresh: Iterable[tuple[ChargePoint, Start]]) -> None:
        """End what is open on connectors where something newer begins: its station has forgotten it."""
        open_rows = await store.open_transactions(work.transaction, cp_ids)
        if not open_rows:
            return
        for point, start in fresh:
            forgotten = [
                row
                for row in open_rows
                if row.stopped_at is None
                and (row.cp_id, row.connector_id) == (point.cp_id, start.connector_id)
                and _began(row) <= start.started_at
            ]
            if forgotten:
                await self._ends.close(work, point, forgotten)

    async def _charging(self, work: Work, fresh: Iterable[tuple[ChargePoint, Start]]) -> set[str]:
        if not self._refuse_concurrent:
            return set()
        return await store.charging_tags(work.transaction, [s.id_tag for _, s in fresh if s.id_tag is not None])

    async def _numbers(self, work: Work, wanted: int) -> list[int]:
        free: dict[int, None] = {}
        for _ in range(NUMBERS_TRIED):
            if len(free) == wanted:
                return list(free)
            tried = {self._new_number() for _ in range(wanted - len(free))} - free.keys()
            free |= dict.fromkeys(tried - await store.taken_numbers(work.transaction, list(tried)))
        raise RuntimeError(f"no free transaction number in {NUMBERS_TRIED} tries; what makes them does not vary")

    def _judge(self, start: Start, order: RemoteStartRow | None, charging: set[str]) -> Verdict:
        if start.id_tag is None:
            return Verdict(TokenStatus.ACCEPTED)
        verdict = self._authorization.check(start.id_tag)
        if order is not None and verdict.status is TokenStatus.INVALID:
            return Verdict(TokenStatus.ACCEPTED)  # ordered by Central, whose token has not come yet
        if verdict.accepted and start.id_tag.lower() in charging:
            return Verdict(TokenStatus.CONCURRENT_TX, verdict.expires_at, verdict.parent_id_tag)
        return verdict

    def _row(
        self,
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
        if row.driver_id is None and start.id_tag is not None:
            row.driver_id = self._authorization.driver_of(start.id_tag)
        return row

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

    def _told(self, row: TransactionRow, *, repeated: bool) -> Started:
        """What was said of the idTag before is said again."""
        verdict = Verdict(TokenStatus.ACCEPTED) if row.id_tag is None else self._authorization.check(row.id_tag)
        if row.id_tag_status is not None:
            verdict = Verdict(TokenStatus(row.id_tag_status), verdict.expires_at, verdict.parent_id_tag)
        return Started(row.transaction_id, row.number or 0, row.session_id, verdict, repeated)


def _began(row: TransactionRow) -> datetime:
    """When a transaction began: not after it was told, whatever its station's clock says."""
    return min(row.started_at or row.created_at, row.created_at)


def _pop_order(orders: list[RemoteStartRow], start: Start, now: datetime) -> RemoteStartRow | None:
    """The order that a transaction comes from: by its number where the station tells it, else by idTag and place.

    One that is to be ended when it begins counts only where no other does: its driver may have asked again since.
    """
    for order in sorted(orders, key=lambda order: order.stop_requested is not None):
        if start.remote_start_id is not None:
            matches = order.remote_start_id == start.remote_start_id
        else:
            matches = (
                same_id_tag(order.id_tag, start.id_tag)
                and order.connector_id in (None, start.connector_id)
                and order.expires_at > now
            )
        if matches:
            orders.remove(order)
            return order
    return None


def _pop_reservation(reservations: list[dict[str, Any]], start: Start, verdict: Verdict, now: datetime) -> int | None:
    """The reservation that a transaction uses up: by number, or else by who holds it, the connector's own first."""
    for reservation in sorted(reservations, key=lambda r: -int(r["connector_id"])):
        if start.reservation_id is not None:
            matches = reservation["reservation_id"] == start.reservation_id
        else:
            holds = same_id_tag(reservation["id_tag"], start.id_tag) or same_id_tag(
                reservation["parent_id_tag"], verdict.parent_id_tag
            )
            here = reservation["connector_id"] in (0, start.connector_id)
            matches = holds and here and reservation["expires_at"] > now
        if matches:
            reservations.remove(reservation)
            return int(reservation["reservation_id"])
    return None
