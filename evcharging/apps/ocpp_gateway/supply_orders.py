"""Central's supply orders at a station: start, stop, out of service and back, limits. Each gives one outcome.

A start is stored before the station is asked, so that the transaction that comes from it is known for what it is, also
by another gateway, or after a restart.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from evcharging.apps.ocpp_gateway.announcements import Announcements
from evcharging.apps.ocpp_gateway.authorization import Authorization
from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, OpenTransaction
from evcharging.apps.ocpp_gateway.dialect import Dialect
from evcharging.apps.ocpp_gateway.station_calls import StationCalls
from evcharging.apps.ocpp_gateway.verdicts import Outcome, Refused, accepted
from evcharging.apps.ocpp_gateway.writes import Work, Writes
from evcharging.domain.authorization import id_tag_of_driver
from evcharging.domain.end_reasons import EndReason
from evcharging.domain.energy import WH_PER_KWH, exact_wh
from evcharging.domain.states import ChargePointState
from evcharging.messages.commands import Command, CommandAction, CommandOutcome
from evcharging.messages.envelope import Event
from evcharging.store.gateway import records, remote_starts
from evcharging.store.gateway import transactions as store
from evcharging.store.gateway.remote_starts import RemoteStartRow
from evcharging.store.gateway.transactions import TransactionRow

__all__ = ["START_HOLDS", "SupplyOrders"]

START_HOLDS: Final = timedelta(minutes=10)
"""So long a transaction may follow a start that a station accepted; its ConnectionTimeOut is its own."""
NUMBERS_TRIED: Final = 20
REFUSING: Final = {
    ChargePointState.STOPPED: "stopped",
    ChargePointState.FAULT: "faulted",
    ChargePointState.SUPPLYING: "busy",
}
LONGEST_REASON: Final = 64


class SupplyOrders:
    """Carries them out.

    Args:
        new_number: makes numbers for starts, from 1 to 2^31 - 1.
        send: puts an event on the bus; called in order, never waits.
    """

    def __init__(
        self,
        writes: Writes,
        calls: StationCalls,
        authorization: Authorization,
        announcements: Announcements,
        *,
        new_number: Callable[[], int],
        send: Callable[[Event[Any]], None],
    ) -> None:
        self._writes = writes
        self._calls = calls
        self._authorization = authorization
        self._announcements = announcements
        self._new_number = new_number
        self._send = send

    async def carry_out(self, point: ChargePoint, dialect: Dialect, command: Command) -> Outcome:
        """Do what the command says.

        Raises:
            Refused: it is not done, and why.
            StorageAway: the database was not there, and the station was not asked.
        """
        match command.action:
            case CommandAction.START_SUPPLY:
                carry_out = self._start
            case CommandAction.STOP_SUPPLY:
                carry_out = self._stop
            case CommandAction.STOP_CP | CommandAction.RESUME_CP:
                carry_out = self._serve
            case CommandAction.SET_LIMIT:
                carry_out = self._limit
            case CommandAction.INJECT:
                carry_out = self._inject
            case _:
                raise Refused("not_supported", f"{command.action.value} is no supply order")
        return await carry_out(point, dialect, command)

    async def end(self, point: ChargePoint, dialect: Dialect, transaction: OpenTransaction, reason: str) -> Outcome:
        """Ask a station to end a transaction, and note why, so that its end says so."""

        async def note(work: Work) -> None:
            await store.change(work.transaction, transaction.session_id, {"stop_requested": reason[:LONGEST_REASON]})

        transaction.stop_requested = reason[:LONGEST_REASON]
        await self._writes.do(note)
        return await self._calls.ask(point, dialect, dialect.stop(transaction.transaction_id))

    async def _start(self, point: ChargePoint, dialect: Dialect, command: Command) -> Outcome:
        session_id = _session_id(command)
        known = await self._known(session_id)
        if known is not None:
            return self._again(point, known)
        payload = command.payload or {}
        if payload.get("resume") is True:
            raise _unknown(session_id)
        target_wh = _target_wh(payload.get("kwh"))
        id_tag = command.id_tag or (id_tag_of_driver(command.driver_id) if command.driver_id else None)
        if id_tag is None:
            raise Refused("invalid_payload", "START_SUPPLY needs an id_tag or a driver_id")
        state = point.state_of(command.connector_id)
        if state in REFUSING:
            raise Refused(REFUSING[state], f"connector {command.connector_id} is {state.value}")
        order, waits_s = await self._note_start(command, session_id, id_tag, target_wh, dialect.vehicle_timeout_key)
        ask = dialect.start(
            id_tag=id_tag, connector_id=command.connector_id or None, remote_start_id=order.remote_start_id
        )
        outcome = await self._calls.ask(point, dialect, ask)
        if outcome.outcome is CommandOutcome.ACCEPTED:
            told = {} if waits_s is None else {"connection_timeout_s": waits_s}
            return accepted({**(outcome.payload or {}), **told}, record=outcome.record)

        async def withdraw(work: Work) -> None:
            # Whether a station that did not answer heard it is not known: should it begin, it is to end again.
            unheard = outcome.outcome in (CommandOutcome.TIMEOUT, CommandOutcome.NOT_CONNECTED)
            reason = EndReason.START_TIMEOUT.value if unheard else None
            await remote_starts.withdraw_remote_start(
                work.transaction, order.remote_start_id, stop_requested=reason, now=work.now
            )

        return Outcome(outcome.outcome, outcome.payload, outcome.error_code, outcome.error_description, record=withdraw)

    async def _note_start(
        self, command: Command, session_id: str, id_tag: str, target_wh: Decimal | None, timeout_key: str
    ) -> tuple[RemoteStartRow, int | None]:
        """The start as it is noted, and how many seconds its station will wait for the vehicle, where that is known."""

        async def effect(work: Work) -> tuple[RemoteStartRow, int | None]:
            waits_s = _seconds(await records.configured(work.transaction, command.cp_id, timeout_key))
            for _ in range(NUMBERS_TRIED):
                row = RemoteStartRow(
                    remote_start_id=self._new_number(),
                    command_id=command.command_id,
                    cp_id=command.cp_id,
                    connector_id=command.connector_id or None,
                    id_tag=id_tag,
                    session_id=session_id,
                    driver_id=command.driver_id,
                    target_wh=target_wh,
                    created_at=work.now,
                    expires_at=work.now + START_HOLDS,
                )
                if await remote_starts.add_remote_start(work.transaction, row):
                    return row, waits_s
            raise RuntimeError(f"no free number for a start in {NUMBERS_TRIED} tries, or {command.command_id} is known")

        row, waits_s = await self._writes.do(effect)
        self._authorization.expect(id_tag, row.expires_at)
        return row, waits_s

    async def _stop(self, point: ChargePoint, dialect: Dialect, command: Command) -> Outcome:
        session_id = _session_id(command)
        told = (command.payload or {}).get("reason")
        reason = told if isinstance(told, str) and told else EndReason.OPERATOR_STOP.value
        known = await self._known(session_id)
        if known is not None and known.stopped_at is not None:
            return self._again(point, known)
        transaction = point.transaction_of(session_id)
        if transaction is not None:
            return await self.end(point, dialect, transaction, reason)
        if await self._withdraw(session_id, reason):
            return accepted()  # it has not begun; should it, it is ended at once
        raise _unknown(session_id)

    async def _withdraw(self, session_id: str, reason: str) -> bool:
        async def effect(work: Work) -> bool:
            order = await remote_starts.find_remote_start(work.transaction, session_id)
            if order is None:
                return False
            await remote_starts.withdraw_remote_start(
                work.transaction, order.remote_start_id, stop_requested=reason[:LONGEST_REASON], now=work.now
            )
            return True

        return await self._writes.do(effect)

    async def _serve(self, point: ChargePoint, dialect: Dialect, command: Command) -> Outcome:
        operative = command.action is CommandAction.RESUME_CP
        if not operative:  # sessions end first; a station that did not stop them would wait for their ends
            for transaction in list(point.open.values()):
                if command.connector_id in (0, transaction.connector_id):
                    await self.end(point, dialect, transaction, EndReason.OPERATOR_STOP.value)
        return await self._calls.ask(point, dialect, dialect.serve(command.connector_id, operative=operative))

    async def _limit(self, point: ChargePoint, dialect: Dialect, command: Command) -> Outcome:
        if command.limit_amps is None:
            raise Refused("invalid_payload", "SET_LIMIT needs limit_amps, in A per phase")
        # At the highest level: of the defaults for a connector that one counts, whoever set others.
        told = await self._calls.ask(point, dialect, dialect.highest_level())
        level = dialect.level_told(told.payload or {}) if told.outcome is CommandOutcome.ACCEPTED else 0
        ask = dialect.limit(command.connector_id, command.limit_amps, stack_level=level)
        outcome = await self._calls.ask(point, dialect, ask)
        if outcome.outcome is CommandOutcome.ACCEPTED:
            return accepted({"limit_amps": round(command.limit_amps, 2)}, record=outcome.record)
        return outcome

    async def _inject(self, point: ChargePoint, dialect: Dialect, command: Command) -> Outcome:
        payload = dict(command.payload or {})
        kind = str(payload.pop("kind", ""))
        if not kind:
            raise Refused("invalid_payload", "INJECT needs a kind: unplug, plug, fault or clear")
        outcome = await self._calls.ask(point, dialect, dialect.inject(command.connector_id, kind, payload))
        if outcome.outcome is CommandOutcome.REJECTED:
            raise Refused("not_supported", f"the station does not act out {kind}: {outcome.error_description}")
        return outcome

    async def _known(self, session_id: str) -> TransactionRow | None:
        async def effect(work: Work) -> TransactionRow | None:
            return await store.find_by_session(work.transaction, session_id)

        return await self._writes.do(effect)

    def _again(self, point: ChargePoint, row: TransactionRow) -> Outcome:
        """The session is here already: say again how it stands, and that the order is carried out."""

        async def record(work: Work) -> None:
            ended = row.stopped_at is not None
            event = self._announcements.ended(point, row) if ended else self._announcements.begun(point, row)
            work.after_commit(lambda: self._send(event))

        return accepted(record=record)


def _session_id(command: Command) -> str:
    if not command.session_id:
        raise Refused("invalid_payload", f"{command.action.value} needs a session_id")
    return command.session_id


def _unknown(session_id: str) -> Refused:
    return Refused("unknown_session", f"no session {session_id!r} is known here")


def _seconds(told: str | None) -> int | None:
    """A number of seconds for which a start may be waited for; None where that was told otherwise, or not at all."""
    seconds = int(told) if told is not None and told.isascii() and told.isdecimal() else 0
    return seconds if 0 < seconds <= START_HOLDS.total_seconds() else None


def _target_wh(kwh: Any) -> Decimal | None:
    if kwh is None:
        return None
    if not isinstance(kwh, int | float) or isinstance(kwh, bool) or not 0 < kwh <= 1000:
        raise Refused("invalid_payload", f"kwh must be above 0 and up to 1000, got {str(kwh)[:40]!r}")
    return exact_wh(Decimal(str(kwh)) * WH_PER_KWH)
