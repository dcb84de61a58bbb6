"""What a charger outlet shows at one moment; plain values, no behaviour."""

from typing import NamedTuple

from evcharging.domain.charger_state import ChargerState, FaultCode

__all__ = ["Reading"]


class Reading(NamedTuple):
    """What a charger outlet shows at one moment.

    Attributes:
        register_wh: The energy register; it never falls.
        amps, volts: Per phase.
        power_w: All phases.
        soc: Of the plugged vehicle as a fraction, None without one.
        limit_amps: The set point as it counts.
    """

    register_wh: float
    amps: float
    volts: float
    power_w: float
    soc: float | None
    temperature_c: float
    state: ChargerState
    fault: FaultCode
    limit_amps: float
