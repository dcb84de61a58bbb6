"""The events that stations cause: what is said of them on the bus, and under which ids.

Ids follow from their causes wherever there is one, so that saying something again is the same event.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

from evcharging.apps.ocpp_gateway.charge_points import OpenTransaction
from evcharging.domain.energy import WH_PER_KWH
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Alert, Severity, Status, StatusDetail, StatusSource, Telemetry
from evcharging.messages.envelope import Event, derived_id
from evcharging.messages.topics import ALERTS, STATUS, TELEMETRY
from evcharging.store.gateway.transactions import IntervalRow, TransactionRow

__all__ = ["Announcements"]


class Announcements:
    """Makes the events of one gateway.

    Args:
        source: names the gateway.
        price_per_kwh: the price to show on telemetry; what is billed is Central's.
    """

    def __init__(self, *, source: str, now: Callable[[], datetime], price_per_kwh: Callable[[], float]) -> None:
        self.source = source
        self.now = now
        self._price_per_kwh = price_per_kwh

    def status(
        self,
        cp_id: str,
        connector_id: int,
        state: ChargePointState,
        *,
        at: datetime,
        previous: ChargePointState | None = None,
        reason: str | None = None,
        session_id: str | None = None,
        **detail: Any,
    ) -> Event[Status]:
        """Something was said of a connector. Unset details are left out."""
        status = _status(cp_id, connector_id, state, at, previous, reason, session_id, detail)
        return Event(STATUS, status, str(uuid4()), self.source)

    def begun(self, row: TransactionRow) -> tuple[Status, str]:
        """A session flows; with the event's id."""
        status = _status(
            row.cp_id,
            row.connector_id,
            ChargePointState.SUPPLYING,
            row.created_at,
            ChargePointState.ACTIVATED,
            None,
            row.session_id,
            {
                "id_tag": row.id_tag,
                "id_tag_status": row.id_tag_status,
                "driver_id": row.driver_id,
                "transaction_id": row.transaction_id,
                "register_start_wh": _float(row.meter_start_wh),
                "target_wh": _float(row.target_wh),
            },
        )
        return status, derived_id(f"{row.session_id}:begun", "cp.status")

    def ended(self, row: TransactionRow, state: ChargePointState, *, at: datetime) -> tuple[Status, str]:
        """A session is over; with the event's id. ``row`` is as it stands after its last interval."""
        status = _status(
            row.cp_id,
            row.connector_id,
            state,
            at,
            ChargePointState.SUPPLYING,
            row.end_reason,
            row.session_id,
            {
                "last_seq": row.last_seq,
                "id_tag": row.id_tag,
                "driver_id": row.driver_id,
                "transaction_id": row.transaction_id,
                "register_start_wh": _float(row.meter_start_wh),
                "register_end_wh": _float(row.meter_stop_wh),
                "stop_reason": row.stop_reason,
                "text": "the station never said that it ended" if row.closed_by_gateway else None,
            },
        )
        end = "closed" if row.closed_by_gateway else "ended"
        return status, derived_id(f"{row.session_id}:{end}", "cp.status")

    def telemetry(self, transaction: OpenTransaction, row: IntervalRow) -> Event[Telemetry]:
        """One interval of a session, with what was last measured."""
        seconds = (row.interval_end - row.interval_start).total_seconds()
        kw = transaction.power_kw
        if kw is None:
            kw = float(row.interval_wh) * 3.6 / seconds if seconds > 0 else 0.0
        register_wh = row.register_wh or row.interval_wh
        kwh = float((register_wh - (row.meter_start_wh or register_wh)) / WH_PER_KWH)
        energy_wh = float(row.interval_wh)
        message = Telemetry(
            ts=self.now(),
            cp_id=transaction.cp_id,
            connector_id=transaction.connector_id,
            session_id=row.session_id,
            driver_id=transaction.driver_id,
            seq=row.last_seq,
            interval_start=row.interval_start,
            interval_end=row.interval_end,
            register_wh=float(register_wh),
            energy_wh=energy_wh,
            grid_wh=energy_wh,
            kw=kw,
            kwh=max(kwh, 0.0),
            euros=max(round(kwh * self._price_per_kwh(), 4), 0.0),
            soc=transaction.soc,
            amps=transaction.amps,
            volts=transaction.volts,
            temperature_c=transaction.temperature_c,
        )
        return Event(TELEMETRY, message, f"{row.session_id}:{row.last_seq}", self.source)

    def alert(
        self, cp_id: str, kind: str, detail: str, *, severity: Severity = Severity.WARNING, cause: str | None = None
    ) -> Event[Alert]:
        """Something an operator should look at; the same ``cause`` makes the same alert."""
        now = self.now()
        alert = Alert(
            ts=now,
            alert_id=derived_id(cause or str(uuid4()), f"cp.alerts:{kind}"),
            cp_id=cp_id,
            kind=kind,
            severity=severity,
            detail=detail,
            detector="gateway",
            started_at=now,
            source="ocpp",
        )
        return Event(ALERTS, alert, alert.alert_id, self.source)


def _status(
    cp_id: str,
    connector_id: int,
    state: ChargePointState,
    at: datetime,
    previous: ChargePointState | None,
    reason: str | None,
    session_id: str | None,
    detail: dict[str, Any],
) -> Status:
    told = {name: value for name, value in detail.items() if value is not None}
    return Status(
        ts=at,
        cp_id=cp_id,
        connector_id=connector_id,
        state=state,
        previous_state=previous,
        reason=reason,
        session_id=session_id,
        source=StatusSource.OCPP,
        detail=StatusDetail(**told) if told else None,
    )


def _float(value: Any) -> float | None:
    return None if value is None else float(value)
