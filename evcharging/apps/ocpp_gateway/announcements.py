"""The events that stations cause: what is said of them on the bus, and under which ids.

Ids follow from their causes wherever there is one, so that saying something again is the same event.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, OpenTransaction
from evcharging.apps.ocpp_gateway.solar_share import SolarShare
from evcharging.domain.end_reasons import EndReason
from evcharging.domain.energy import WH_PER_KWH
from evcharging.domain.states import WHOLE_CHARGE_POINT, ChargePointState, OcppStatus
from evcharging.messages.charge_points import (
    Alert,
    ConnectorDetail,
    Severity,
    Status,
    StatusDetail,
    StatusSource,
    Telemetry,
)
from evcharging.messages.envelope import Event, derived_id, random_id
from evcharging.messages.topics import ALERTS, STATUS, TELEMETRY
from evcharging.store.gateway.remote_starts import RemoteStartRow
from evcharging.store.gateway.transactions import IntervalRow, TransactionRow

__all__ = ["Announcements", "connectors_of"]

NOBODY_CAME: Final = "no vehicle was plugged in before the station stopped waiting for one"


class Announcements:
    """Makes the events of one gateway.

    Args:
        source: names the gateway.
        price_per_kwh: the price to show on telemetry; what is billed is Central's.
        solar_share: splits energy by source; without it all is the grid's.
    """

    def __init__(
        self,
        *,
        source: str,
        now: Callable[[], datetime],
        price_per_kwh: Callable[[], float],
        solar_share: SolarShare | None = None,
    ) -> None:
        self.source = source
        self.now = now
        self._price_per_kwh = price_per_kwh
        self._solar_share = solar_share

    def status(
        self,
        point: ChargePoint,
        connector_id: int,
        state: ChargePointState,
        *,
        previous: ChargePointState | None = None,
        reason: str | None = None,
        **detail: Any,
    ) -> Event[Status]:
        """Something was said of a connector, or of the whole (0). Unset details are left out."""
        transaction = point.transaction_at(connector_id) if connector_id else None
        status = self._status(
            point,
            connector_id,
            state,
            previous=previous,
            reason=reason,
            session_id=transaction.session_id if transaction is not None else None,
            connectors=connectors_of(point),
            detail=detail,
        )
        return Event(STATUS, status, random_id(), self.source)

    def begun(self, point: ChargePoint, row: TransactionRow) -> Event[Status]:
        """A session flows. Its transaction need not be in memory yet."""
        status = self._status(
            point,
            row.connector_id,
            ChargePointState.SUPPLYING,
            previous=ChargePointState.ACTIVATED,
            session_id=row.session_id,
            connectors=connectors_of(point, begun=row),
            detail={**_of_transaction(row), "target_wh": _float(row.target_wh), "id_tag_status": row.id_tag_status},
        )
        return Event(STATUS, status, derived_id(f"{row.session_id}:begun", "cp.status"), self.source)

    def ended(self, point: ChargePoint, row: TransactionRow) -> Event[Status]:
        """A session is over. ``row`` is as it stands after its last interval; memory may still have it as open."""
        status = self._status(
            point,
            row.connector_id,
            point.state_of(row.connector_id, without=row.transaction_id),
            previous=ChargePointState.SUPPLYING,
            reason=row.end_reason,
            session_id=row.session_id,
            connectors=connectors_of(point, ended=row),
            detail={
                **_of_transaction(row),
                "last_seq": row.last_seq,
                "register_end_wh": _float(row.meter_stop_wh),
                "ended_at": row.stopped_at,
                "stop_reason": row.stop_reason,
                "text": "the station never said that it ended" if row.closed_by_gateway else None,
            },
        )
        end = "closed" if row.closed_by_gateway else "ended"
        return Event(STATUS, status, derived_id(f"{row.session_id}:{end}", "cp.status"), self.source)

    def not_begun(self, point: ChargePoint, connector_id: int, order: RemoteStartRow) -> Event[Status]:
        """A session that was ordered does not begin: its station no longer waits for a vehicle."""
        status = self._status(
            point,
            connector_id,
            point.state_of(connector_id),
            previous=None,
            reason=EndReason.START_TIMEOUT.value,
            session_id=order.session_id,
            connectors=connectors_of(point),
            detail={"id_tag": order.id_tag, "driver_id": order.driver_id, "last_seq": 0, "text": NOBODY_CAME},
        )
        return Event(STATUS, status, derived_id(f"{order.session_id}:not_begun", "cp.status"), self.source)

    def telemetry(self, transaction: OpenTransaction, row: IntervalRow) -> Event[Telemetry]:
        """One interval of a session, with what was last measured."""
        seconds = (row.interval_end - row.interval_start).total_seconds()
        kw = transaction.power_kw
        if kw is None:
            kw = float(row.interval_wh) * 3.6 / seconds if seconds > 0 else 0.0
        register_wh = row.register_wh or row.interval_wh
        kwh = float((register_wh - (row.meter_start_wh or register_wh)) / WH_PER_KWH)
        energy_wh = float(row.interval_wh)
        solar_wh = Decimal(0)
        if self._solar_share is not None:
            solar_wh = self._solar_share.of(row.interval_wh, kw=kw, until=row.interval_end)
        message = Telemetry(
            ts=self.now(),
            cp_id=transaction.cp_id,
            connector_id=transaction.connector_id,
            session_id=row.session_id,
            driver_id=transaction.driver_id,
            id_tag=transaction.id_tag if row.last_seq == 1 else None,
            source=StatusSource.OCPP,
            seq=row.last_seq,
            interval_start=row.interval_start,
            interval_end=row.interval_end,
            register_wh=float(register_wh),
            energy_wh=energy_wh,
            solar_wh=float(solar_wh),
            grid_wh=float(row.interval_wh - solar_wh),
            kw=kw,
            kwh=max(kwh, 0.0),
            euros=max(round(kwh * self._price_per_kwh(), 4), 0.0),
            soc=transaction.soc,
            amps=transaction.amps,
            volts=transaction.volts,
            temperature_c=transaction.temperature_c,
        )
        return Event(TELEMETRY, message, f"{row.session_id}:{row.last_seq}", self.source)

    def _status(
        self,
        point: ChargePoint,
        connector_id: int,
        state: ChargePointState,
        *,
        previous: ChargePointState | None,
        connectors: tuple[ConnectorDetail, ...],
        detail: dict[str, Any],
        reason: str | None = None,
        session_id: str | None = None,
    ) -> Status:
        report = point.connectors.get(connector_id)
        told = {name: value for name, value in detail.items() if value is not None}
        if report is not None:
            told["ocpp_status"] = report.status.value
        if point.version is not None:
            told["ocpp_version"] = point.version.value
        return Status(
            ts=self.now(),
            cp_id=point.cp_id,
            connector_id=connector_id,
            state=state,
            previous_state=previous,
            reason=reason,
            session_id=session_id,
            source=StatusSource.OCPP,
            detail=StatusDetail(connectors=connectors, **told),
        )

    def alert(
        self, cp_id: str, kind: str, detail: str, *, severity: Severity = Severity.WARNING, cause: str | None = None
    ) -> Event[Alert]:
        """Something an operator should look at; the same ``cause`` makes the same alert."""
        now = self.now()
        alert = Alert(
            ts=now,
            alert_id=derived_id(cause or random_id(), f"cp.alerts:{kind}"),
            cp_id=cp_id,
            kind=kind,
            severity=severity,
            detail=detail,
            detector="gateway",
            started_at=now,
            source="ocpp",
        )
        return Event(ALERTS, alert, alert.alert_id, self.source)

    def intrusion(self, cp_id: str, remote: str) -> Event[Alert]:
        """A station came under the id of a charge point that an engine runs: within an hour, always the same alert."""
        detail = f"a station at {remote} wants to connect as {cp_id}, which an engine runs; it is turned away"
        hour = self.now().strftime("%Y-%m-%dT%H")
        return self.alert(cp_id, "id_conflict", detail, severity=Severity.CRITICAL, cause=f"{cp_id}:gateway:{hour}")


def connectors_of(
    point: ChargePoint, *, begun: TransactionRow | None = None, ended: TransactionRow | None = None
) -> tuple[ConnectorDetail, ...]:
    """How every connector stands, with a transaction that is just beginning or ending counted in."""
    gone = None if ended is None else ended.transaction_id
    known = {WHOLE_CHARGE_POINT, *point.connectors, *(t.connector_id for t in point.open.values())}
    if begun is not None:
        known.add(begun.connector_id)
    details = []
    for connector_id in sorted(known):
        report = point.connectors.get(connector_id)
        told = None if report is None else report.status.value
        if begun is not None and connector_id == begun.connector_id:
            state, row = ChargePointState.SUPPLYING, begun
            details.append(_detail(connector_id, state, told, row.session_id, row.id_tag, row.driver_id))
            continue
        if connector_id == WHOLE_CHARGE_POINT:
            details.append(_idle(connector_id, point.whole_state(), told))
            continue
        state = point.state_of(connector_id, without=gone)
        transaction = point.transaction_at(connector_id, without=gone)
        if transaction is None:
            holder = (point.kept_for or {}).get(connector_id) if told == OcppStatus.RESERVED.value else None
            details.append(_idle(connector_id, state, told, holder))
        else:
            details.append(
                _detail(connector_id, state, told, transaction.session_id, transaction.id_tag, transaction.driver_id)
            )
    return tuple(details)


@lru_cache(maxsize=1024)
def _idle(
    connector_id: int, state: ChargePointState, ocpp_status: str | None, kept_for: str | None = None
) -> ConnectorDetail:
    """A connector without a session, which is like that of a thousand other stations."""
    return ConnectorDetail(connector_id=connector_id, state=state, ocpp_status=ocpp_status, id_tag=kept_for)


def _detail(
    connector_id: int,
    state: ChargePointState,
    ocpp_status: str | None,
    session_id: str,
    id_tag: str | None,
    driver_id: str | None,
) -> ConnectorDetail:
    return ConnectorDetail(
        connector_id=connector_id,
        state=state,
        session_id=session_id,
        ocpp_status=ocpp_status,
        id_tag=id_tag,
        driver_id=driver_id,
    )


def _of_transaction(row: TransactionRow) -> dict[str, Any]:
    return {
        "id_tag": row.id_tag,
        "driver_id": row.driver_id,
        "transaction_id": row.number if row.number is not None else row.transaction_id,
        "register_start_wh": _float(row.meter_start_wh),
        "started_at": row.started_at,
    }


def _float(value: Any) -> float | None:
    return None if value is None else float(value)
