"""The charger model for thousands of outlets: stretches in which nothing changes are integrated in one step.

Battery and heat are solved in closed form for a step of any length, so a stretch ends where its grid steps would have
ended; floating point aside (1e-9 of the energy) the figures are those of `ChargerModel`. The temperature counts with
the mean current of a stretch, which is why a stretch never reaches into derating. Everything else stays on the grid:
commands count from the last grid point, a session ends at a grid point.
"""

from typing import Final

from evcharging.domain.charger import FULL_SOC, ChargerModel
from evcharging.domain.charger_reading import Reading
from evcharging.domain.charger_state import ChargerState, FaultCode
from evcharging.domain.thermal import DERATE_FROM_C, temperature_after

_SHORTEST: Final = 2
"""Grid steps from which on a stretch is worth a look at its end."""
_REST_C: Final = 1e-6
_W_PER_KW: Final = 1000.0
_CHARGING: Final = ChargerState.CHARGING
_NO_FAULT: Final = FaultCode.NONE


class StretchChargerModel(ChargerModel):
    """A `ChargerModel` whose `advance` costs the same for a minute as for a step, while the current is steady."""

    def reading(self) -> Reading:
        """Return what the properties show now, at less cost than one by one."""
        spec, vehicle, power_kw, fault = self.spec, self._vehicle, 0.0, _NO_FAULT
        offered_amps = self._offered_amps
        if vehicle is not None and offered_amps > 0.0:  # nothing is on offer where a fault stands
            accepted_kw = vehicle.accepted_kw(self._soc, direct_current=self._direct_current)
            power_kw = min(spec.power_kw(offered_amps), accepted_kw)
            state = _CHARGING
        else:
            state, fault = self.state, self.fault_code
        return Reading(
            self._register_wh,
            power_kw / spec.kw_per_amp,
            spec.voltage_v,
            power_kw * _W_PER_KW,
            None if vehicle is None else self._soc,
            self._temperature_c,
            state,
            fault,
            self._set_point.limit_amps,
        )

    def _integrate(self, steps: int) -> int:
        """Take the longest stretch of `steps`, halved as often as need be, in which nothing happens; else one step."""
        if self._temperature_c < DERATE_FROM_C and not self._set_point.ramping:
            offered_amps = self._offered_amps
            while steps >= _SHORTEST:
                if self._take(steps * self._step_s, offered_amps):
                    return steps
                steps //= 2
        return super()._integrate(steps)

    def _take(self, width_s: float, offered_amps: float) -> bool:
        """Take a stretch, unless its session would end or derating begin in it; return whether it was taken."""
        vehicle, soc = self._vehicle, self._soc
        delivered_wh = mean_amps = 0.0
        if vehicle is not None and offered_amps > 0.0:
            soc = vehicle.soc_after(
                soc,
                offered_kw=self.spec.power_kw(offered_amps),
                step_h=width_s / 3600.0,
                direct_current=self._direct_current,
            )
            if soc >= FULL_SOC or vehicle.accepted_kw(soc, direct_current=self._direct_current) < self._least_kw:
                return False
            delivered_wh = max(0.0, soc - self._soc) * vehicle.capacity_kwh * 1000.0
            mean_amps = self.spec.amps(delivered_wh * 3.6 / width_s)
        temperature_c = temperature_after(
            self._temperature_c,
            ambient_c=self.ambient_c,
            current_a=mean_amps,
            rated_amps=self.spec.rated_amps,
            step_s=width_s,
        )
        if temperature_c >= DERATE_FROM_C:
            return False
        at_rest = mean_amps == 0.0 and abs(temperature_c - self.ambient_c) < _REST_C
        self._temperature_c = self.ambient_c if at_rest else temperature_c
        self._soc = soc
        self._register_wh += delivered_wh
        return True
