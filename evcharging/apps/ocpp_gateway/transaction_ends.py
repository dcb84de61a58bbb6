"""How transactions end: as their stations say, or, where a station never says, with what is known.

The last interval, from where metering stands to the meter's last word, is stored and published with the end, so that
the energy of a session is the difference of its two registers. A stop that nothing is known of is kept and alerted of.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import structlog
from prometheus_client import Counter

from evcharging.apps.ocpp_gateway.announcements import Announcements
from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, open_transaction
from evcharging.apps.ocpp_gateway.end_reasons import DEFAULT_REASON, end_reason
from evcharging.apps.ocpp_gateway.transaction_reports import Stop
from evcharging.apps.ocpp_gateway.writes import Work
from evcharging.domain.end_reasons import EndReason
from evcharging.store.gateway import transactions as store
from evcharging.store.gateway.transactions import IntervalRow, TransactionRow

__all__ = ["TransactionEnds"]

log = structlog.get_logger()

STOPPED = Counter("evcharging_gateway_transactions_stopped_total", "Transactions ended", ["how"])

CHANGED: Final = (
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


class TransactionEnds:
    """Ends transactions, within a database transaction of its caller's."""

    def __init__(self, announcements: Announcements) -> None:
        self._announcements = announcements

    async def end(self, work: Work, stops: Sequence[tuple[ChargePoint, Stop]]) -> Sequence[None]:
        """A group effect: end transactions as their stations say."""
        known = await store.find_by_wire_ids(
            work.transaction, [(point.cp_id, stop.transaction_id) for point, stop in stops]
        )
        changed: dict[str, TransactionRow] = {}
        for point, stop in stops:
            row = known.get((point.cp_id, stop.transaction_id))
            if row is None:
                await self._keep_unknown(work, point, stop)
            elif row.stopped_at is not None and not row.closed_by_gateway:
                STOPPED.labels("repeated").inc()
                _drop(work, point, row.transaction_id)
            else:
                self._end(work, point, row, stop)
                changed[row.session_id] = row
        await store.change_all(work.transaction, list(changed.values()), CHANGED)
        return [None] * len(stops)

    async def close(self, work: Work, point: ChargePoint, rows: Sequence[TransactionRow]) -> None:
        """End transactions that their station has forgotten: the last reading is the end."""
        for row in rows:
            self._close(work, point, row)
        await store.change_all(work.transaction, rows, CHANGED)

    def _end(self, work: Work, point: ChargePoint, row: TransactionRow, stop: Stop) -> None:
        STOPPED.labels("amended" if row.closed_by_gateway else "told").inc()
        row.stopped_at = stop.stopped_at
        row.stop_reason = stop.reason or DEFAULT_REASON
        row.stop_id_tag = stop.id_tag
        row.end_reason = end_reason(stop.reason, requested=row.stop_requested, noted=stop.noted)
        row.closed_by_gateway = False
        row.transaction_data = list(stop.transaction_data) if stop.transaction_data is not None else None
        row.meter_stop_wh = stop.register_wh if stop.register_wh is not None else row.register_wh
        self._finish(work, point, row, ended_at=stop.stopped_at)

    def _close(self, work: Work, point: ChargePoint, row: TransactionRow) -> None:
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
        self._finish(work, point, row, ended_at=row.stopped_at)

    def _finish(self, work: Work, point: ChargePoint, row: TransactionRow, *, ended_at: datetime) -> None:
        self._meter_rest(work, point, row, ended_at)
        work.publish(self._announcements.ended(point, row))
        _drop(work, point, row.transaction_id)

    def _meter_rest(self, work: Work, point: ChargePoint, row: TransactionRow, ended_at: datetime) -> None:
        stop_wh = row.meter_stop_wh
        if row.meter_start_wh is None:
            row.meter_start_wh = row.register_wh if row.register_wh is not None else stop_wh
        base_wh = row.register_wh if row.register_wh is not None else row.meter_start_wh
        if stop_wh is None or base_wh is None or stop_wh == base_wh:
            return
        if stop_wh < base_wh:
            detail = f"transaction {row.transaction_id} ended at {stop_wh} Wh, its meter had shown {base_wh} Wh"
            cause = f"{row.session_id}:stop"
            work.publish(self._announcements.alert(row.cp_id, "register_backwards", detail, cause=cause))
            return
        start = row.interval_end or row.started_at or row.created_at
        end = max(start, ended_at)
        interval = IntervalRow(
            row.session_id, row.last_seq + 1, row.meter_start_wh, stop_wh, stop_wh - base_wh, start, end
        )
        row.last_seq, row.register_wh, row.interval_wh = interval.last_seq, stop_wh, interval.interval_wh
        row.interval_start, row.interval_end = start, end
        live = point.open.get(row.transaction_id) or open_transaction(row)
        work.publish(self._announcements.telemetry(live, interval))

    async def _keep_unknown(self, work: Work, point: ChargePoint, stop: Stop) -> None:
        key = stop.content_key(point.cp_id)
        row = TransactionRow(
            session_id=key,
            cp_id=point.cp_id,
            transaction_id=stop.transaction_id,
            content_key=key,
            connector_id=stop.connector_id or 0,
            created_at=work.now,
            start_known=False,
            meter_stop_wh=stop.register_wh,
            stopped_at=stop.stopped_at,
            stop_reason=stop.reason or DEFAULT_REASON,
            stop_id_tag=stop.id_tag,
            end_reason=end_reason(stop.reason, noted=stop.noted),
            transaction_data=list(stop.transaction_data) if stop.transaction_data is not None else None,
        )
        if not await store.insert_new(work.transaction, row):
            return
        STOPPED.labels("unknown").inc()
        detail = f"transaction {stop.transaction_id} ended at {stop.register_wh} Wh; its start was never told here"
        work.publish(self._announcements.alert(point.cp_id, "unknown_transaction", detail, cause=key))


def _drop(work: Work, point: ChargePoint, transaction_id: str) -> None:
    work.after_commit(lambda: point.drop(transaction_id))
