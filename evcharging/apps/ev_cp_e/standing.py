"""How a charge point stands, and saying so: every move of its state is made here, and published as it is made.

The rules are `evcharging.domain.states`; this adds the reasons, the session a move begins or ends, the administrative
stop that every status repeats for as long as it stands, and the alert that a fault raises and its healing ends.
"""

from __future__ import annotations

from evcharging.apps.ev_cp_e.announcer import Announcer
from evcharging.apps.ev_cp_e.effects import Effect, Moment, Note, Publish
from evcharging.apps.ev_cp_e.session import MeteredSession
from evcharging.domain.end_reasons import EndReason, SessionStatus
from evcharging.domain.states import ChargePointState, ConnectorState
from evcharging.messages.charge_points import Alert, Severity, Status
from evcharging.messages.envelope import Event

__all__ = ["Standing"]


class Standing:
    """The state of one charge point from its boot on.

    Args:
        announcer: makes the events.
        effects: where they are appended, to be published in order.
        stop_stands: whether an administrative stop is in force.
    """

    def __init__(self, announcer: Announcer, effects: list[Effect], *, stop_stands: bool) -> None:
        self.fault_reason: str | None = None
        """Why it is in FAULT, None where it is not."""
        self._announcer = announcer
        self._effects = effects
        self._connector = ConnectorState(stop_stands=stop_stands)
        self._alert: Event[Alert] | None = None

    @property
    def state(self) -> ChargePointState:
        """The state now; DISCONNECTED until `boot` or a fault."""
        return self._connector.state

    def boot(self, now: Moment, *, previous: ChargePointState) -> None:
        """Come into service, or back to the stop that stands. ``previous`` is what the world took it for."""
        self._connector.connect()
        self._say(now, previous, "boot")

    def begin(self, now: Moment, session: MeteredSession, *, resumed: bool) -> None:
        """A session flows."""
        self._connector.begin_supply()
        self._publish(self._announcer.begun(now, session, resumed=resumed))
        whom = session.driver_id or "an unnamed driver"
        self._note(f"Charging session {'resumed' if resumed else 'started'} for {whom}")

    def end(self, now: Moment, session: MeteredSession, reason: str, *, fault: bool) -> None:
        """A session is over, all its intervals published; a fault leaves FAULT behind."""
        if fault:
            self._connector.fail()
            self.fault_reason = reason
        else:
            self._connector.end_supply()
        self._publish_end(now, session, reason)
        if fault:
            self._raise_alarm(now, reason, f"it cut {session.session_id} short")

    def end_lost(self, now: Moment, session: MeteredSession) -> None:
        """A session of an earlier life is over; said before `boot`."""
        self._publish_end(now, session, EndReason.ENGINE_LOST, state=ChargePointState.ACTIVATED)

    def fail(self, now: Moment, reason: str, *, previous: ChargePointState | None = None, detail: str) -> None:
        """Go to FAULT, or stay there for another reason."""
        if self.fault_reason == reason:
            return
        transition = self._connector.fail()
        self.fault_reason = reason
        self._say(now, previous or (transition.previous if transition else self.state), reason)
        self._end_alarm(now)
        self._raise_alarm(now, reason, detail)

    def heal(self, now: Moment) -> None:
        """Leave FAULT."""
        healed, self.fault_reason = self.fault_reason, None
        transition = self._connector.heal()
        self._say(now, transition.previous, "healed")
        self._end_alarm(now)
        self._note(f"Fault over: {healed}")

    def stop(self, now: Moment, *, cause: str, traceparent: str | None) -> None:
        """Take out of service by an operator's order; in a fault it counts once that is over.

        Raises:
            IllegalTransition: from SUPPLYING or STOPPED.
        """
        previous = self.state
        self._connector.stop()
        self._say(now, previous, self.fault_reason or "operator_stop", cause=cause, traceparent=traceparent)

    def resume(self, now: Moment, *, cause: str, traceparent: str | None) -> None:
        """Put back into service; in a fault the stop is forgotten.

        Raises:
            IllegalTransition: from SUPPLYING or ACTIVATED.
        """
        previous = self.state
        self._connector.resume()
        self._say(
            now,
            previous,
            self.fault_reason or "operator_resume",
            cause=cause,
            traceparent=traceparent,
            administrative_stop=False,
        )

    def leave(self, now: Moment) -> None:
        """Go out of reach, in good order."""
        transition = self._connector.disconnect()
        if transition is not None:
            self._say(now, transition.previous, EndReason.SHUTDOWN)

    def say_again(self, event: Event[Status]) -> None:
        """Announce an old status once more, and after it the last one, which must stay the last."""
        self._effects.append(Publish(event, again=True))
        last = self._announcer.last_status
        if last is not None and last is not event:
            self._effects.append(Publish(last, again=True))

    def warn(self, now: Moment, kind: str, detail: str) -> None:
        """Have an operator look at something that is no fault."""
        self._publish(self._announcer.alert(now, kind, Severity.WARNING, detail))
        self._note(detail, warning=True)

    def _say(
        self,
        now: Moment,
        previous: ChargePointState,
        reason: str,
        *,
        cause: str | None = None,
        traceparent: str | None = None,
        administrative_stop: bool | None = None,
    ) -> None:
        event = self._announcer.status(
            now,
            state=self.state,
            previous=previous,
            reason=str(reason),
            cause=cause,
            traceparent=traceparent,
            administrative_stop=self._connector.stop_stands or administrative_stop,
            fault_code=self.fault_reason,
        )
        self._publish(event)

    def _publish_end(
        self, now: Moment, session: MeteredSession, reason: str, *, state: ChargePointState | None = None
    ) -> None:
        event = self._announcer.end(
            now,
            session,
            state=state or self.state,
            reason=str(reason),
            administrative_stop=self._connector.stop_stands or None,
            fault_code=self.fault_reason,
        )
        self._publish(event)
        completed = reason in _COMPLETED
        self._note(
            f"Session {'completed' if completed else f'ended ({reason})'}. "
            f"Total: {session.kwh:.2f} kWh, €{session.euros:.2f}",
            warning=not completed and reason != EndReason.DRIVER_CANCEL,
        )

    def _raise_alarm(self, now: Moment, reason: str, detail: str) -> None:
        self._alert = self._announcer.alert(now, reason, Severity.CRITICAL, detail)
        self._publish(self._alert)
        self._note(f"Fault: {reason} ({detail})", warning=True)

    def _end_alarm(self, now: Moment) -> None:
        if self._alert is not None:
            self._publish(self._announcer.alert_over(now, self._alert))
            self._alert = None

    def _publish(self, event: Event[Status] | Event[Alert]) -> None:
        self._effects.append(Publish(event))

    def _note(self, text: str, *, warning: bool = False) -> None:
        self._effects.append(Note(text, warning))


_COMPLETED = frozenset(reason for reason in EndReason if reason.status is SessionStatus.COMPLETED)
