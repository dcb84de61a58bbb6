"""Central's commands at one charge point: each carried out at most once, in time or not at all, and always answered.

A command that comes while a session is being started or ended waits the few milliseconds that takes. One that was
answered gets the same answer again. Refusals name the state that stands in the way. How a session is started or ended
is for `outlet`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from evcharging.apps.ev_cp_e.announcer import Announcer, Recent
from evcharging.apps.ev_cp_e.effects import Effect, InjectOrder, Moment, Publish
from evcharging.apps.ev_cp_e.outlet import Outlet
from evcharging.apps.ev_cp_e.phases import RUNNING, Phase, Refusal
from evcharging.apps.ev_cp_e.session import MeteredSession
from evcharging.can.frames import InjectKind
from evcharging.domain.charger import FaultCode
from evcharging.domain.end_reasons import EndReason
from evcharging.domain.energy import WH_PER_KWH, exact_wh
from evcharging.domain.states import WHOLE_CHARGE_POINT, ChargePointState, IllegalTransition
from evcharging.messages.commands import Command, CommandAction, CommandOutcome, Reply
from evcharging.messages.envelope import Event, Received, expired

__all__ = ["CommandDesk", "Refused", "parse_injection"]

MOST_WAITING: Final = 100
COMMANDS_REMEMBERED: Final = 128
"""Answers of one charge point that can be given again; a command that came longer ago has expired."""
BUSY_CODES: Final = {
    ChargePointState.SUPPLYING: "busy",
    ChargePointState.STOPPED: "stopped",
    ChargePointState.FAULT: "faulted",
    ChargePointState.DISCONNECTED: "disconnected",
}


class Refused(Exception):
    """What was asked is not done. ``refusal`` says why."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.refusal = Refusal(code, description)


class CommandDesk:
    """Takes the commands for one charge point.

    Args:
        outlet: what they are about.
        announcer: makes the replies, and has what can be told again.
        effects: where replies and orders are appended.
        answered: replies of earlier lives of the engine, by command.
    """

    def __init__(
        self, outlet: Outlet, *, announcer: Announcer, effects: list[Effect], answered: Mapping[str, Event[Reply]]
    ) -> None:
        self._outlet = outlet
        self._announcer = announcer
        self._effects = effects
        self._answered = Recent(answered, most=COMMANDS_REMEMBERED)
        self._waiting: deque[Received[Command]] = deque()
        self._in_hand: set[str] = set()
        """Commands that have come and are not answered yet."""

    def take(self, received: Received[Command], now: Moment, *, replayed: bool = False) -> None:
        """Deal with one command. ``replayed``: the log had it before this engine; answered ones are left alone."""
        command = received.message
        known = self._answered.get(command.command_id)
        if known is not None:
            if not replayed:
                self._effects.append(Publish(known, again=True))
        elif command.command_id in self._in_hand:
            return
        elif self._unsettled and len(self._waiting) >= MOST_WAITING:
            self._refuse(now, received, Refusal("overloaded", f"{MOST_WAITING} commands wait already; try again"))
        else:
            self._in_hand.add(command.command_id)
            self._waiting.append(received)
            self.go_on(now)

    def go_on(self, now: Moment) -> None:
        """Carry out what waits, as far as nothing is under way."""
        while self._waiting and not self._unsettled:
            received = self._waiting.popleft()
            try:
                self._carry_out(received, now)
            except Refused as refused:
                self._refuse(now, received, refused.refusal)
            except IllegalTransition as illegal:
                self._refuse(now, received, Refusal("illegal_transition", str(illegal)))

    def close(self, now: Moment) -> None:
        """Refuse what still waits: the engine is being stopped."""
        while self._waiting:
            self._refuse(now, self._waiting.popleft(), Refusal(EndReason.SHUTDOWN, "the engine is being stopped"))

    @property
    def _unsettled(self) -> bool:
        return self._outlet.phase in (Phase.BOOTING, Phase.STARTING, Phase.ENDING)

    def _carry_out(self, received: Received[Command], now: Moment) -> None:
        command = received.message
        if expired(command.expires_at, now.wall):
            self._answer(now, received, CommandOutcome.EXPIRED, error_description="it came too late and was not done")
            return
        if command.connector_id not in (WHOLE_CHARGE_POINT, 1):
            raise Refused("unknown_connector", f"there is connector 1 only, got {command.connector_id}")
        match command.action:
            case CommandAction.START_SUPPLY:
                self._start(received, now)
            case CommandAction.STOP_SUPPLY:
                self._stop(received, now)
            case CommandAction.STOP_CP:
                self._stop_charge_point(received, now)
            case CommandAction.RESUME_CP:
                self._outlet.standing.resume(now, cause=command.command_id, traceparent=received.traceparent)
                self._accept(now, received)
            case CommandAction.SET_LIMIT:
                self._set_limit(received, now)
            case CommandAction.INJECT:
                kind, code = parse_injection(command.payload or {})
                self._require_charger()
                self._effects.append(InjectOrder(kind, code))
                self._accept(now, received)
            case CommandAction.OCPP_CALL:
                raise Refused("not_supported", "this charge point speaks no OCPP")

    def _start(self, received: Received[Command], now: Moment) -> None:
        command = received.message
        session_id = _session_id(command)
        outlet = self._outlet
        payload = command.payload or {}
        ended = self._announcer.ended.get(session_id)
        if outlet.session is not None and outlet.session.session_id == session_id:
            if self._announcer.supplying is not None:
                outlet.standing.say_again(self._announcer.supplying)
            self._accept(now, received)
            return
        if ended is not None:
            outlet.standing.say_again(ended)
            self._accept(now, received)
            return
        if payload.get("resume") is True:
            raise _unknown(session_id)
        state = outlet.standing.state
        if state is not ChargePointState.ACTIVATED:
            outlet_says = IllegalTransition(state, ChargePointState.SUPPLYING, _remedy(state, outlet))
            raise Refused(BUSY_CODES[state], str(outlet_says))
        if outlet.charger.state in RUNNING:
            raise Refused("busy", f"{state.value}, but the charger has not ended what it did before; try again")
        session = MeteredSession(
            session_id=session_id,
            driver_id=command.driver_id,
            cp_id=outlet.cp_id,
            terms=outlet.terms,
            register_start_wh=exact_wh(outlet.charger.register_wh or 0.0),
            started_at=now.wall,
            target_wh=_target_wh(payload),
            traceparent=received.traceparent,
        )

        def answer(moment: Moment, refusal: Refusal | None) -> None:
            if refusal is None:
                self._accept(moment, received)
            else:
                self._refuse(moment, received, refusal)

        outlet.begin(now, session, answer)

    def _stop(self, received: Received[Command], now: Moment) -> None:
        command = received.message
        session_id = _session_id(command)
        ended = self._announcer.ended.get(session_id)
        if self._outlet.session is not None and self._outlet.session.session_id == session_id:
            reason = (command.payload or {}).get("reason")
            self._outlet.end(now, reason[:64] if isinstance(reason, str) and reason else EndReason.OPERATOR_STOP)
        elif ended is not None:
            self._outlet.standing.say_again(ended)
        else:
            raise _unknown(session_id)
        self._accept(now, received)

    def _stop_charge_point(self, received: Received[Command], now: Moment) -> None:
        def stop(moment: Moment) -> None:
            cause = received.message.command_id
            self._outlet.standing.stop(moment, cause=cause, traceparent=received.traceparent)
            self._accept(moment, received)

        if self._outlet.phase is Phase.SUPPLYING:
            self._outlet.end(now, EndReason.OPERATOR_STOP, then=stop)
        else:
            stop(now)

    def _set_limit(self, received: Received[Command], now: Moment) -> None:
        limit_amps = received.message.limit_amps
        if limit_amps is None:
            raise Refused("invalid_payload", "SET_LIMIT needs limit_amps, in A per phase")
        outlet = self._outlet
        if outlet.offer.exceeds_rating(limit_amps):
            rated_amps = outlet.terms.spec.rated_amps
            outlet.standing.warn(
                now, "limit_above_rating", f"a limit of {limit_amps:g} A was clamped to the rated {rated_amps:g} A"
            )
        outlet.offer.commanded_amps = limit_amps
        outlet.limit_changed()
        self._accept(now, received, {"limit_amps": round(outlet.offer.amps, 2)})

    def _require_charger(self) -> None:
        if self._outlet.silent:
            raise Refused(EndReason.CHARGER_SILENT, "the charger is not heard; it cannot be told anything")

    def _accept(self, now: Moment, received: Received[Command], payload: dict[str, Any] | None = None) -> None:
        self._answer(now, received, CommandOutcome.ACCEPTED, payload=payload)

    def _refuse(self, now: Moment, received: Received[Command], refusal: Refusal) -> None:
        self._answer(
            now,
            received,
            CommandOutcome.REJECTED,
            error_code=str(refusal.code),
            error_description=refusal.description,
        )

    def _answer(self, now: Moment, received: Received[Command], outcome: CommandOutcome, **told: Any) -> None:
        command = received.message
        event = self._announcer.reply(now, command, outcome, traceparent=received.traceparent, **told)
        self._in_hand.discard(command.command_id)
        self._answered.keep(command.command_id, event)
        self._effects.append(Publish(event))


