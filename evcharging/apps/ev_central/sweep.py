"""What happens when nothing happens: starts never confirmed, engines that did not come back, missing intervals.

Time is counted only as far as Central has heard the network: not before it has read the log up to its end, not while
the broker is away, and no further than the log is read. So neither an outage of Central or of Kafka ends a session, nor
a log that is read late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from evcharging.apps.ev_central.accounts import alert_of, close_session
from evcharging.apps.ev_central.admission import is_out_of_touch
from evcharging.apps.ev_central.reservations import lapse
from evcharging.apps.ev_central.statuses import fault
from evcharging.apps.ev_central.transactions import Transactions
from evcharging.apps.ev_central.work import Work
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import StatusSource
from evcharging.messages.commands import LONGEST_EXPIRY_S, CommandAction
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
        heard_until: is given the time now and says until when everything that was said is read; None while that is not
            known, or the broker is away.
        hears_of: whether this copy of Central reads what is said of a charge point; sessions of others are left to the
            copy that does.
        engine_lost_s, station_lost_s, settle_s, late_end_s: see the settings of the same names.
    """

    def __init__(
        self,
        transactions: Transactions,
        *,
        heard_until: Callable[[datetime], datetime | None],
        hears_of: Callable[[str], bool] = lambda _cp_id: True,
        engine_lost_s: float,
        station_lost_s: float = STATION_LOST_S,
        settle_s: float,
        late_end_s: float,
        retention: timedelta,
    ) -> None:
        self._transactions = transactions
        self._heard_until = heard_until
        self._hears_of = hears_of
        self._engine_lost = timedelta(seconds=engine_lost_s)
        self._station_lost = timedelta(seconds=station_lost_s)
        self._settle = timedelta(seconds=settle_s)
        self._late_end = timedelta(seconds=late_end_s)
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
        until = self._heard_until(self._transactions.now())
        if until is None:
            self._hearing_since = None
            return 0
        self._hearing_since = self._hearing_since or until
        # What is read by now is handled by then: this transaction has its turn after those that handle it.
        async with self._transactions.begin() as work:
            quiet = await network.quiet_sessions(
                work.transaction,
                commanded_before=until - START_GRACE,
                ended_before=until - self._settle,
                let_go_before=until - self._late_end,
                heard_before=until - self._engine_lost,
                station_heard_before=until - self._station_lost,
            )
            quiet = [session for session in quiet if self._hears_of(session.cp_id)]
            work.know(quiet)
            await work.load(cp_ids=[session.cp_id for session in quiet])
            overdue = [session for session in quiet if self._is_overdue(work, session, until)]
            for session in overdue:
                self._end(work, session)
            await lapse(work)
        return len(overdue)

    def _is_overdue(self, work: Work, session: SessionRow, until: datetime) -> bool:
        hearing_since = self._hearing_since or until
        if session.phase is Phase.STARTING:
            return until - START_GRACE > max(session.start_deadline, hearing_since)
        heard = session.last_contact_at or session.created_at
        of_station = session.source == StatusSource.OCPP.value
        if _is_let_go(session):
            return until - max(heard, hearing_since) > self._late_end
        if session.phase is Phase.ENDING:
            ended = session.ended_at or heard
            if of_station:  # which may tell today of what ended yesterday, and is given the time to tell all of it
                ended = max(ended, heard)
            return until - max(ended, hearing_since) > self._settle
        if not of_station:
            return until - max(heard, hearing_since) > self._engine_lost
        point = work.charge_points.get(session.cp_id)
        connected = point is not None and not is_out_of_touch(point)
        return not connected and until - max(heard, hearing_since) > self._station_lost

    def _end(self, work: Work, session: SessionRow) -> None:
        cause = f"{session.session_id}:sweep"
        if session.phase is Phase.ENDING:
            if _is_let_go(session):
                log.warning(
                    "session given up", session_id=session.session_id, cp_id=session.cp_id, reason=session.reason
                )
                alert_of(work, session, "end_missing", _never_ended(session))
            else:
                alert_of(work, session, "meter_gap", _gap(session))
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

    async def _prune(self) -> None:
        before = self._transactions.now() - self._retention
        async with self._transactions.database.begin() as transaction:
            await inbox.forget_before(transaction, tables.inbox, before)
            await outbox.forget_before(transaction, tables.outbox, before)
            keys_before = self._transactions.now() - IDEMPOTENCY_KEYS_KEPT_FOR
            await idempotency.forget_before(transaction, tables.idempotency_keys, keys_before)


def _is_let_go(session: SessionRow) -> bool:
    """Whether its connector has another session and it waits for word of its own end."""
    return session.phase is Phase.ENDING and session.expected_seq is None


def _never_ended(session: SessionRow) -> str:
    return (
        f"session {session.session_id}: another has its connector {session.connector_id},"
        " and how it ended was never said; it is closed with the energy that is known"
    )


def _gap(session: SessionRow) -> str:
    missing = ", ".join(f"{start}-{stop - 1}" for start, stop in session.missing_seqs) or "the last"
    return f"session {session.session_id}: intervals {missing} of {session.expected_seq} never came"
