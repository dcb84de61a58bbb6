"""What happens when nothing happens: starts never confirmed, engines that did not come back, missing intervals.

Time is counted only while Central hears the network: not before it has read the log up to its end, and not while the
broker is away. So an outage of Central or of Kafka ends no session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from evcharging.apps.ev_central.accounts import close_session
from evcharging.apps.ev_central.admission import is_out_of_touch
from evcharging.apps.ev_central.reservations import lapse
from evcharging.apps.ev_central.statuses import fault
from evcharging.apps.ev_central.transactions import Transactions
from evcharging.apps.ev_central.work import Work
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Alert, Severity, StatusSource
from evcharging.messages.commands import LONGEST_EXPIRY_S, CommandAction
from evcharging.messages.envelope import derived_id
from evcharging.messages.topics import ALERTS
from evcharging.store import idempotency, inbox, outbox
from evcharging.store.database import DatabaseUnavailable
from evcharging.store.simulator import network, tables
from evcharging.store.simulator.rows import Phase, SessionRow

__all__ = ["Sweep"]

log = structlog.get_logger()

EVERY_S = 1.0
STATION_LOST_S = 86_400.0
START_GRACE = timedelta(seconds=5)
PRUNE_EVERY_S = 3600.0
IDEMPOTENCY_KEYS_KEPT_FOR = timedelta(days=1)


class Sweep:
    """Looks at open sessions once a second and ends those that nothing else will end.

    Args:
        hearing: whether the log is read up to its end and the broker is there.
        engine_lost_s, station_lost_s, settle_s: see the settings of the same names.
    """

    def __init__(
        self,
        transactions: Transactions,
        *,
        hearing: Callable[[], bool],
        engine_lost_s: float,
        station_lost_s: float = STATION_LOST_S,
        settle_s: float,
        retention: timedelta,
    ) -> None:
        self._transactions = transactions
        self._hearing = hearing
        self._engine_lost = timedelta(seconds=engine_lost_s)
        self._station_lost = timedelta(seconds=station_lost_s)
        self._settle = timedelta(seconds=settle_s)
        self._retention = retention
        self._hearing_since: datetime | None = None

    async def run(self) -> None:
        """Sweep until cancelled."""
        next_prune = 0.0
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self.once()
                if loop.time() >= next_prune:
                    await self._prune()
                    next_prune = loop.time() + PRUNE_EVERY_S
            except DatabaseUnavailable as error:
                log.warning("sweep waits for the database", reason=str(error))
            await asyncio.sleep(EVERY_S)

    async def once(self) -> int:
        """Look once; returns how many sessions were ended."""
        now = self._transactions.now()
        if not self._hearing():
            self._hearing_since = None
            return 0
        self._hearing_since = self._hearing_since or now
        async with self._transactions.begin() as work:
            quiet = await network.quiet_sessions(
                work.transaction,
                commanded_before=now - START_GRACE,
                ended_before=now - self._settle,
                heard_before=now - self._engine_lost,
                station_heard_before=now - self._station_lost,
            )
            work.know(quiet)
            await work.load(cp_ids=[session.cp_id for session in quiet])
            overdue = [session for session in quiet if self._is_overdue(work, session, now)]
            for session in overdue:
                self._end(work, session)
            await lapse(work)
        return len(overdue)

    def _is_overdue(self, work: Work, session: SessionRow, now: datetime) -> bool:
        hearing_since = self._hearing_since or now
        if session.phase is Phase.STARTING:
            return now - START_GRACE > max(session.start_deadline, hearing_since)
        heard = session.last_contact_at or session.created_at
        of_station = session.source == StatusSource.OCPP.value
        if session.phase is Phase.ENDING:
            ended = session.ended_at or heard
            if of_station:  # which may tell today of what ended yesterday, and is given the time to tell all of it
                ended = max(ended, heard)
            return now - max(ended, hearing_since) > self._settle
        if not of_station:
            return now - max(heard, hearing_since) > self._engine_lost
        point = work.charge_points.get(session.cp_id)
        connected = point is not None and not is_out_of_touch(point)
        return not connected and now - max(heard, hearing_since) > self._station_lost

    def _end(self, work: Work, session: SessionRow) -> None:
        cause = f"{session.session_id}:sweep"
        if session.phase is Phase.ENDING:
            self._alert_of_gap(work, session)
            close_session(work, session, session.reason or "charger_fault")
            return
        reason = "start_timeout" if session.phase is Phase.STARTING else "engine_lost"
        log.warning("session given up", session_id=session.session_id, cp_id=session.cp_id, reason=reason)
        close_session(work, session, reason)
        work.order(
            CommandAction.STOP_SUPPLY,
            session.cp_id,
            cause=cause,
            valid_s=LONGEST_EXPIRY_S,
            session=session,
            payload={"reason": reason},
        )
        point = work.charge_points.get(session.cp_id)
        of_station = session.source == StatusSource.OCPP.value  # whose other connectors are none the worse for it
        if point is not None and point.state is ChargePointState.SUPPLYING and not of_station:
            fault(work, point, reason)

    def _alert_of_gap(self, work: Work, session: SessionRow) -> None:
        missing = ", ".join(f"{start}-{stop - 1}" for start, stop in session.missing_seqs) or "the last"
        alert = Alert(
            ts=work.now,
            alert_id=derived_id(session.session_id, "meter_gap"),
            cp_id=session.cp_id,
            kind="meter_gap",
            severity=Severity.WARNING,
            detail=f"session {session.session_id}: intervals {missing} of {session.expected_seq} never came",
            detector="ledger",
            started_at=session.ended_at or work.now,
            source="central",
        )
        work.send(ALERTS, alert, cause=session.session_id, kind="alert:meter_gap")

    async def _prune(self) -> None:
        before = self._transactions.now() - self._retention
        async with self._transactions.database.begin() as transaction:
            await inbox.forget_before(transaction, tables.inbox, before)
            await outbox.forget_before(transaction, tables.outbox, before)
            keys_before = self._transactions.now() - IDEMPOTENCY_KEYS_KEPT_FOR
            await idempotency.forget_before(transaction, tables.idempotency_keys, keys_before)
