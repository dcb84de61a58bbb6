"""The events of one charge point: what it publishes, under which ids, and what it can say again.

An id follows from its cause, so that saying something again, also after a restart, is the same event. It keeps what was
said of the last sessions and commands, so many and no more.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

from evcharging.apps.ev_cp_e.effects import Moment
from evcharging.apps.ev_cp_e.session import CONNECTOR_ID, MeteredSession
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Alert, Severity, Status, StatusDetail, StatusSource, Telemetry
from evcharging.messages.commands import Command, CommandOutcome, Reply
from evcharging.messages.envelope import Event, derived_id
from evcharging.messages.topics import ALERTS, REPLIES, STATUS, TELEMETRY

__all__ = ["SESSIONS_REMEMBERED", "Announcer", "Recent"]

SESSIONS_REMEMBERED: Final = 32
"""Of one charge point. A command about a session lives a minute at most."""

V = TypeVar("V")


class Recent(Generic[V]):
    """The last few values by key; the oldest give way."""

    def __init__(self, known: Mapping[str, V], *, most: int) -> None:
        self._most = most
        self._values: OrderedDict[str, V] = OrderedDict()
        for key, value in known.items():
            self.keep(key, value)

    def keep(self, key: str, value: V) -> None:
        """Remember ``value`` as the latest."""
        self._values.pop(key, None)
        self._values[key] = value
        if len(self._values) > self._most:
            self._values.popitem(last=False)

    def get(self, key: str) -> V | None:
        """The value, None where there is none (any more)."""
        return self._values.get(key)


class Announcer:
    """Makes the events of one charge point.

    Args:
        cp_id: the charge point.
        source: names the engine.
        boot_id: names this life of the engine; ids of what no command or session caused follow from it.
        ended: end statuses of earlier lives, by session.
    """

    def __init__(self, cp_id: str, *, source: str, boot_id: str, ended: Mapping[str, Event[Status]]) -> None:
        self.last_status: Event[Status] | None = None
        self.supplying: Event[Status] | None = None
        """The status that began the session under way."""
        self.ended = Recent(ended, most=SESSIONS_REMEMBERED)
        self._cp_id = cp_id
        self._source = source
        self._boot = f"{boot_id}:{cp_id}"
        self._said = 0

    def status(
        self,
        now: Moment,
        *,
        state: ChargePointState,
        previous: ChargePointState,
        reason: str | None,
        cause: str | None = None,
        session: MeteredSession | None = None,
        traceparent: str | None = None,
        **detail: Any,
    ) -> Event[Status]:
        """A status. ``cause`` makes its id; without one it is an event of its own. Unset details are left out."""
        told = {name: value for name, value in detail.items() if value is not None}
        status = Status(
            ts=now.wall,
            cp_id=self._cp_id,
            connector_id=CONNECTOR_ID,
            state=state,
            previous_state=previous,
            reason=reason,
            session_id=session.session_id if session is not None else None,
            source=StatusSource.ENGINE,
            detail=StatusDetail(**told) if told else None,
        )
        if traceparent is None and session is not None:
            traceparent = session.traceparent
        event = Event(STATUS, status, derived_id(cause or self._own_cause(), "cp.status"), self._source, traceparent)
        self.last_status = event
        return event

    def begun(self, now: Moment, session: MeteredSession, *, resumed: bool) -> Event[Status]:
        """The status that a session flows, with all that another life needs to go on with it."""
        self.supplying = self.status(
            now,
            state=ChargePointState.SUPPLYING,
            previous=ChargePointState.ACTIVATED,
            reason="resumed" if resumed else None,
            cause=f"{self._boot}:{session.session_id}:resumed" if resumed else f"{session.session_id}:begun",
            session=session,
            register_start_wh=float(session.register_start_wh),
            driver_id=session.driver_id,
            target_wh=float(session.target_wh) if session.target_wh is not None else None,
            elapsed_s=round(session.elapsed_s, 3),
        )
        return self.supplying

    def end(
        self, now: Moment, session: MeteredSession, *, state: ChargePointState, reason: str, **detail: Any
    ) -> Event[Status]:
        """The status that a session is over; it is remembered."""
        event = self.status(
            now,
            state=state,
            previous=ChargePointState.SUPPLYING,
            reason=reason,
            cause=f"{session.session_id}:ended",
            session=session,
            last_seq=session.last_seq,
            register_start_wh=float(session.register_start_wh),
            register_end_wh=float(session.register_wh),
            **detail,
        )
        self.supplying = None
        self.ended.keep(session.session_id, event)
        return event

    def telemetry(self, interval: Telemetry, session: MeteredSession) -> Event[Telemetry]:
        """One interval of a session."""
        return Event(TELEMETRY, interval, interval.body_id(), self._source, session.traceparent)

    def reply(
        self,
        now: Moment,
        command: Command,
        outcome: CommandOutcome,
        *,
        traceparent: str | None,
        payload: dict[str, Any] | None = None,
        error_code: str | None = None,
        error_description: str | None = None,
    ) -> Event[Reply]:
        """The answer to a command."""
        reply = Reply(
            ts=now.wall,
            command_id=command.command_id,
            cp_id=self._cp_id,
            outcome=outcome,
            payload=payload,
            error_code=error_code,
            error_description=error_description,
        )
        return Event(REPLIES, reply, reply.body_id() or command.command_id, self._source, traceparent)

    def alert(self, now: Moment, kind: str, severity: Severity, detail: str) -> Event[Alert]:
        """Something an operator should look at, from now on."""
        alert = Alert(
            ts=now.wall,
            alert_id=derived_id(self._own_cause(), "cp.alerts"),
            cp_id=self._cp_id,
            kind=kind,
            severity=severity,
            detail=detail,
            detector="engine",
            started_at=now.wall,
            source="engine",
        )
        return Event(ALERTS, alert, alert.alert_id, self._source)

    def alert_over(self, now: Moment, event: Event[Alert]) -> Event[Alert]:
        """The same alert, ended."""
        alert = event.message.model_copy(update={"ts": now.wall, "ended_at": now.wall})
        return Event(ALERTS, alert, derived_id(alert.alert_id, "ended"), self._source)

    def _own_cause(self) -> str:
        self._said += 1
        return f"{self._boot}:{self._said}"
