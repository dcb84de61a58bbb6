"""A connector's power path over CAN: the station's commands become frames, and what it reads is what the frames said.

A charger on CAN answers a moment later. Until it has, `advance` shows the outlet as it was last heard, and only the
checks of the next command go by what was asked for; nothing here ever guesses a current or a register. A charger that
falls silent shows as a communication loss.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from evcharging.can.bus import CanError
from evcharging.can.frames import InjectKind
from evcharging.can.link import ChargerLink, ChargerUnanswered, LinkEvent
from evcharging.domain.charger_state import ChargerFaulted, ChargerState, FaultCode, NoVehicleReady, VehiclePresent
from evcharging.domain.levels import MIN_PILOT_AMPS, ChargerSpec
from evcharging.domain.thermal import RESUME_C
from evcharging.domain.vehicle import VehicleSpec
from evcharging.ocpp.station.interfaces import Reading

__all__ = ["CanCharger", "ChargerAbsent"]

ANSWERS_WITHIN_S: Final = 1.5
"""A charger says its state at once when it changes, and each second anyway."""

_RUNNING: Final = frozenset({ChargerState.CHARGING, ChargerState.SUSPENDED})
_WATTS_PER_KW: Final = 1000.0


class ChargerAbsent(CanError):
    """No charger was heard on its channel in time; the message says where it was looked for."""


class CanCharger:
    """A `StationCharger` at the far end of a `ChargerLink`. Make it with `connect`, on the event loop.

    Args:
        link: open, and heard from.
        spec: the rating plate, which CAN does not tell.
        channel: the channel's name, for messages.
        choose_vehicle: told which vehicle comes before the charger is; for a charger of this process, which plugs in
            what it is given. Another process's charger plugs in what it is set to.
    """

    def __init__(
        self,
        link: ChargerLink,
        spec: ChargerSpec,
        *,
        channel: str = "",
        choose_vehicle: Callable[[VehicleSpec], None] = lambda _: None,
    ) -> None:
        self.spec = spec
        self.channel = channel
        self.link = link
        self._choose_vehicle = choose_vehicle
        self._on_change: Callable[[], None] | None = None
        self._on_cable: Callable[[bool], None] | None = None
        self._plugged = False
        self._asked_for: ChargerState | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._register_wh = 0.0
        self._deaf = link.on_event(self._hear)
        if link.readings.state in _RUNNING:
            # A station that was killed left it so; its transaction ended with it.
            link.stop()
        link.set_limit(spec.rated_amps)

    @classmethod
    async def connect(
        cls,
        link: ChargerLink,
        spec: ChargerSpec,
        *,
        channel: str,
        timeout_s: float,
        choose_vehicle: Callable[[VehicleSpec], None] = lambda _: None,
    ) -> CanCharger:
        """Wait for the charger's state and register.

        Raises:
            ChargerAbsent: nothing came within ``timeout_s``.
        """
        try:
            await link.wait_until(
                lambda readings: readings.state is not None and readings.register_wh is not None, timeout_s
            )
        except ChargerUnanswered:
            raise ChargerAbsent(
                f"no charger is heard on CAN channel {channel!r} within {timeout_s:g} s; start one with:"
                f" evcharging charger --cp-id {channel}"
            ) from None
        return cls(link, spec, channel=channel, choose_vehicle=choose_vehicle)

    def on_cable(self, listener: Callable[[bool], None]) -> None:
        """Have ``listener`` told of each vehicle that comes (True) or leaves (False) at the charger by itself."""
        self._on_cable = listener

    def plug(self, vehicle: VehicleSpec) -> None:
        """Have a vehicle put on the cable; one that is there by itself is taken as it is.

        Raises:
            VehiclePresent: another waits or charges.
            ChargerFaulted: the charger is not heard or cannot be told; no vehicle came.
        """
        state = self._state
        if self._plugged and state in {ChargerState.PLUGGED, *_RUNNING}:
            raise VehiclePresent(f"the outlet is {state.value} with a vehicle; unplug that one first")
        readings = self.link.readings
        there = self._asked_for is None and readings.plugged and readings.state is not ChargerState.FINISHED
        if there and not self.link.silent:
            self._plugged = True
            return
        self._choose_vehicle(vehicle)
        self._ask_cable(InjectKind.PLUG, ChargerState.PLUGGED)

    def unplug(self) -> None:
        """Have the cable taken out.

        Raises:
            ChargerFaulted: the charger is not heard or cannot be told; the vehicle is still there.
        """
        if self.link.readings.plugged or self._asked_for is not None:
            self._ask_cable(InjectKind.UNPLUG, ChargerState.AVAILABLE)
        else:
            self._plugged = False

    def set_limit_amps(self, amps: float) -> None:
        """Say the current on offer (0x210), now and each second from now on."""
        self.link.set_limit(amps)

    def start(self) -> None:
        """Have the contactor closed (0x200).

        Raises:
            ChargerFaulted: a fault stands, or the charger is not heard or cannot be told.
            NoVehicleReady: no vehicle is there whose session is not over.
        """
        fault = self._fault
        if fault is not FaultCode.NONE:
            raise ChargerFaulted(f"cannot start with fault {fault.value}; clear it first")
        state = self._state
        if state not in {ChargerState.PLUGGED, *_RUNNING}:
            raise NoVehicleReady(f"cannot start in state {state.value}; plug a vehicle first")
        try:
            self.link.start()
        except CanError as error:
            raise ChargerFaulted(f"cannot start: {error}") from error
        self._expect(ChargerState.CHARGING)

    def stop(self) -> None:
        """Have the contactor opened (0x201), repeated until it is."""
        if self._state in _RUNNING:
            self.link.stop()
            self._expect(ChargerState.FINISHED)

    def advance(self, now_s: float) -> Reading:
        """Read what was last heard; time passes at the charger by itself."""
        readings = self.link.readings
        amps = readings.current_a or 0.0
        volts = readings.voltage_v if readings.voltage_v is not None else self.spec.voltage_v
        # Never lower than before: another meter's register is adopted where it is higher only.
        self._register_wh = max(self._register_wh, readings.register_wh or 0.0)
        silent = self.link.silent
        return Reading(
            self._register_wh,
            0.0 if silent else amps,
            volts,
            0.0 if silent else amps * volts * self.spec.phases,
            readings.soc,
            readings.temperature_c if readings.temperature_c is not None else 20.0,
            ChargerState.FAULTED if self._fault is not FaultCode.NONE else self._shown,
            self._fault,
            self._offered_amps,
        )

    def inject_fault(self, code: FaultCode) -> None:
        """Let the outlet fail with ``code``."""
        self._ask(InjectKind.FAULT, ChargerState.FAULTED, code)

    def clear_fault(self) -> bool:
        """Have an injected fault ended; heat ends by itself, at 65 °C."""
        self._ask(InjectKind.CLEAR, None)
        return (self.link.readings.temperature_c or 0.0) <= RESUME_C and not self.link.silent

    def watch(self, on_change: Callable[[], None]) -> None:
        """Call ``on_change`` with each change that is heard; a vehicle that is there already is told soon."""
        self._on_change = on_change
        asyncio.get_running_loop().call_soon(self._follow_cable)

    def close(self) -> None:
        """Listen no more; the link stays open for who opened it. No set point follows: the charger ramps to 0 A."""
        self._settle()
        self._deaf()
        self._on_change = self._on_cable = None

    @property
    def _state(self) -> ChargerState:
        """The state that the last command leads to, or as it was heard."""
        heard = self.link.readings.state or ChargerState.AVAILABLE
        return heard if self._asked_for is None or heard is ChargerState.FAULTED else self._asked_for

    @property
    def _shown(self) -> ChargerState:
        """The state as it was heard. A vehicle that is coming is shown as plugged: there is none to be suspended by."""
        heard = self.link.readings.state or ChargerState.AVAILABLE
        coming = self._asked_for in {ChargerState.PLUGGED, ChargerState.CHARGING}
        return ChargerState.PLUGGED if coming and heard in {ChargerState.AVAILABLE, ChargerState.FINISHED} else heard

    @property
    def _fault(self) -> FaultCode:
        if self.link.silent:
            return FaultCode.COMMUNICATION_LOSS
        return self.link.readings.fault_code

    @property
    def _offered_amps(self) -> float:
        amps = self.link.limit_amps or 0.0
        return 0.0 if amps < MIN_PILOT_AMPS else min(amps, self.spec.rated_amps)

    def _ask(self, kind: InjectKind, state: ChargerState | None, code: FaultCode = FaultCode.NONE) -> None:
        try:
            self.link.inject(kind, code)
        except CanError as error:
            raise ChargerFaulted(f"the charger cannot be told: {error}") from error
        if state is not None:
            self._expect(state)

    def _ask_cable(self, kind: InjectKind, state: ChargerState) -> None:
        """Have a vehicle come or leave. One that nobody confirms would stay for good on one of the two sides."""
        if self.link.silent:
            raise ChargerFaulted("the charger cannot be told: it is not heard")
        before, self._plugged = self._plugged, kind is InjectKind.PLUG
        try:
            self._ask(kind, state)
        except ChargerFaulted:
            self._plugged = before
            raise

    def _expect(self, state: ChargerState) -> None:
        self._settle()
        self._asked_for = state
        self._patience = asyncio.get_running_loop().call_later(ANSWERS_WITHIN_S, self._unanswered)

    def _settle(self) -> None:
        self._asked_for = None
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _unanswered(self) -> None:
        """The charger did not do what it was asked: what it is counts."""
        self._settle()
        self._follow_cable()
        self._tell()

    def _hear(self, event: LinkEvent) -> None:
        if self._asked_for is not None:
            done = event.state is self._asked_for or (self._asked_for in _RUNNING and event.state in _RUNNING)
            if done or event.fault_code is not FaultCode.NONE:
                self._settle()
        self._follow_cable()
        self._tell()

    def _follow_cable(self) -> None:
        readings = self.link.readings
        if self._on_cable is None or self.link.silent or self._asked_for is not None:
            return
        if self._plugged and not readings.plugged:
            self._plugged = False
            self._on_cable(False)
        elif not self._plugged and readings.plugged and readings.state is not ChargerState.FINISHED:
            self._on_cable(True)  # who takes the vehicle plugs it, which makes it ours

    def _tell(self) -> None:
        if self._on_change is not None:
            self._on_change()
