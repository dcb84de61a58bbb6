"""OCPP 2.0.1 TransactionEvent (part 2, E): what stations tell of their transactions, over the version-free services.

A station may begin a transaction as soon as a cable is in, long before anybody may charge. That is no session yet: it
waits here, in memory, until somebody is authorized or energy flows, so that a remote start can still find the station
free, and a cable that is pulled out again leaves no empty session. After a restart of the gateway the next event of
the transaction takes its place.

Events come in the order of their ``seqNo`` and may be repeated, at once or after an outage: one that was passed already
is answered and moves no register.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final, TypeAlias

from prometheus_client import Counter

from evcharging.apps.ocpp_gateway.authorization import Authorization, Verdict
from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, ConnectorReport, OpenTransaction
from evcharging.apps.ocpp_gateway.id_tokens_v201 import check, id_token_info
from evcharging.apps.ocpp_gateway.metering import Metering
from evcharging.apps.ocpp_gateway.statuses import Statuses
from evcharging.apps.ocpp_gateway.transaction_event_v201 import (
    TransactionEvent,
    first_register,
    last_register,
    read_event,
)
from evcharging.apps.ocpp_gateway.transactions import Start, Stop, Transactions
from evcharging.apps.ocpp_gateway.writes import Work, Writes
from evcharging.domain.states import OcppStatus
from evcharging.store.gateway import transactions as store

__all__ = ["TransactionEvents"]

Payload: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str]

EVENTS = Counter("evcharging_gateway_transaction_events_total", "TransactionEvents by what they were", ["kind"])
REMEMBERED_AT_MOST: Final = 100_000
ONLY_EVSE: Final = 1
"""Where a transaction begins before its EVSE is known, it is taken for the first until the station names it."""
FLOWING: Final = frozenset({"Charging", "SuspendedEV", "SuspendedEVSE"})
WHILE_CHARGING: Final = (OcppStatus.CHARGING, OcppStatus.SUSPENDED_EV, OcppStatus.SUSPENDED_EVSE)
STATUS_WHILE: Final = {
    "Charging": OcppStatus.CHARGING,
    "SuspendedEV": OcppStatus.SUSPENDED_EV,
    "SuspendedEVSE": OcppStatus.SUSPENDED_EVSE,
    "EVConnected": OcppStatus.PREPARING,
}


class TransactionEvents:
    """Answers TransactionEvent."""

    def __init__(
        self,
        *,
        authorization: Authorization,
        metering: Metering,
        statuses: Statuses,
        transactions: Transactions,
        writes: Writes,
    ) -> None:
        self._authorization = authorization
        self._metering = metering
        self._statuses = statuses
        self._transactions = transactions
        self._writes = writes
        self._waiting: dict[Key, Start] = {}
        self._last_seq: dict[Key, int] = {}

    def take(self, point: ChargePoint, payload: Payload) -> Payload | Awaitable[Payload]:
        """Answer one event; one that only tells how a transaction goes on is answered at once.

        Raises:
            CallRejected: a timestamp is none.
            StorageAway: from the awaited answer; it must not be answered.
        """
        event = read_event(point.cp_id, payload)
        passed = event.seq_no <= self._last_seq.get(event.key, -1)
        if passed:
            EVENTS.labels("repeated").inc()
        else:
            self._note_seq(event)
        if event.kind == "Ended":
            return self._end(point, event)
        transaction = point.open.get(event.transaction_id)
        if transaction is not None:
            self._waiting.pop(event.key, None)
            return self._go_on(point, transaction, event, passed=passed)
        start = self._start_of(event)
        if self._is_session(event, start):
            return self._begin(point, event, start)
        self._remember(self._waiting, event.key, start)
        if event.readings:
            self._metering.take(
                point, event.readings, connector_id=start.connector_id, transaction_id=event.transaction_id
            )
        return self._answer(event)

    def _go_on(
        self, point: ChargePoint, transaction: OpenTransaction, event: TransactionEvent, *, passed: bool
    ) -> Payload:
        if passed:
            return self._answer(event)
        if event.evse_id is not None and event.evse_id != transaction.connector_id:
            self._move(transaction, event.evse_id)
        if event.id_tag is not None and transaction.id_tag is None:
            self._name(transaction, event)
        if event.readings:
            self._metering.take(
                point,
                event.readings,
                connector_id=transaction.connector_id,
                transaction_id=transaction.transaction_id,
            )
        self._say_status(point, transaction.connector_id, event)
        return self._answer(event)

    async def _begin(self, point: ChargePoint, event: TransactionEvent, start: Start) -> Payload:
        started = await self._transactions.start(point, start)
        self._waiting.pop(event.key, None)
        if event.readings:
            self._metering.take(
                point, event.readings, connector_id=start.connector_id, transaction_id=event.transaction_id
            )
        self._say_status(point, start.connector_id, event)
        return self._answer(event, started.verdict)

    async def _end(self, point: ChargePoint, event: TransactionEvent) -> Payload:
        start = self._waiting.pop(event.key, None)
        last = last_register(event.readings)
        if start is not None and event.transaction_id not in point.open:
            if event.id_tag is None and not _risen(start.register_wh, last):
                self._last_seq.pop(event.key, None)
                return self._answer(event)  # a cable came and went
            await self._transactions.start(point, replace(start, id_tag=event.id_tag))
        live = point.open.get(event.transaction_id)
        connector_id = live.connector_id if live is not None else event.evse_id or ONLY_EVSE
        verdict = await self._transactions.stop(
            point,
            Stop(
                transaction_id=event.transaction_id,
                stopped_at=event.at,
                register_wh=last,
                id_tag=event.id_tag,
                reason=event.stopped_reason,
                noted=event.noted,
                connector_id=event.evse_id,
                transaction_data=event.meter_values,
            ),
        )
        self._last_seq.pop(event.key, None)
        self._say_finishing(point, connector_id, event)
        return self._answer(event, verdict)

    def _start_of(self, event: TransactionEvent) -> Start:
        """What is known of the beginning of a transaction that is no session yet, this event included."""
        known = self._waiting.get(event.key)
        if known is None:
            return Start(
                connector_id=event.evse_id or ONLY_EVSE,
                id_tag=event.id_tag,
                started_at=event.at,
                register_wh=first_register(event.readings),
                transaction_id=event.transaction_id,
                reservation_id=event.reservation_id,
                remote_start_id=event.remote_start_id,
            )
        return replace(
            known,
            connector_id=event.evse_id or known.connector_id,
            id_tag=event.id_tag or known.id_tag,
            register_wh=known.register_wh if known.register_wh is not None else first_register(event.readings),
            reservation_id=event.reservation_id or known.reservation_id,
            remote_start_id=event.remote_start_id or known.remote_start_id,
        )

    def _is_session(self, event: TransactionEvent, start: Start) -> bool:
        if start.id_tag is not None or start.remote_start_id is not None or event.needs_no_token:
            return True
        return event.charging_state in FLOWING or _risen(start.register_wh, last_register(event.readings))

    def _move(self, transaction: OpenTransaction, evse_id: int) -> None:
        transaction.connector_id = evse_id
        session_id = transaction.session_id

        async def effect(work: Work) -> None:
            await store.change(work.transaction, session_id, {"connector_id": evse_id})

        self._writes.post(effect)

    def _name(self, transaction: OpenTransaction, event: TransactionEvent) -> None:
        """Somebody was authorized for a transaction that began without."""
        assert event.id_tag is not None  # noqa: S101 - the caller has looked
        transaction.id_tag = event.id_tag
        transaction.driver_id = transaction.driver_id or self._authorization.driver_of(event.id_tag)
        values = {
            "id_tag": event.id_tag,
            "id_tag_status": self._authorization.check(event.id_tag).status.value,
            "driver_id": transaction.driver_id,
        }
        session_id = transaction.session_id

        async def effect(work: Work) -> None:
            await store.change(work.transaction, session_id, values)

        self._writes.post(effect)

    def _say_status(self, point: ChargePoint, connector_id: int, event: TransactionEvent) -> None:
        status = STATUS_WHILE.get(event.charging_state or "")
        if status is not None:
            self._statuses.report(point, connector_id, ConnectorReport(status, event.at))

    def _say_finishing(self, point: ChargePoint, connector_id: int, event: TransactionEvent) -> None:
        """The cable may stay in: the connector does not charge, and is not free before the station says so."""
        report = point.connectors.get(connector_id)
        if report is not None and report.status in WHILE_CHARGING:
            self._statuses.report(point, connector_id, ConnectorReport(OcppStatus.FINISHING, event.at))

    def _answer(self, event: TransactionEvent, verdict: Verdict | None = None) -> Payload:
        """With idTokenInfo where, and only where, the event carries an idToken."""
        if event.id_token is None:
            return {}
        return {"idTokenInfo": id_token_info(verdict or check(self._authorization, event.id_token))}

    def _note_seq(self, event: TransactionEvent) -> None:
        last = self._last_seq.get(event.key)
        if last is not None and event.seq_no > last + 1:
            EVENTS.labels("after_a_gap").inc()
        EVENTS.labels("offline" if event.offline else "live").inc()
        self._remember(self._last_seq, event.key, event.seq_no)

    @staticmethod
    def _remember(where: dict[Key, Any], key: Key, what: Any) -> None:
        """Memory stays bounded even where transactions never end: the oldest is forgotten."""
        if len(where) >= REMEMBERED_AT_MOST and key not in where:
            where.pop(next(iter(where)))
        where[key] = what


def _risen(before_wh: Decimal | None, after_wh: Decimal | None) -> bool:
    return before_wh is not None and after_wh is not None and after_wh > before_wh
