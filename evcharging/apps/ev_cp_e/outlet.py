"""The outlet of a charge point: its session, from one phase to the next. No clock, no CAN, no bus.

It is told what the charger says and which moment has come, and appends what is to be done to a list of effects. Who may
ask what is for `command_desk`, the state and its announcement for `standing`; the phases are in `phases`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from evcharging.apps.ev_cp_e.announcer import Announcer
from evcharging.apps.ev_cp_e.charger_watch import ChargerWatch
from evcharging.apps.ev_cp_e.effects import Effect, LimitOrder, Moment, Publish, StartOrder, StopOrder
from evcharging.apps.ev_cp_e.interval_pace import IntervalPace
from evcharging.apps.ev_cp_e.offer import CurrentOffer
from evcharging.apps.ev_cp_e.phases import (
    BOOT_WAIT_S,
    RUNNING,
    START_WAIT_S,
    Answer,
    Ending,
    Phase,
    Refusal,
    Starting,
)
from evcharging.apps.ev_cp_e.recovery import OpenSession, Past
from evcharging.apps.ev_cp_e.resumption import can_resume, session_of
from evcharging.apps.ev_cp_e.session import MeteredSession, SessionTerms, measured_kw
from evcharging.apps.ev_cp_e.session_clock import SessionClock
from evcharging.apps.ev_cp_e.standing import Standing
from evcharging.can.link import ChargerReadings
from evcharging.domain.charger import ChargerState
from evcharging.domain.end_reasons import EndReason
from evcharging.domain.energy import exact_wh
from evcharging.domain.states import ChargePointState

__all__ = ["Outlet"]


class Outlet:
    """One outlet. Made in BOOTING; `open` it, then tell it what happens.

    Args:
        cp_id: the charge point.
        terms: what holds for its sessions.
        charger: the latest readings, brought up to date by their owner before anything is told here.
        past: what the log says.
        announcer: makes the events.
        effects: where what is to be done is appended.
    """

    def __init__(
        self,
        cp_id: str,
        *,
        terms: SessionTerms,
        charger: ChargerReadings,
        past: Past,
        announcer: Announcer,
        effects: list[Effect],
    ) -> None:
        self.cp_id = cp_id
        self.terms = terms
        self.charger = charger
        self.offer = CurrentOffer(terms)
        self.standing = Standing(announcer, effects, stop_stands=past.stop_stands)
        self.phase = Phase.BOOTING
        self.silent = True
        """Whether nothing is heard from the charger."""
        self.session: MeteredSession | None = None
        self.solar_fraction = 0.0
        """The part of what flows that the sun gives, from 0 to 1."""
        self._past = past
        self._announcer = announcer
        self._effects = effects
        self._watch = ChargerWatch(charger, self.standing, effects)
        self._pace = IntervalPace(0.0)
        self._clock: SessionClock | None = None
        self._starting: Starting | None = None
        self._ending: Ending | None = None
        self._boot_by_s = math.inf
        self._leaving = False

    @property
    def power_kw(self) -> float:
        """What flows into the session under way, in kW."""
        return measured_kw(self.charger, self.terms.spec) if self.phase is Phase.SUPPLYING else 0.0

    @property
    def watches_current(self) -> bool:
        """Whether `charger_measured` makes a difference."""
        return self._clock is not None and self._clock.has_target

    @property
    def due_s(self) -> float:
        """When `tick` wants to be called, in monotonic seconds; infinity where nothing is awaited."""
        if self._starting is not None:
            return self._starting.due_s
        if self._ending is not None:
            return self._ending.deadline_s
        if self.phase is Phase.BOOTING:
            return self._boot_by_s
        return self._clock.due_s if self._clock is not None else math.inf

    def open(self, now: Moment) -> None:
        """Begin to wait for the charger."""
        self._boot_by_s = now.s + BOOT_WAIT_S

    def charger_said(self, now: Moment) -> None:
        """The charger's status came: the first one, one after a silence, or one that says something new."""
        self.silent = False
        running = self.charger.state in RUNNING
        if self._starting is not None:
            if running:
                self._supply(now, self._starting)
            elif self.charger.state is ChargerState.FAULTED:
                self._refuse_start(now, Refusal("faulted", f"the charger reports {self._watch.fault}"))
        elif self.phase is Phase.SUPPLYING and not running:
            self._ended_at_charger(now)
        elif self._ending is not None and not running:
            self._ending.contactor_open = True
        self._follow_charger(now)

    def charger_metered(self, now: Moment, *, hold: bool = False) -> None:
        """The charger's register came. With ``hold`` no interval is closed: the bus cannot take it for now."""
        if self.phase is Phase.BOOTING:
            if not self.silent:
                self._boot(now)
        elif self._ending is not None:
            if self._ending.contactor_open:
                self._finish(now, self._ending)
        elif self.session is not None and self._clock is not None:
            if self._pace.ends_with_reading(now.s) and not hold:
                self._close_interval(now, self.session)
            energy_wh = exact_wh(self.charger.register_wh or 0.0) - self.session.register_start_wh
            self._clock.metered(energy_wh, self.power_kw, now.s)
            self._end_if_due(now)
        else:
            self._follow_charger(now)
            if self.phase is Phase.IDLE and not self.silent:
                self._watch.heal(now)

    def charger_measured(self, now: Moment) -> None:
        """The charger's current came."""
        if self._clock is not None and self._clock.has_target:
            self._clock.flowing(self.power_kw, now.s)

    def charger_fell_silent(self, now: Moment, detail: str) -> None:
        """Nothing that can be believed comes from the charger any more."""
        self.silent = True
        if self._starting is not None:
            self._refuse_start(now, Refusal(EndReason.CHARGER_SILENT, f"the charger went silent: {detail}"))
        if self._ending is not None and self._ending.contactor_open:
            self._finish(now, self._ending)
        if self.phase in (Phase.SUPPLYING, Phase.ENDING):
            self._cut(now, EndReason.CHARGER_SILENT)
        elif self.phase is Phase.IDLE:
            self.standing.fail(now, EndReason.CHARGER_SILENT, detail=detail)

    def meter_fell(self, now: Moment) -> None:
        """The charger's register went back: it is another meter, and the session's own says no more."""
        if self.phase in (Phase.SUPPLYING, Phase.ENDING):
            self._effects.append(StopOrder())
            self._cut(now, EndReason.CHARGER_FAULT)

    def tick(self, now: Moment) -> None:
        """A moment has come; do what was due by now."""
        if self._starting is not None:
            self._wait_for_start(now, self._starting)
        elif self._ending is not None:
            self._wait_for_end(now, self._ending)
        elif self.phase is Phase.BOOTING:
            if now.s >= self._boot_by_s:
                self._boot(now)
        else:
            self._end_if_due(now)

    def begin(self, now: Moment, session: MeteredSession, answer: Answer) -> None:
        """Have the charger start ``session``. Call it in IDLE and ACTIVATED only."""
        self._order_start(now, session, answer, resumed=False)

    def end(self, now: Moment, reason: str, *, then: Callable[[Moment], None] | None = None) -> None:
        """Have the charger end the session that flows; ``then`` is called when that is said. In SUPPLYING only."""
        self._effects.append(StopOrder())
        self._await_end(Ending(now, reason, then=then))

    def limit_changed(self) -> None:
        """Have the charger offer what `offer` now comes to."""
        if self._starting is not None or self.phase is Phase.SUPPLYING:
            self._effects.append(LimitOrder(self.offer.amps))

    def leave(self, now: Moment) -> None:
        """End what flows and go out of reach. Done when the phase is GONE."""
        self._leaving = True
        if self._starting is not None:
            self._effects.append(StopOrder())
            self._refuse_start(now, Refusal(EndReason.SHUTDOWN, "the engine is being stopped"))
        if self.phase is Phase.SUPPLYING:
            self.end(now, EndReason.SHUTDOWN)
        elif self.phase in (Phase.BOOTING, Phase.IDLE):
            self._go(now)

    def _boot(self, now: Moment) -> None:
        """Say what became of the past, and come into service."""
        self.phase = Phase.IDLE
        previous = self._past.state or ChargePointState.DISCONNECTED
        lost = self._past.open_session
        if lost is not None and not self.silent and can_resume(self._past, self.charger, now):
            self.standing.boot(now, previous=previous)
            self._resume(now, lost)
            return
        if lost is not None:
            self._settle(now, lost)
        if self.silent or self.charger.register_wh is None:
            self.standing.fail(now, EndReason.CHARGER_SILENT, previous=previous, detail="not heard at the start")
            return
        self.standing.boot(now, previous=previous)
        self._follow_charger(now)

    def _resume(self, now: Moment, lost: OpenSession) -> None:
        def answer(moment: Moment, refusal: Refusal | None) -> None:
            if refusal is not None:
                self._settle(moment, lost)

        self._order_start(now, session_of(lost, cp_id=self.cp_id, terms=self.terms), answer, resumed=True)
        if self.charger.state in RUNNING and self._starting is not None:
            self._supply(now, self._starting)

    def _settle(self, now: Moment, lost: OpenSession) -> None:
        """Close a session that cannot go on, with what the register shows beyond its last interval."""
        session = session_of(lost, cp_id=self.cp_id, terms=self.terms)
        if not self.silent and exact_wh(self.charger.register_wh or 0.0) > lost.register_wh:
            self._close_interval(now, session)
        self.standing.end_lost(now, session)

    def _order_start(self, now: Moment, session: MeteredSession, answer: Answer, *, resumed: bool) -> None:
        self.phase = Phase.STARTING
        self._starting = Starting(now, session, answer, resumed=resumed)
        self._effects += (LimitOrder(self.offer.amps), StartOrder())

    def _wait_for_start(self, now: Moment, starting: Starting) -> None:
        if starting.ran_out(now):
            self._effects.append(StopOrder())
            told = f"the charger did not confirm a start within {START_WAIT_S:g} s"
            self._refuse_start(now, Refusal(EndReason.CHARGER_SILENT, told))
            self.standing.fail(now, EndReason.CHARGER_SILENT, detail=told)
        elif starting.to_be_repeated(now):
            self._effects.append(StartOrder())

    def _wait_for_end(self, now: Moment, ending: Ending) -> None:
        if not ending.ran_out(now):
            return
        if ending.contactor_open:
            self._finish(now, ending)
        else:
            self._cut(now, EndReason.CHARGER_SILENT)

    def _refuse_start(self, now: Moment, refusal: Refusal) -> None:
        starting, self._starting = self._starting, None
        self.phase = Phase.IDLE
        if starting is not None:
            starting.answer(now, refusal)

    def _supply(self, now: Moment, starting: Starting) -> None:
        session = starting.session
        if not starting.resumed:
            session.interval_start = now.wall
        self._starting = None
        self.session = session
        self.phase = Phase.SUPPLYING
        self._pace = IntervalPace(now.s)
        self._clock = SessionClock(
            started_s=now.s - session.elapsed_s,
            lasts_s=self.terms.session_seconds,
            target_wh=session.target_wh,
            energy_wh=session.energy_wh,
            now_s=now.s,
            time_scale=self.terms.time_scale,
        )
        starting.answer(now, None)
        self.standing.begin(now, session, resumed=starting.resumed)

    def _end_if_due(self, now: Moment) -> None:
        reason = self._clock.reason(now.s) if self._clock is not None else None
        if reason is not None:
            self.end(now, reason)

    def _ended_at_charger(self, now: Moment) -> None:
        """The charger ended the session of its own accord; its next reading of the register is the final one."""
        fault = self.charger.state is ChargerState.FAULTED
        if fault:
            reason = self._watch.fault
        else:
            full = self.charger.state is ChargerState.FINISHED
            reason = EndReason.BATTERY_FULL if full else EndReason.UNPLUGGED
        self._await_end(Ending(now, reason, fault=fault, contactor_open=True))

    def _await_end(self, ending: Ending) -> None:
        self.phase = Phase.ENDING
        self._clock = None
        self._ending = ending

    def _cut(self, now: Moment, reason: EndReason) -> None:
        """End the session here and now in FAULT, with the register as it was last heard."""
        ending = self._ending or Ending(now, reason)
        ending.reason, ending.fault = reason, True
        self._finish(now, ending)

    def _finish(self, now: Moment, ending: Ending) -> None:
        session, self.session = self.session, None
        self._clock = self._ending = None
        self.phase = Phase.IDLE
        if session is not None:
            self._close_interval(now, session)
            self.standing.end(now, session, ending.reason, fault=ending.fault)
        if ending.then is not None:
            ending.then(now)
        if self._leaving:
            self._go(now)
        else:
            self._follow_charger(now)

    def _close_interval(self, now: Moment, session: MeteredSession) -> None:
        self._pace.closed(now.s)
        # What a charger said before it fell silent is its register still, but no longer its current.
        readings = replace(self.charger, current_a=None) if self.silent else self.charger
        interval = session.close_interval(now.wall, readings, solar_fraction=self.solar_fraction)
        self._effects.append(Publish(self._announcer.telemetry(interval, session)))

    def _follow_charger(self, now: Moment) -> None:
        if self.phase is Phase.IDLE and not self.silent:
            self._watch.follow(now)

    def _go(self, now: Moment) -> None:
        self.phase = Phase.GONE
        self.standing.leave(now)
