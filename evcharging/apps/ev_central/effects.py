"""The effects of records: each batch is one transaction of inbox, state and outbox; then offsets are committed.

A crash at any point repeats the batch with the same ids and changes nothing twice. While the database is away nothing
is lost: statuses, telemetry and replies wait in the log; a driver who asks meanwhile is told so instead of waiting.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from prometheus_client import Counter

from evcharging.apps.ev_central.accounts import apply_interval, progress
from evcharging.apps.ev_central.adoption import Adoption
from evcharging.apps.ev_central.denials import denial
from evcharging.apps.ev_central.engines import announce_new_holders, engines_among
from evcharging.apps.ev_central.prices import Prices
from evcharging.apps.ev_central.replies import handle_reply
from evcharging.apps.ev_central.requests import handle_request
from evcharging.apps.ev_central.reservations import RESERVATION_S, answer_reservations, use_reservations
from evcharging.apps.ev_central.station_policy import PolicyOf, anything_goes
from evcharging.apps.ev_central.statuses import close_if_settled, handle_status
from evcharging.apps.ev_central.transactions import Transactions
from evcharging.apps.ev_central.work import Work
from evcharging.bus.consumer import Retry
from evcharging.domain.sessions import InvalidInterval
from evcharging.domain.tariff import NoPrice
from evcharging.messages.charge_points import Status, StatusSource, Telemetry
from evcharging.messages.commands import CommandAction, Reply
from evcharging.messages.drivers import Denial, DriverRequest, RequestKind
from evcharging.messages.envelope import Event, Received, child_of, derived_id
from evcharging.messages.topics import DRIVER_UPDATES
from evcharging.store import inbox
from evcharging.store.database import DatabaseBusy, DatabaseUnavailable
from evcharging.store.simulator import tables
from evcharging.store.simulator.rows import SessionRow

__all__ = ["Effects"]

log = structlog.get_logger()

INTERVALS = Counter("evcharging_central_intervals_total", "Metered intervals by what became of them", ["result"])
COUNTED, DUPLICATE, INVALID, OF_NO_SESSION = (
    INTERVALS.labels(result) for result in ("counted", "duplicate", "invalid", "unknown_session")
)
REQUESTS = Counter("evcharging_central_requests_total", "Driver requests handled")
DENIED_WITHOUT_DATABASE = Counter(
    "evcharging_central_denied_database_total", "Requests denied because the database was away"
)


TELL_EVERY = timedelta(seconds=0.5)
"""A driver is told once in this time how much has flowed: of intervals that come in a crowd after an outage, the first.

