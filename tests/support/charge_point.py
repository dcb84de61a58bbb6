"""A charge point on a bench: the test is its charger, its Central and its clock."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from evcharging.apps.ev_cp_e.charge_point import ChargePoint
from evcharging.apps.ev_cp_e.effects import Effect, Moment, Note, Publish
from evcharging.apps.ev_cp_e.recovery import Memory, Past
from evcharging.apps.ev_cp_e.session import SessionTerms
from evcharging.can.link import ChargerReadings, LinkEvent, LinkEventKind
from evcharging.domain.charger import L2_THREE_PHASE, ChargerState, FaultCode
from evcharging.messages.charge_points import Alert, Status, Telemetry
from evcharging.messages.commands import Command, CommandAction, Reply
from evcharging.messages.envelope import Event, Received

__all__ = ["NOON", "Bench", "past_of"]

NOON = datetime(2025, 10, 13, 12, 0, tzinfo=UTC)
M = TypeVar("M")


def past_of(events: Iterable[Event[Any]], cp_id: str = "CP-001") -> Past:
    """What the next engine reads of ``events``, as they are on the wire."""
    memory = Memory([cp_id], source="engine/next")
    for offset, event in enumerate(events):
        decoded = event.topic.model.from_json(event.body)
        memory.take(Received(decoded, event.id, event.topic.name, 0, offset, event.traceparent, 0))
    return memory.past_of(cp_id)


class Bench:
    """Everything that went in and came out of one `ChargePoint`."""

    def __init__(
        self,
        *,
        past: Past | None = None,
        session_seconds: float = 10.0,
        kw_rate: float = 22.0,
        time_scale: float = 1.0,
        wall: datetime = NOON,
    ) -> None:
        self.charger = ChargerReadings(voltage_v=230.9, current_a=0.0)
        self.effects: list[Effect] = []
        self.now = Moment(wall, 100.0)
        self.terms = SessionTerms(
            spec=L2_THREE_PHASE,
            kw_rate=kw_rate,
            euro_rate=Decimal("0.30"),
            session_seconds=session_seconds,
            time_scale=time_scale,
        )
        self.point = ChargePoint(
            "CP-001",
            terms=self.terms,
            charger=self.charger,
            past=past or Past(),
            source="engine/bench",
            boot_id="boot-1",
        )
        self._numbers = itertools.count(1)
        self.effects += self.point.open(self.now)

    # What came out

    @property
    def orders(self) -> list[Effect]:
        """What the charger was told."""
        return [effect for effect in self.effects if not isinstance(effect, Publish | Note)]

    @property
    def notes(self) -> list[str]:
        """What was logged."""
        return [effect.text for effect in self.effects if isinstance(effect, Note)]

    @property
    def events(self) -> list[Event[Any]]:
        """What was published."""
        return [effect.event for effect in self.effects if isinstance(effect, Publish)]

    def messages(self, kind: type[M]) -> list[M]:
        """The published messages of one kind."""
        return [event.message for event in self.events if isinstance(event.message, kind)]

    @property
    def statuses(self) -> list[Status]:
        """The published statuses."""
        return self.messages(Status)

    @property
    def status(self) -> Status:
        """The last of them."""
        return self.statuses[-1]

    @property
    def telemetry(self) -> list[Telemetry]:
        """The published intervals."""
        return self.messages(Telemetry)

    @property
    def replies(self) -> list[Reply]:
        """The published replies."""
        return self.messages(Reply)

    @property
    def reply(self) -> Reply:
        """The last of them."""
        return self.replies[-1]

    @property
    def alerts(self) -> list[Alert]:
        """The published alerts."""
        return self.messages(Alert)

    def forget(self) -> None:
        """Look only at what comes from here on."""
        self.effects.clear()

    def of(self, step: Callable[[], object]) -> list[Effect]:
        """The effects of one step."""
        before = len(self.effects)
        step()
        return self.effects[before:]

    # What goes in

    def later(self, seconds: float) -> None:
        """Let time pass, with a tick at each moment that the charge point asks for."""
        end_s = self.now.s + seconds
        while self.point.due_s <= end_s:
            self._go_to(max(self.now.s, self.point.due_s))
            self.tick()
        self._go_to(end_s)

    def asleep(self, seconds: float) -> None:
        """Let time pass without anybody looking, as in a frozen process."""
        self._go_to(self.now.s + seconds)

    def tick(self) -> None:
        """Look now."""
        self.effects += self.point.tick(self.now)

    def says(self, state: ChargerState, fault_code: FaultCode = FaultCode.NONE) -> None:
        """The charger's status changes; on the wire its register follows, see `meters`."""
        before = self.charger.state
        self.charger.state, self.charger.fault_code = state, fault_code
        self.charger.plugged = state is not ChargerState.AVAILABLE
        self._news(LinkEventKind.HEARD if before is None else LinkEventKind.STATUS, before)

    def meters(self, register_wh: float, *, solar_fraction: float = 0.0, hold: bool = False) -> None:
        """The charger says its register."""
        self.charger.register_wh = register_wh
        self.effects += self.point.metered(self.now, solar_fraction=solar_fraction, hold=hold)

    def measures(self, current_a: float) -> None:
        """The charger says its current."""
        self.charger.current_a = current_a
        self.effects += self.point.measured(self.now)

    def falls_silent(self) -> None:
        """Nothing is heard from the charger for a second."""
        self._news(LinkEventKind.SILENT, self.charger.state, "no frame for 1 s")

    def is_heard_again(self) -> None:
        """A first status after a silence."""
        self._news(LinkEventKind.HEARD, self.charger.state)

    def meter_falls(self, register_wh: float) -> None:
        """The register has gone back for good."""
        self.charger.register_wh = register_wh
        self._news(LinkEventKind.METER_FELL, self.charger.state)

    def command(
        self,
        action: CommandAction,
        *,
        command_id: str | None = None,
        valid_s: float | None = 15.0,
        replayed: bool = False,
        **fields: Any,
    ) -> Command:
        """Central commands."""
        number = next(self._numbers)
        command = Command(
            ts=self.now.wall,
            command_id=command_id or f"command-{number}",
            cp_id="CP-001",
            action=action,
            expires_at=None if valid_s is None else self.now.wall + timedelta(seconds=valid_s),
            **fields,
        )
        self.again(command, replayed=replayed)
        return command

    def again(self, command: Command, *, replayed: bool = False) -> None:
        """The same command comes (once more)."""
        received = Received(command, f"{command.command_id}:event", "central.commands", 0, 0, "00-trace", 0)
        self.effects += self.point.command(received, self.now, replayed=replayed)

    # What often happens

    def boot(self, *, register_wh: float = 1000.0, state: ChargerState = ChargerState.AVAILABLE) -> None:
        """The charger is heard for the first time."""
        self.says(state)
        self.meters(register_wh)

    def order_start(self, session_id: str = "session-1", **payload: Any) -> Command:
        """Central has a session started."""
        return self.command(
            CommandAction.START_SUPPLY, session_id=session_id, driver_id="driver-alice", payload=payload or None
        )

    def start(self, session_id: str = "session-1", *, amps: float = 31.75, **payload: Any) -> Command:
        """Central has a session started, and the charger confirms at once."""
        command = self.order_start(session_id, **payload)
        self.charger.current_a = amps
        self.charger.soc = 0.3
        self.says(ChargerState.CHARGING)
        self.meters(self.register_wh)
        return command

    def flows(self, energy_wh: float, *, seconds: float = 1.0, **reading: Any) -> None:
        """Energy flows for a while, and the charger says its register."""
        self.later(seconds)
        self.meters(round(self.register_wh + energy_wh, 1), **reading)

    def charger_stops(self, energy_wh: float = 0.0, state: ChargerState = ChargerState.FINISHED) -> None:
        """The charger opens its contactor and says its register after that."""
        self.charger.current_a = 0.0
        self.says(state)
        self.meters(round(self.register_wh + energy_wh, 1))

    @property
    def register_wh(self) -> float:
        """The charger's register."""
        assert self.charger.register_wh is not None
        return self.charger.register_wh

    def _go_to(self, s: float) -> None:
        self.now = Moment(self.now.wall + timedelta(seconds=s - self.now.s), s)

    def _news(self, kind: LinkEventKind, before: ChargerState | None, detail: str | None = None) -> None:
        event = LinkEvent(kind, self.charger.state, before, self.charger.fault_code, self.charger.plugged, detail)
        self.effects += self.point.news(event, self.now)
