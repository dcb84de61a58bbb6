"""Sessions' accounts: from the row to the ledger and back, intervals applied at the price of their start, closing.

How a session ended is said once, to the driver and on the request: what its charge point says after that corrects
energy, money and times on the record, and no outcome.
"""

from __future__ import annotations

from datetime import datetime

from evcharging.apps.ev_central.work import Work
from evcharging.domain.end_reasons import EndReason
from evcharging.domain.energy import WH_PER_KWH, exact_wh
from evcharging.domain.money import currency, round_money
from evcharging.domain.sessions import Interval, LedgerState, SessionLedger
from evcharging.domain.tariff import PriceHistory
from evcharging.messages.charge_points import Alert, Severity, StatusDetail, Telemetry
from evcharging.messages.drivers import DriverUpdate, UpdateStatus
from evcharging.messages.envelope import derived_id
from evcharging.messages.topics import ALERTS, DRIVER_UPDATES
from evcharging.store.simulator.rows import Phase, SessionRow

__all__ = [
    "alert_of",
    "apply_interval",
    "close_session",
    "end_reason",
    "note_late_end",
    "note_registers",
    "progress",
    "settled",
]


def apply_interval(row: SessionRow, telemetry: Telemetry, prices: PriceHistory, *, now: datetime) -> bool:
    """Count one interval; False where its number was counted before.

    Raises:
        InvalidInterval: it contradicts itself.
        NoPrice: there never was a price in the session's currency.
    """
    interval = Interval.of(
        seq=telemetry.seq,
        start=telemetry.interval_start,
        end=telemetry.interval_end,
        register_wh=telemetry.register_wh,
        energy_wh=telemetry.energy_wh,
        solar_wh=telemetry.solar_wh,
        grid_wh=telemetry.grid_wh if telemetry.grid_wh or telemetry.solar_wh else None,
    )
    if _not_yet_priced(row):
        row.currency = prices.price_at(interval.start).currency.code
    ledger = SessionLedger(_state(row))
    price = prices.price_at(interval.start, in_currency=ledger.currency)
    if not ledger.apply(interval, price).counted:
        return False
    row.energy_wh, row.solar_wh, row.grid_wh = ledger.energy_wh, ledger.solar_wh, ledger.grid_wh
    row.cost = ledger.cost
    row.last_seq = ledger.last_seq
    row.missing_seqs = [[gap.start, gap.stop] for gap in ledger.missing]
    row.register_start_wh, row.register_end_wh = ledger.meter_start_wh, ledger.meter_stop_wh
    if row.phase is Phase.CLOSED:
        row.cost = ledger.cost
        row.amended_at = now
    return True


def settled(row: SessionRow) -> bool:
    """Whether every interval that the charge point counted has come."""
    return row.expected_seq is not None and row.last_seq >= row.expected_seq and not row.missing_seqs


def close_session(
    work: Work, row: SessionRow, reason: str, *, detail: str | None = None, traceparent: str | None = None
) -> None:
    """End the record: final status, the request's outcome, and word to the driver. Once ended, it stays so."""
    if row.status != "ACTIVE":
        return
    row.reason = reason
    row.status = end_reason(reason).status.value
    row.phase = Phase.CLOSED
    row.ended_at = row.ended_at or work.now
    row.closed_at = work.now
    work.closed(row)
    work.send(
        DRIVER_UPDATES,
        progress(row, now=work.now, status=UpdateStatus(row.status), reason=reason, detail=detail, kw=0.0),
        cause=row.session_id,
        kind="driver-update:end",
        traceparent=traceparent,
    )


def note_late_end(work: Work, row: SessionRow, reason: str, detail: StatusDetail, *, ended_at: datetime) -> None:
    """Take over what a charge point says of the end of a session that was given up before; its outcome stands.

    An operator is told where that is another than the charge point's own.
    """
    if row.reason != EndReason.ENGINE_LOST or row.expected_seq is not None:
        return
    row.expected_seq = detail.last_seq
    row.ended_at = ended_at
    row.amended_at = work.now
    work.changed(row)
    if end_reason(reason) is not EndReason.ENGINE_LOST:
        told = f"session {row.session_id} was given up as {row.reason} before its charge point said: {reason}"
        alert_of(work, row, "late_end", f"{told}; its energy, cost and times are the charge point's")


def alert_of(work: Work, row: SessionRow, kind: str, detail: str) -> None:
    """Have an operator look at a session, once for each kind."""
    alert = Alert(
        ts=work.now,
        alert_id=derived_id(row.session_id, kind),
        cp_id=row.cp_id,
        kind=kind,
        severity=Severity.WARNING,
        detail=detail,
        detector="ledger",
        started_at=row.ended_at or work.now,
        source="central",
    )
    work.send(ALERTS, alert, cause=row.session_id, kind=f"alert:{kind}")


def progress(
    row: SessionRow,
    *,
    now: datetime,
    kw: float | None = None,
    status: UpdateStatus = UpdateStatus.IN_PROGRESS,
    reason: str | None = None,
    detail: str | None = None,
) -> DriverUpdate:
    """What the driver is told of a session: energy so far, and its cost rounded as it would be billed now."""
    return DriverUpdate(
        ts=now,
        request_id=row.request_id,
        driver_id=row.driver_id,
        cp_id=row.cp_id,
        status=status,
        reason=reason,
        detail=detail,
        kw=kw,
        kwh=float(row.energy_wh / WH_PER_KWH),
        euros=float(round_money(row.cost, currency(row.currency))),
        session_id=row.session_id,
        currency=row.currency,
    )


def end_reason(text: str) -> EndReason:
    """The reason a peer gave, as far as we know it; any other is a fault the charger did not name more closely."""
    try:
        return EndReason(text.lower())
    except ValueError:
        return EndReason.CHARGER_FAULT


def note_registers(row: SessionRow, *, start_wh: float | None, end_wh: float | None) -> None:
    """Take over register readings that a status carries where the intervals have not shown them yet."""
    if start_wh is not None and row.register_start_wh is None:
        row.register_start_wh = exact_wh(start_wh)
    if end_wh is not None and (row.register_end_wh is None or exact_wh(end_wh) > row.register_end_wh):
        row.register_end_wh = exact_wh(end_wh)


def _not_yet_priced(row: SessionRow) -> bool:
    """Whether nothing is counted and no driver was promised a currency: the first interval tells when it began."""
    adopted = row.request_id == row.session_id
    return adopted and row.status == "ACTIVE" and not row.last_seq and row.energy_wh == 0


def _state(row: SessionRow) -> LedgerState:
    return LedgerState(
        currency=currency(row.currency),
        energy_wh=row.energy_wh,
        solar_wh=row.solar_wh,
        grid_wh=row.grid_wh,
        cost=row.cost,
        last_seq=row.last_seq,
        missing=tuple(range(start, stop) for start, stop in row.missing_seqs),
        meter_start_wh=row.register_start_wh,
        meter_stop_wh=row.register_end_wh,
        reason=None if row.status == "ACTIVE" or row.reason is None else end_reason(row.reason),
        ended_at=row.ended_at,
    )
