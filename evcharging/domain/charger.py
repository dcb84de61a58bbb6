"""One charger outlet as its firmware sees it: a vehicle on the cable, a set point, a contactor and the energy register.

The model knows simulated time only, and only through `advance`. It integrates on a grid of that time, so its figures
depend on the commands and the times they were given at, never on how often `advance` was called in between: a caller
brings the model to now, then gives the command, which counts from the last grid point on. It never reads a clock, and
it does not time the engine's silence: the caller counts wall time (`SET_POINT_TIMEOUT_S`) and says `set_point_lost`.
What it refuses, it refuses with a ChargerError (see charger_state).
"""

import math
from enum import Enum
from typing import Final

from evcharging.domain.charger_state import (
    ChargerError,
    ChargerFaulted,
    ChargerState,
    FaultCode,
    InvalidInput,
    NoVehicleReady,
    VehiclePresent,
)
from evcharging.domain.levels import L1, L2, L2_THREE_PHASE, L3, MIN_PILOT_AMPS, ChargerLevel, ChargerSpec, dc
from evcharging.domain.set_point import RAMP_DOWN_S, SET_POINT_TIMEOUT_S, SetPoint
from evcharging.domain.thermal import DEFAULT_AMBIENT_C, RESUME_C, TRIP_C, derate_factor, temperature_after
from evcharging.domain.vehicle import DEMO_VEHICLE, Taper, VehicleSpec

__all__ = [
    "DEFAULT_STEP_S",
    "DEMO_VEHICLE",
    "FULL_SOC",
    "L1",
    "L2",
    "L2_THREE_PHASE",
    "L3",
    "MIN_PILOT_AMPS",
    "RAMP_DOWN_S",
    "SET_POINT_TIMEOUT_S",
    "ChargerError",
    "ChargerFaulted",
    "ChargerLevel",
    "ChargerModel",
    "ChargerSpec",
    "ChargerState",
    "FaultCode",
    "InvalidInput",
    "NoVehicleReady",
    "Taper",
    "VehiclePresent",
    "VehicleSpec",
    "dc",
]

DEFAULT_STEP_S: Final = 0.1
FULL_SOC: Final = 0.99
"""A vehicle is full here, or where its battery takes less than `MIN_POWER_FRACTION` of the session's rated power."""
MIN_POWER_FRACTION: Final = 0.05

_GRID_TOLERANCE_S: Final = 1e-6
_THERMAL_REST_C: Final = 1e-6


class _Session(Enum):
    WAITING = 1
    RUNNING = 2
    OVER = 3


_RUNNING: Final = _Session.RUNNING  # looked up once: the current on offer is asked for at every step and reading


