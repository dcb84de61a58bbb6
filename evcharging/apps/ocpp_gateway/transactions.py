"""Transactions: begun and ended as stations tell, each once, whatever is repeated, restarted or killed meanwhile.

Version-free: what a start or a stop says comes as `Start` and `Stop`. A transaction, its session's status and its last
interval are one database transaction with the outbox, so that the bus hears of exactly what is stored. Nothing here
refuses: a station that tells of a transaction is always heard.

Raises, from `Transactions.start` and `Transactions.stop`: `StorageAway`; the station must not be answered then, so that
it keeps the message and tells it again.
"""

from __future__ import annotations

from evcharging.apps.ocpp_gateway.authorization import Authorization, Verdict
from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, OpenTransaction
from evcharging.apps.ocpp_gateway.transaction_ends import TransactionEnds
from evcharging.apps.ocpp_gateway.transaction_reports import Start, Started, Stop
from evcharging.apps.ocpp_gateway.transaction_starts import HIGHEST_NUMBER, TransactionStarts
from evcharging.apps.ocpp_gateway.writes import Work, Writes
from evcharging.store.gateway import transactions as store

__all__ = ["HIGHEST_NUMBER", "Start", "Started", "Stop", "Transactions"]


class Transactions:
    """The transactions of one gateway's stations."""

    def __init__(
        self, writes: Writes, authorization: Authorization, starts: TransactionStarts, ends: TransactionEnds
    ) -> None:
        self._writes = writes
        self._authorization = authorization
        self._begin = starts.begin
        self._end = ends.end
        self._ends = ends

    async def start(self, point: ChargePoint, start: Start) -> Started:
        """Enter a transaction, or find the one that the same message made before."""
        return await self._writes.do_together(self._begin, (point, start))

    async def stop(self, point: ChargePoint, stop: Stop) -> Verdict | None:
        """End a transaction; one that is not known is kept all the same. Returns what is to be said of the idTag."""
        await self._writes.do_together(self._end, (point, stop))
        return None if stop.id_tag is None else self._authorization.check(stop.id_tag)

    def close_lost(self, point: ChargePoint, transaction: OpenTransaction) -> None:
        """End a transaction that its station has forgotten, with what is known of it."""

        async def effect(work: Work) -> None:
            row = await store.find_by_session(work.transaction, transaction.session_id)
            if row is not None and row.stopped_at is None:
                await self._ends.close(work, point, [row])
            else:
                work.after_commit(lambda: point.drop(transaction.transaction_id))

        self._writes.post(effect)