def parse_injection(payload: Mapping[str, Any]) -> tuple[InjectKind, FaultCode]:
    """Read ``{kind, code?}``; a fault without a code is a ground fault.

    Raises:
        Refused: the kind or the code is none there is; lists those there are.
    """
    kind, code = str(payload.get("kind", "")).upper(), str(payload.get("code") or FaultCode.GROUND_FAULT).upper()
    if kind not in InjectKind.__members__:
        raise Refused("invalid_payload", f"kind {kind.lower()!r}: expected {', '.join(InjectKind.__members__).lower()}")
    if InjectKind[kind] is not InjectKind.FAULT:
        return InjectKind[kind], FaultCode.NONE
    faults = [fault.value for fault in FaultCode if fault is not FaultCode.NONE]
    if code not in faults:
        raise Refused("invalid_payload", f"code {code.lower()!r}: expected {', '.join(faults).lower()}")
    return InjectKind.FAULT, FaultCode(code)


def _session_id(command: Command) -> str:
    if not command.session_id:
        raise Refused("invalid_payload", f"{command.action.value} needs a session_id")
    return command.session_id


def _target_wh(payload: Mapping[str, Any]) -> Decimal | None:
    kwh = payload.get("kwh")
    if kwh is None:
        return None
    if not isinstance(kwh, int | float) or isinstance(kwh, bool) or not 0 < kwh <= 1000:
        raise Refused("invalid_payload", f"kwh must be above 0 and up to 1000, got {str(kwh)[:40]!r}")
    return exact_wh(Decimal(str(kwh)) * WH_PER_KWH)


def _unknown(session_id: str) -> Refused:
    return Refused("unknown_session", f"no session {session_id!r} is known here")


def _remedy(state: ChargePointState, outlet: Outlet) -> str:
    if state is ChargePointState.SUPPLYING and outlet.session is not None:
        return f"session {outlet.session.session_id} is under way"
    if state is ChargePointState.FAULT:
        return f"the fault must be over first: {outlet.standing.fault_reason}"
    return "it is out of service"