class ChargerModel:
    """One outlet, its meter and whatever is plugged into it.

    Args:
        spec: The rating plate.
        now_s: Simulated time in s at which the model begins; grid points are `now_s + k·step_s`.
        register_wh: Reading the energy register begins with.
        ambient_c: Temperature around the charger in °C; the charger begins at it.
        step_s: Width of the grid in simulated seconds.
    """

    def __init__(
        self,
        *,
        spec: ChargerSpec,
        now_s: float,
        register_wh: float = 0.0,
        ambient_c: float = DEFAULT_AMBIENT_C,
        step_s: float = DEFAULT_STEP_S,
    ) -> None:
        if not 0.0 < step_s < math.inf:
            raise InvalidInput(f"step_s must be above 0, got {step_s}")
        if not 0.0 <= register_wh < math.inf:
            raise InvalidInput(f"register_wh must be 0 or more, got {register_wh}")
        self.spec: Final = spec
        self.ambient_c = ambient_c
        self._direct_current = spec.level is ChargerLevel.DC
        self._origin_s = now_s
        self._now_s = now_s
        self._step_s = step_s
        self._steps_done = 0
        self._register_wh = register_wh
        self._temperature_c = ambient_c
        self._vehicle: VehicleSpec | None = None
        self._soc = 0.0
        self._session = _Session.WAITING
        self._least_kw = 0.0
        self._set_point = SetPoint(spec.rated_amps)
        self._injected_fault = FaultCode.NONE
        self._tripped = False

    def plug(self, vehicle: VehicleSpec) -> None:
        """Put a vehicle on the cable; one whose session is over makes room for it.

        Raises VehiclePresent while another waits or charges. A faulted outlet may be plugged into, not started.
        """
        if self.vehicle_ready:
            raise VehiclePresent(f"the outlet is {self.state.value} with a vehicle; unplug that one first")
        self._vehicle = vehicle
        self._soc = vehicle.arrival_soc
        self._session = _Session.WAITING

    def unplug(self) -> None:
        """Take the cable out; a session that runs is over. Without a vehicle nothing happens."""
        self._vehicle = None
        self._session = _Session.WAITING

    def start(self) -> None:
        """Close the contactor for the plugged vehicle; current flows as far as the set point allows.

        While the session runs already, also one that lost its set point, it just goes on with the same vehicle.
        Raises ChargerFaulted while a fault stands, NoVehicleReady where `plug` must come first (see `vehicle_ready`).
        """
        if self.fault_code is not FaultCode.NONE:
            raise ChargerFaulted(f"cannot start with fault {self.fault_code.value}; clear it first")
        if self._vehicle is None or not self.vehicle_ready:
            raise NoVehicleReady(f"cannot start in state {self.state.value}; plug a vehicle first")
        self._session = _Session.RUNNING
        rated_kw = min(self.spec.rated_kw, self._vehicle.peak_kw(direct_current=self._direct_current))
        self._least_kw = MIN_POWER_FRACTION * rated_kw
        self._finish_if_full(self._vehicle)

    def stop(self) -> None:
        """Open the contactor; the session is over and its vehicle with it. Without a session nothing happens."""
        if self._session is _Session.RUNNING:
            self._session = _Session.OVER

    def set_limit(self, amps: float) -> float:
        """Set the current on offer per phase, in A, and return what it came to.

        Under 6 A is 0; above the rating is clamped and reported by `limit_clamped`. Heals a lost set point.
        Raises InvalidInput for a negative or non-finite figure.
        """
        self._set_point.set(amps)
        return self._set_point.limit_amps

    def set_point_lost(self) -> None:
        """Ramp to 0 A and stay there until the next `set_limit`; the session goes on. A repeat changes nothing."""
        self._set_point.lose(self.current_a)

    def inject_fault(self, code: FaultCode) -> None:
        """Open the contactor with `code`; a session that runs is over. The latest code counts."""
        if code is FaultCode.NONE:
            raise InvalidInput("NONE is no fault; use clear_fault to end one")
        self._injected_fault = code
        self.stop()

    def clear_fault(self) -> bool:
        """End an injected fault and return whether none is left: a trip by heat ends at 65 °C and not before."""
        self._injected_fault = FaultCode.NONE
        return not self._tripped

    def advance(self, to_s: float) -> None:
        """Bring the model to simulated time `to_s`, integrating up to the last grid point at or before it.

        Raises InvalidInput for a time before the last one.
        """
        if not self._now_s <= to_s < math.inf:
            raise InvalidInput(f"time runs forward: got {to_s} s after {self._now_s} s")
        self._now_s = to_s
        steps_due = math.floor((to_s - self._origin_s + _GRID_TOLERANCE_S) / self._step_s)
        while self._steps_done < steps_due:
            if self._resting:
                self._steps_done = steps_due
                return
            self._steps_done += self._integrate(steps_due - self._steps_done)

    @property
    def state(self) -> ChargerState:
        """What the outlet is doing now."""
        if self.fault_code is not FaultCode.NONE:
            return ChargerState.FAULTED
        if self._vehicle is None:
            return ChargerState.AVAILABLE
        if self._session is _Session.WAITING:
            return ChargerState.PLUGGED
        if self._session is _Session.OVER:
            return ChargerState.FINISHED
        return ChargerState.CHARGING if self._offered_amps > 0.0 else ChargerState.SUSPENDED

    @property
    def fault_code(self) -> FaultCode:
        """The fault that stands, or NONE."""
        if self._injected_fault is not FaultCode.NONE:
            return self._injected_fault
        return FaultCode.OVER_TEMPERATURE if self._tripped else FaultCode.NONE

    @property
    def plugged(self) -> bool:
        """Whether a vehicle is on the cable, its session over or not."""
        return self._vehicle is not None

    @property
    def vehicle_ready(self) -> bool:
        """Whether a vehicle is on the cable whose session is not over: `start` needs it, `plug` refuses it."""
        return self._vehicle is not None and self._session is not _Session.OVER

    @property
    def power_kw(self) -> float:
        """Power that flows, in kW: the least of charger, cable, set point, on-board charger and battery."""
        offered_amps = self._offered_amps
        if self._vehicle is None or offered_amps == 0.0:
            return 0.0
        return min(self.spec.power_kw(offered_amps), self._accepted_kw(self._vehicle))

    @property
    def current_a(self) -> float:
        """Current per phase in A."""
        return self.spec.amps(self.power_kw)

    @property
    def voltage_v(self) -> float:
        """Voltage of a phase against neutral, or of the DC side, in V."""
        return self.spec.voltage_v

    @property
    def register_wh(self) -> float:
        """The energy register in Wh: all this outlet ever delivered; it never falls."""
        return self._register_wh

    @property
    def soc(self) -> float | None:
        """State of charge of the plugged vehicle as a fraction from 0 to 1, None without one."""
        return None if self._vehicle is None else self._soc

    @property
    def temperature_c(self) -> float:
        """Temperature of the power stage in °C."""
        return self._temperature_c

    @property
    def limit_amps(self) -> float:
        """The set point as it counts, in A per phase: 0, or from 6 up to the rating."""
        return self._set_point.limit_amps

    @property
    def requested_amps(self) -> float:
        """The set point as it was asked for, in A per phase."""
        return self._set_point.requested_amps

    @property
    def limit_clamped(self) -> bool:
        """Whether the set point asked for more than the hardware's rating: an anomaly."""
        return self._set_point.clamped

    @property
    def set_point_silent(self) -> bool:
        """Whether the set point was lost and has not come back."""
        return self._set_point.silent

    @property
    def _offered_amps(self) -> float:
        """Current on offer now; a running session implies a vehicle and no fault."""
        if self._session is not _RUNNING:
            return 0.0
        return self._set_point.offered_amps(derate_factor(self._temperature_c))

    def _accepted_kw(self, vehicle: VehicleSpec) -> float:
        return vehicle.accepted_kw(self._soc, direct_current=self._direct_current)

    @property
    def _resting(self) -> bool:
        """Whether no step can change anything, so that idle time costs nothing."""
        return self._temperature_c == self.ambient_c and self._offered_amps == 0.0 and not self._set_point.ramping

    def _integrate(self, steps: int) -> int:
        """Integrate some of the `steps` that are due and return how many."""
        self._integrate_step(self._step_s)
        return 1

    def _integrate_step(self, width_s: float) -> None:
        offered_amps = self._offered_amps
        mean_amps = 0.0
        if self._vehicle is not None and offered_amps > 0.0:
            mean_amps = self.spec.amps(self._deliver(self._vehicle, offered_amps, width_s) * 3.6 / width_s)
            self._finish_if_full(self._vehicle)
        self._set_point.ramp(width_s)
        self._warm_up(mean_amps, width_s)

    def _deliver(self, vehicle: VehicleSpec, offered_amps: float, width_s: float) -> float:
        """Charge for one step and return the energy that went through the meter, in Wh."""
        soc = vehicle.soc_after(
            self._soc,
            offered_kw=self.spec.power_kw(offered_amps),
            step_h=width_s / 3600.0,
            direct_current=self._direct_current,
        )
        delivered_wh = max(0.0, soc - self._soc) * vehicle.capacity_kwh * 1000.0
        self._soc = soc
        self._register_wh += delivered_wh
        return delivered_wh

    def _warm_up(self, mean_amps: float, width_s: float) -> None:
        warmed_c = temperature_after(
            self._temperature_c,
            ambient_c=self.ambient_c,
            current_a=mean_amps,
            rated_amps=self.spec.rated_amps,
            step_s=width_s,
        )
        at_rest = mean_amps == 0.0 and abs(warmed_c - self.ambient_c) < _THERMAL_REST_C
        self._temperature_c = self.ambient_c if at_rest else warmed_c
        if self._temperature_c >= TRIP_C:
            self._tripped = True
            self.stop()
        elif self._temperature_c <= RESUME_C:
            self._tripped = False

    def _finish_if_full(self, vehicle: VehicleSpec) -> None:
        if self._soc >= FULL_SOC or self._accepted_kw(vehicle) < self._least_kw:
            self.stop()