What the others add is told with the next interval, a second later, or with the end."""


class Effects:
    """Turns records into rows and events. One per process; `handle` is called with one batch at a time."""

    def __init__(
        self,
        transactions: Transactions,
        prices: Prices,
        *,
        start_timeout_s: float,
        reservation_s: float = RESERVATION_S,
        policy: PolicyOf = anything_goes,
    ) -> None:
        self._transactions = transactions
        self._prices = prices
        self._start_timeout_s = start_timeout_s
        self._reservation_s = reservation_s
        self._policy = policy
        self._told: set[str] = set()
        self._told_until: datetime | None = None

    async def handle(self, batch: Sequence[Received[Any]]) -> None:
        """Carry out one batch.

        Raises:
            Retry: the database is away and nothing was stored; requests were denied, the rest comes again. Or it is
                busy: then all of it comes again, requests too, which are as well off in the log as in the queue.
        """
        try:
            async with self._transactions.begin(patiently=True) as work:
                await self._carry_out(work, batch)
        except DatabaseBusy as error:
            raise Retry(f"the database is busy: {error}") from error
        except DatabaseUnavailable as error:
            denied = [] if error.in_doubt else await self._deny_for_want_of_database(batch)
            raise Retry(f"the database is away: {error}", settled=denied) from error

    async def _carry_out(self, work: Work, batch: Sequence[Received[Any]]) -> None:
        telemetry: list[Received[Telemetry]] = [r for r in batch if isinstance(r.message, Telemetry)]
        others = [r for r in batch if not isinstance(r.message, Telemetry)]
        fresh = await inbox.take(work.transaction, tables.inbox, (_inbox_id(r) for r in others), work.now)
        statuses: list[Received[Status]] = []
        replies: list[Received[Reply]] = []
        requests: list[Received[DriverRequest]] = []
        for record in others:
            if _inbox_id(record) not in fresh:
                continue
            fresh.discard(_inbox_id(record))  # the same message twice in one batch counts once
            if isinstance(record.message, Status):
                statuses.append(record)
            elif isinstance(record.message, Reply):
                replies.append(record)
            else:
                requests.append(record)
        await work.load(
            cp_ids=[*(r.message.cp_id for r in statuses), *(r.message.cp_id for r in requests)],
            command_ids=[r.message.command_id for r in replies],
            session_ids=[r.message.session_id for r in telemetry] + _named_in(statuses),
        )
        await work.load(session_ids=[c.session_id for c in work.commands.values() if c.session_id])
        strangers = [r for r in telemetry if r.message.session_id not in work.sessions]
        await work.load(cp_ids=[r.message.cp_id for r in strangers])
        adoption = await Adoption.prepare(
            work,
            self._prices.history,
            statuses=[r.message for r in statuses],
            strangers=[r.message for r in strangers],
        )
        self._meter(work, [r for r in telemetry if r.message.session_id in work.sessions])
        of_engines = {r.message.cp_id for r in statuses if r.message.source is StatusSource.ENGINE}
        had = engines_among(work, of_engines)
        for status in statuses:
            handle_status(work, status, adoption)
        await announce_new_holders(work, had, of_engines)
        for interval in strangers:  # after the statuses, which say more of a session than an interval does
            if interval.message.session_id not in work.sessions:
                adoption.of_interval(interval.message)
        self._meter(work, strangers)
        await use_reservations(work, [r.message for r in statuses])
        await self._answer(work, replies)
        for request in requests:
            REQUESTS.inc()
            await handle_request(
                work,
                request,
                start_timeout_s=self._start_timeout_s,
                reservation_s=self._reservation_s,
                currency=self._prices.currency,
                policy=self._policy,
            )

    async def _answer(self, work: Work, replies: Sequence[Received[Reply]]) -> None:
        for reply in replies:
            handle_reply(work, reply)
        calls = [r for r in replies if _is_ocpp_call(work, r.message.command_id)]
        if calls:
            await answer_reservations(work, calls)

    def _meter(self, work: Work, telemetry: Sequence[Received[Telemetry]]) -> None:
        """Count intervals, and tell drivers of the newest of each session."""
        newest: dict[str, tuple[SessionRow, Received[Telemetry]]] = {}
        for received in telemetry:
            session = work.sessions.get(received.message.session_id)
            if session is None:
                OF_NO_SESSION.inc()
                continue
            currency = session.currency
            try:
                counted = apply_interval(session, received.message, self._prices.history, now=work.now)
            except (InvalidInterval, NoPrice) as error:
                INVALID.inc()
                log.error(  # noqa: TRY400 - the trace says nothing that the reason does not
                    "an interval cannot be billed", session_id=session.session_id, reason=str(error)
                )
                continue
            if not counted:
                DUPLICATE.inc()
                continue
            COUNTED.inc()
            work.metered(session)
            if session.currency != currency:
                work.changed(session)
            moment = received.message.interval_end
            if session.source == StatusSource.OCPP.value:
                moment = min(moment, work.now)  # stations' clocks may be wrong by years
            session.last_contact_at = max(session.last_contact_at or moment, moment)
            newest[session.session_id] = (session, received)
        for session, received in newest.values():
            if session.status != "ACTIVE" or close_if_settled(work, session, traceparent=received.traceparent):
                continue
            if self._may_tell(session, work.now):
                work.asides.append(self._update(session, received, work.now))

    def _may_tell(self, session: SessionRow, now: datetime) -> bool:
        if self._told_until is None or not self._told_until - TELL_EVERY <= now < self._told_until:
            self._told.clear()
            self._told_until = now + TELL_EVERY
        if session.session_id in self._told:
            return False
        self._told.add(session.session_id)
        return True

    def _update(self, session: SessionRow, received: Received[Telemetry], now: datetime) -> Event[Any]:
        return Event(
            DRIVER_UPDATES,
            progress(session, now=now, kw=received.message.kw),
            f"{received.id}:driver-update",
            self._transactions.source,
            received.traceparent,
        )

    async def _deny_for_want_of_database(self, batch: Sequence[Received[Any]]) -> list[Received[Any]]:
        """Tell drivers whose requests cannot be looked at; their records are settled by that and not delivered again.

        Cancelling is no request for energy: it waits for the database like everything else.
        """
        denied = []
        for received in batch:
            request = received.message
            if not isinstance(request, DriverRequest) or request.kind is RequestKind.CANCEL:
                continue
            update = denial(request, Denial.DATABASE_UNAVAILABLE, now=self._transactions.now())
            event = Event(
                DRIVER_UPDATES,
                update,
                derived_id(received.id, "driver-update:denied"),
                self._transactions.source,
                child_of(received.traceparent),
            )
            await (await self._transactions.bus.publish(event))
            DENIED_WITHOUT_DATABASE.inc()
            denied.append(received)
        return denied


def _inbox_id(received: Received[Any]) -> str:
    return f"{received.topic}:{received.id}"[:120]


def _named_in(statuses: Sequence[Received[Status]]) -> list[str]:
    """Every session that a status speaks of or that it shows on a connector."""
    named = [r.message.session_id for r in statuses]
    for received in statuses:
        detail = received.message.detail
        if detail is not None and detail.connectors is not None:
            named += [connector.session_id for connector in detail.connectors]
    return [session_id for session_id in named if session_id]


def _is_ocpp_call(work: Work, command_id: str) -> bool:
    command = work.commands.get(command_id)
    return command is not None and command.action == CommandAction.OCPP_CALL
