"""Whether a request can be served, decided from the rows alone."""

from __future__ import annotations

from evcharging.domain.states import ChargePointState
from evcharging.messages.drivers import Denial
from evcharging.store.simulator.rows import ChargePointRow, SessionRow

__all__ = ["refusal"]

BY_STATE = {
    ChargePointState.FAULT: Denial.FAULTED,
    ChargePointState.STOPPED: Denial.STOPPED,
    ChargePointState.DISCONNECTED: Denial.DISCONNECTED,
    ChargePointState.SUPPLYING: Denial.BUSY,
}


def refusal(charge_point: ChargePointRow | None, active: SessionRow | None) -> Denial | None:
    """Why a charge point cannot take a driver now; None if it can.

    A fault or a lost connection is told before an administrative stop, and both before being busy: the driver hears
    what would still hold when the session before has ended.
    """
    if charge_point is None:
        return Denial.UNKNOWN_CHARGE_POINT
    if charge_point.source == "mqtt":
        return Denial.UNKNOWN_CHARGE_POINT  # it only reports; nobody there takes commands
    if charge_point.state in (ChargePointState.FAULT, ChargePointState.DISCONNECTED):
        return BY_STATE[charge_point.state]
    if charge_point.administrative_stop:
        return Denial.STOPPED
    if active is not None:
        return Denial.BUSY
    return BY_STATE.get(charge_point.state)
