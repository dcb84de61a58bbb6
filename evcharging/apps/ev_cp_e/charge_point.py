"""A charge point without clock, CAN or bus: what comes in, and what its shell is to do about it.

It joins the session (`outlet`), the rules for commands (`command_desk`) and what is said of both (`standing`,
`announcer`). Every input returns the effects it has, in the order in which they are to be carried out.
"""

from __future__ import annotations

from evcharging.apps.ev_cp_e.announcer import Announcer
from evcharging.apps.ev_cp_e.command_desk import CommandDesk, Refused
from evcharging.apps.ev_cp_e.effects import Effect, InjectOrder, Moment
from evcharging.apps.ev_cp_e.outlet import Outlet
from evcharging.apps.ev_cp_e.phases import Phase
from evcharging.apps.ev_cp_e.recovery import Past
from evcharging.apps.ev_cp_e.session import MeteredSession, SessionTerms
from evcharging.can.frames import InjectKind
from evcharging.can.link import ChargerReadings, LinkEvent, LinkEventKind
from evcharging.domain.charger import FaultCode
from evcharging.domain.site import Demand
from evcharging.domain.states import ChargePointState
from evcharging.messages.commands import Command
from evcharging.messages.envelope import Received

__all__ = ["ChargePoint"]


class ChargePoint:
    """One charge point with one outlet.

    Args:
        cp_id: its id.
        terms: what holds for its sessions.
        charger: the latest readings, kept up to date by the shell before it tells anything here.
        past: what the log says of earlier lives.
        source: names the engine on every event.
        boot_id: names this life of the engine; no two share one.
    """

    def __init__(
        self,
        cp_id: str,
        *,
        terms: SessionTerms,
        charger: ChargerReadings,
        past: Past,
        source: str,
        boot_id: str,
    ) -> None:
        self.cp_id = cp_id
        self._effects: list[Effect] = []
        announcer = Announcer(cp_id, source=source, boot_id=boot_id, ended=past.ended)
        self._outlet = Outlet(
            cp_id, terms=terms, charger=charger, past=past, announcer=announcer, effects=self._effects
        )
        self._desk = CommandDesk(self._outlet, announcer=announcer, effects=self._effects, answered=past.answered)

    @property
    def state(self) -> ChargePointState:
        """The state as it was last announced; DISCONNECTED before that."""
        return self._outlet.standing.state

    @property
    def phase(self) -> Phase:
        """How far its session is; see `phases`."""
        return self._outlet.phase

    @property
    def fault_reason(self) -> str | None:
        """Why it is in FAULT, None where it is not."""
        return self._outlet.standing.fault_reason

    @property
    def charger_silent(self) -> bool:
        """Whether nothing is heard from the charger."""
        return self._outlet.silent

    @property
    def session(self) -> MeteredSession | None:
        """The session under way, to look at."""
        return self._outlet.session

    @property
    def power_kw(self) -> float:
        """What flows into it, in kW."""
        return self._outlet.power_kw

    @property
    def watches_current(self) -> bool:
        """Whether `measured` makes a difference."""
        return self._outlet.watches_current

    @property
    def limit_amps(self) -> float:
        """What is offered to a vehicle, in A per phase."""
        return self._outlet.offer.amps

    @property
    def demand(self) -> Demand:
        """What it would offer if the site had no limit."""
        return self._outlet.offer.demand

    @property
    def due_s(self) -> float:
        """When to `tick`, in monotonic seconds; infinity where nothing is awaited."""
        return self._outlet.due_s

    def open(self, now: Moment) -> list[Effect]:
        """Begin to wait for the charger; commands wait until it is heard or given up."""
        self._outlet.open(now)
        return self._done(now)

    def news(self, event: LinkEvent, now: Moment) -> list[Effect]:
        """The charger's status changed, fell silent or came back, or its meter was replaced."""
        match event.kind:
            case LinkEventKind.HEARD | LinkEventKind.STATUS:
                self._outlet.charger_said(now)
            case LinkEventKind.SILENT:
                self._outlet.charger_fell_silent(now, event.detail or "no reason given")
            case LinkEventKind.METER_FELL:
                self._outlet.meter_fell(now)
        return self._done(now)

    def metered(self, now: Moment, *, solar_fraction: float = 0.0, hold: bool = False) -> list[Effect]:
        """The charger's register was read; ``solar_fraction`` is the part of what flows that the sun gives.

        With ``hold`` the bus cannot take telemetry for now: the interval stays open and holds all that flows.
        """
        self._outlet.solar_fraction = solar_fraction
        self._outlet.charger_metered(now, hold=hold)
        return self._done(now)

    def measured(self, now: Moment) -> list[Effect]:
        """The charger's current was read."""
        self._outlet.charger_measured(now)
        return self._done(now)

    def tick(self, now: Moment) -> list[Effect]:
        """A moment has come that `due_s` asked for, or any other."""
        self._outlet.tick(now)
        return self._done(now)

    def command(self, received: Received[Command], now: Moment, *, replayed: bool = False) -> list[Effect]:
        """A command came; see `CommandDesk.take`."""
        self._desk.take(received, now, replayed=replayed)
        return self._done(now)

    def share(self, site_kw: float | None, now: Moment) -> list[Effect]:
        """The site's limit leaves this much for its session; None: the site has no limit."""
        if site_kw != self._outlet.offer.site_kw:
            self._outlet.offer.site_kw = site_kw
            self._outlet.limit_changed()
        return self._done(now)

    def inject(self, kind: InjectKind, fault_code: FaultCode, now: Moment) -> list[Effect]:
        """Somebody on the spot does something at the cable or to the hardware.

        Raises:
            Refused: the charger is not heard.
        """
        if self._outlet.silent:
            raise Refused("charger_silent", "the charger is not heard; it cannot be told anything")
        self._effects.append(InjectOrder(kind, fault_code))
        return self._done(now)

    def end_session(self, reason: str, now: Moment) -> list[Effect]:
        """Somebody on the spot ends the session.

        Raises:
            Refused: none flows; names the state.
        """
        if self._outlet.phase is not Phase.SUPPLYING:
            raise Refused("no_session", f"{self.cp_id} is {self.state.value}: there is no session to end")
        self._outlet.end(now, reason)
        return self._done(now)

    def leave(self, now: Moment) -> list[Effect]:
        """Be stopped in good order: end the session, go out of reach. Done when `phase` is GONE."""
        self._desk.close(now)
        self._outlet.leave(now)
        return self._done(now)

    def _done(self, now: Moment) -> list[Effect]:
        self._desk.go_on(now)
        effects = self._effects[:]
        self._effects.clear()
        return effects
