"""One charger on its CAN channel: hears commands, obeys its model, and says what it measures.

The node joins the model, which knows simulated time only, to wall time and the wire. It has no task of its own: a
`NodeWheel` calls `advance` and `report`. Bad frames and commands that the model refuses are counted and cost nothing
else.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

import structlog
from can import Message

from evcharging.can.bus import CanBus, CanError
from evcharging.can.frame_fields import FrameError
from evcharging.can.frames import (
    CHARGER_IDS,
    ChargerStatus,
    Condition,
    CurrentLimit,
    Frame,
    Inject,
    InjectKind,
    MeasuredCurrent,
    Meter,
    StartCharging,
    StopCharging,
    decode,
    encode,
)
from evcharging.domain.charger import (
    DEFAULT_STEP_S,
    DEMO_VEHICLE,
    RAMP_DOWN_S,
    SET_POINT_TIMEOUT_S,
    ChargerError,
    ChargerFaulted,
    ChargerModel,
    ChargerSpec,
    ChargerState,
    FaultCode,
    VehicleSpec,
)

__all__ = ["SET_POINT_PATIENCE_S", "ChargerNode", "RegisterStore", "make_model"]

log = structlog.get_logger()

SET_POINT_PATIENCE_S: Final = SET_POINT_TIMEOUT_S - RAMP_DOWN_S - 0.2
"""Wall time without a set point after which the ramp begins. The ramp takes a second and shows with the next frame but
one, so that the charger is seen at 0 A no later than `SET_POINT_TIMEOUT_S` after the last set point."""


class RegisterStore(Protocol):
    """Where energy registers outlive the process."""

    def put(self, cp_id: str, register_wh: float) -> None:
        """Take note of a register."""
        ...

    def save(self) -> None:
        """Have what was noted outlive this process; must not raise."""
        ...


def make_model(spec: ChargerSpec, *, register_wh: float = 0.0, time_scale: float = 1.0) -> ChargerModel:
    """A model at simulated time 0 whose grid is one tick of a node wide, whatever the time scale."""
    return ChargerModel(spec=spec, now_s=0.0, register_wh=register_wh, step_s=DEFAULT_STEP_S * time_scale)


class ChargerNode:
    """One EVSE: its model, its meter and its channel.

    Args:
        bus: the EVSE's channel; its name is the cp_id. Opened and closed by the caller.
        model: at simulated time 0; see `make_model`.
        vehicle: gives the vehicle that is plugged in when one is asked for.
        time_scale: simulated seconds in a second of ``clock``.
        registers: told the register before the wire is.
        clock: monotonic seconds of wall time.
    """

    def __init__(
        self,
        bus: CanBus,
        model: ChargerModel,
        *,
        vehicle: Callable[[], VehicleSpec] = lambda: DEMO_VEHICLE,
        time_scale: float = 1.0,
        registers: RegisterStore | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cp_id = bus.channel
        self.model = model
        self.dropped: Counter[str] = Counter()
        """Frames left out, by reason."""
        self.refused: Counter[str] = Counter()
        """Commands that the model refused, by the name of its error."""
        self.unsent = 0
        """Frames that the channel did not take."""
        self._bus = bus
        self._vehicle = vehicle
        self._time_scale = time_scale
        self._registers = registers
        self._clock = clock
        self._began_s = clock()
        self._now_s = self._began_s
        self._set_point_s = -math.inf
        self._counter = 0
        self._said: tuple[object, ...] = ()
        self._saved_wh: float | None = None
        self._deaf: Callable[[], None] | None = None

    def open(self) -> None:
        """Begin to obey."""
        if self._deaf is None:
            self._deaf = self._bus.add_listener(self._hear)

    def close(self) -> None:
        """Obey no more. The bus stays open. Idempotent."""
        if self._deaf is not None:
            self._deaf()
            self._deaf = None

    @property
    def has_news(self) -> bool:
        """Whether the state is another than was last said."""
        return self._status() != self._said

    def advance(self, now_s: float) -> None:
        """Bring the model to ``now_s`` of the clock, and begin the ramp at the moment it was due."""
        lost_s = self._set_point_s + SET_POINT_PATIENCE_S
        if now_s >= lost_s and not self.model.set_point_silent:
            self.model.advance(self._simulated(max(lost_s, self._now_s)))
            if self.model.state is ChargerState.CHARGING:
                log.warning("no set point is heard, ramping down", cp_id=self.cp_id)
            self.model.set_point_lost()
        self.model.advance(self._simulated(now_s))
        self._now_s = now_s
        if self._registers is not None and self.model.register_wh != self._saved_wh:
            self._saved_wh = self.model.register_wh
            self._registers.put(self.cp_id, self._saved_wh)

    def report(self, *, in_full: bool) -> None:
        """Say the current, and everything else too if ``in_full`` or there is news. The registers are saved before."""
        self._say(MeasuredCurrent(self.model.current_a))
        if in_full or self.has_news:
            self._say_everything()

    def obey(self, frame: Frame) -> None:
        """Do what a command says, now, and say at once what has become of it."""
        self.advance(self._clock())
        try:
            self._execute(frame)
        except ChargerError as error:
            self.refused[type(error).__name__] += 1
            log.info("a command was refused", cp_id=self.cp_id, command=type(frame).__name__, reason=str(error))
        if self.has_news or not isinstance(frame, CurrentLimit):
            if self._registers is not None:
                self._registers.save()
            self._say(MeasuredCurrent(self.model.current_a))
            self._say_everything()

    def _hear(self, message: Message) -> None:
        if message.arbitration_id in CHARGER_IDS:
            self.dropped["foreign_charger"] += 1
            return
        try:
            frame = decode(message)
        except FrameError as error:
            self.dropped[error.reason] += 1
            return
        self.obey(frame)

    def _execute(self, frame: Frame) -> None:
        match frame:
            case StartCharging():
                self._start()
            case StopCharging():
                self.model.stop()
                log.info("stop", cp_id=self.cp_id, register_wh=round(self.model.register_wh, 1))
            case CurrentLimit(limit_amps):
                self._limit(limit_amps)
            case Inject(kind, fault_code):
                self._inject(kind, fault_code)
            case _:
                raise TypeError(f"got {type(frame).__name__}, expected a command")

    def _start(self) -> None:
        if self.model.fault_code is not FaultCode.NONE:
            raise ChargerFaulted(f"fault {self.model.fault_code} stands; clear it first")
        if not self.model.vehicle_ready:
            self.model.plug(self._vehicle())
        self.model.start()
        log.info("start", cp_id=self.cp_id, state=self.model.state.value)

    def _limit(self, limit_amps: float) -> None:
        was_clamped = self.model.limit_clamped
        self.model.set_limit(limit_amps)
        self._set_point_s = self._now_s
        if self.model.limit_clamped and not was_clamped:
            rated_amps = self.model.spec.rated_amps
            log.warning("a limit above the rating", cp_id=self.cp_id, limit_amps=limit_amps, rated_amps=rated_amps)

    def _inject(self, kind: InjectKind, fault_code: FaultCode) -> None:
        match kind:
            case InjectKind.UNPLUG:
                self.model.unplug()
            case InjectKind.PLUG:
                self.model.plug(self._vehicle())
            case InjectKind.FAULT:
                self.model.inject_fault(fault_code)
            case InjectKind.CLEAR:
                self.model.clear_fault()
        log.info("injected", cp_id=self.cp_id, kind=kind.name.lower(), state=self.model.state.value)

    def _simulated(self, now_s: float) -> float:
        return (now_s - self._began_s) * self._time_scale

    def _status(self) -> tuple[object, ...]:
        return (self.model.state, self.model.plugged, self.model.fault_code)

    def _say_everything(self) -> None:
        # The status first: an engine takes the first meter reading after the end of a session for its final one.
        model = self.model
        self._said = self._status()
        self._counter = (self._counter + 1) % 256
        self._say(ChargerStatus(model.state, model.plugged, model.fault_code, self._counter))
        self._say(Meter(model.register_wh, model.voltage_v))
        self._say(Condition(model.temperature_c, model.soc))

    def _say(self, frame: Frame) -> None:
        try:
            self._bus.post(encode(frame))
        except CanError:
            self.unsent += 1
