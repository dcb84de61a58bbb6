"""A charge point and its charger: carries the core's effects out on CAN and on the bus, and tells it what happens.

One per charge point, no task and no thread: it lives on callbacks of the event loop, for frames and for one timer.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any, Final

import structlog
from can import Message

from evcharging.apps.ev_cp_e import metrics
from evcharging.apps.ev_cp_e.charge_point import ChargePoint
from evcharging.apps.ev_cp_e.effects import (
    Effect,
    InjectOrder,
    LimitOrder,
    Moment,
    Note,
    Publish,
    StartOrder,
    StopOrder,
)
from evcharging.apps.ev_cp_e.phases import Phase
from evcharging.can.bus import CanBus, CanError
from evcharging.can.frames import InjectKind, MeasuredCurrent, Meter
from evcharging.can.link import ChargerLink, LinkEvent
from evcharging.domain.charger import FaultCode
from evcharging.messages.commands import Command
from evcharging.messages.envelope import Event, Received

__all__ = ["Unit"]

SHORTEST_TIMER_S: Final = 0.001
REGISTER_FELL: Final = "register_fell"
"""What the link counts readings under that it does not believe (yet)."""


class Unit:
    """One charge point on its CAN channel. `open` it, `close` it; in between it runs by itself.

    Args:
        point: the core, made with the readings of ``link``.
        link: to its charger.
        can_bus: the channel; whoever opened it closes it, after this.
        clock: the time.
        publish: takes what is to be published, in order, and whether it was published before.
        solar_fraction: the part of what flows now that the sun gives.
        congested: whether telemetry is to be held.
    """

    def __init__(
        self,
        point: ChargePoint,
        link: ChargerLink,
        can_bus: CanBus,
        *,
        clock: Callable[[], Moment],
        publish: Callable[[Event[Any], bool], None],
        solar_fraction: Callable[[], float] = lambda: 0.0,
        congested: Callable[[], bool] = lambda: False,
    ) -> None:
        self.point = point
        self.link = link
        self._can_bus = can_bus
        self._clock = clock
        self._publish = publish
        self._solar_fraction = solar_fraction
        self._congested = congested
        self._log = structlog.get_logger().bind(who=f"CP_E:{point.cp_id}")
        self._undo: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = math.inf
        self._has_gone = asyncio.Event()
        self._disbelieved = 0

    @property
    def cp_id(self) -> str:
        """The charge point's id."""
        return self.point.cp_id

    @property
    def booted(self) -> bool:
        """Whether its state was announced."""
        return self.point.phase is not Phase.BOOTING

    @property
    def gone(self) -> bool:
        """Whether it went out of reach in good order."""
        return self.point.phase is Phase.GONE

    async def wait_gone(self) -> None:
        """Return once it has; `leave` begins it."""
        await self._has_gone.wait()

    @property
    def frames_dropped(self) -> int:
        """CAN frames that were not believed, or not taken."""
        return self.link.dropped.total() + self._can_bus.dropped

    def open(self) -> None:
        """Begin to listen to the charger."""
        self.link.open()
        # After the link's own listener, so that the readings are up to date here.
        self._undo = [self.link.on_event(self._news), self._can_bus.add_listener(self._frame)]
        self._do(self.point.open(self._clock()))

    def close(self) -> None:
        """Let go of the channel, as it is: nothing is said or ended here. Idempotent."""
        for undo in self._undo:
            undo()
        self._undo.clear()
        self.link.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def command(self, received: Received[Command], *, replayed: bool) -> None:
        """Have a command carried out."""
        self._do(self.point.command(received, self._clock(), replayed=replayed))

    def share(self, site_kw: float | None) -> None:
        """See `ChargePoint.share`."""
        self._do(self.point.share(site_kw, self._clock()))

    def inject(self, kind: InjectKind, fault_code: FaultCode) -> None:
        """See `ChargePoint.inject`. Raises Refused."""
        self._do(self.point.inject(kind, fault_code, self._clock()))

    def end_session(self, reason: str) -> None:
        """See `ChargePoint.end_session`. Raises Refused."""
        self._do(self.point.end_session(reason, self._clock()))

    def leave(self) -> None:
        """See `ChargePoint.leave`."""
        self._do(self.point.leave(self._clock()))

    def _news(self, event: LinkEvent) -> None:
        self._do(self.point.news(event, self._clock()))

    def _frame(self, message: Message) -> None:
        can_id = message.arbitration_id
        if can_id == Meter.CAN_ID:
            disbelieved = self.link.dropped[REGISTER_FELL]
            if disbelieved != self._disbelieved:
                self._disbelieved = disbelieved
                return
            self._do(self.point.metered(self._clock(), solar_fraction=self._solar_fraction(), hold=self._congested()))
        elif can_id == MeasuredCurrent.CAN_ID and self.point.watches_current:
            self._do(self.point.measured(self._clock()))

    def _tick(self) -> None:
        self._timer = None
        self._do(self.point.tick(self._clock()))

    def _do(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Publish):
                self._publish(effect.event, effect.again)
            elif isinstance(effect, Note):
                (self._log.warning if effect.warning else self._log.info)(effect.text)
            else:
                self._order(effect)
        if self.gone:
            self._has_gone.set()
        self._set_timer()

    def _order(self, order: StartOrder | StopOrder | LimitOrder | InjectOrder) -> None:
        try:
            match order:
                case StartOrder():
                    self.link.start()
                case StopOrder():
                    self.link.stop()
                case LimitOrder(limit_amps):
                    self.link.set_limit(limit_amps)
                case InjectOrder(kind, fault_code):
                    self.link.inject(kind, fault_code)
        except CanError as error:
            # A start is ordered again, stops and limits are repeated; what was injected is lost with the link.
            metrics.ORDERS_NOT_SENT.inc()
            self._log.warning("an order to the charger did not go out", order=type(order).__name__, why=str(error))

    def _set_timer(self) -> None:
        """Be called no later than the core asks for; an earlier timer is left, and asks again when it comes."""
        due_s = self.point.due_s
        if due_s == math.inf or (self._timer is not None and self._timer_s <= due_s):
            return
        if self._timer is not None:
            self._timer.cancel()
        wait_s = max(SHORTEST_TIMER_S, due_s - self._clock().s)
        self._timer_s = due_s
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._tick)
