"""Whether a request can be served, and on which connector: decided from the rows alone."""

from __future__ import annotations

from collections.abc import Collection

from evcharging.domain.states import OUT_OF_REACH, WHOLE_CHARGE_POINT, ChargePointState, OcppStatus
from evcharging.messages.charge_points import StatusSource
from evcharging.messages.drivers import Denial
from evcharging.store.simulator.rows import ChargePointRow, ReservationRow, SessionRow

__all__ = ["is_out_of_touch", "place_for"]

BY_STATE = {
    ChargePointState.FAULT: Denial.FAULTED,
    ChargePointState.STOPPED: Denial.STOPPED,
    ChargePointState.DISCONNECTED: Denial.DISCONNECTED,
    ChargePointState.SUPPLYING: Denial.BUSY,
}
MOST_LASTING_LAST = (Denial.BUSY, Denial.RESERVED, Denial.STOPPED, Denial.FAULTED, Denial.DISCONNECTED)


def place_for(
    charge_point: ChargePointRow,
    driver_id: str,
    *,
    connector_id: int | None = None,
    sessions: Collection[SessionRow] = (),
    reservations: Collection[ReservationRow] = (),
    kept: Collection[int] = (),
) -> int | Denial:
    """The connector that a driver can have now, or why there is none.

    A fault or a lost connection is told before an administrative stop, and all of them before being busy: the driver
    hears what would still hold when the session before has ended. Of several connectors the one that is reserved for
    the driver comes first; where none is free, what passes soonest is told.

    ``connector_id`` is the only one that will do (None or 0: any); ``sessions`` are the active ones of the charge
    point, ``reservations`` those there that stand; ``kept`` are connectors that the station keeps for the driver.
    """
    if charge_point.source == StatusSource.MQTT.value:
        return Denial.UNKNOWN_CHARGE_POINT  # one seen only on MQTT reports, and nobody there takes commands
    whole = charge_point.connectors.get(WHOLE_CHARGE_POINT)
    states = [charge_point.state, *([whole.state] if whole is not None else [])]
    out_of_reach = next((state for state in states if state in OUT_OF_REACH), None)
    if out_of_reach is not None:
        return BY_STATE[out_of_reach]
    if charge_point.administrative_stop or ChargePointState.STOPPED in states:
        return Denial.STOPPED
    known = sorted(number for number in charge_point.connectors if number != WHOLE_CHARGE_POINT)
    wanted = [connector_id] if connector_id else known or [1]
    if connector_id and known and connector_id not in known and charge_point.source == StatusSource.OCPP.value:
        return Denial.INVALID_REQUEST
    kept_for_me = {r.connector_id for r in reservations if r.driver_id == driver_id}.union(kept)
    wanted.sort(key=lambda number: (number not in kept_for_me, number))
    reasons = []
    for number in wanted:
        reason = _refusal(charge_point, number, kept_for_me, sessions, reservations)
        if reason is None:
            return number
        reasons.append(reason)
    return min(reasons, key=MOST_LASTING_LAST.index)


def is_out_of_touch(charge_point: ChargePointRow) -> bool:
    """Whether nobody is there to take a command."""
    whole = charge_point.connectors.get(WHOLE_CHARGE_POINT)
    state = charge_point.state if whole is None else whole.state
    return ChargePointState.DISCONNECTED in (state, charge_point.state)


def _refusal(
    point: ChargePointRow,
    connector_id: int,
    kept_for_me: Collection[int],
    sessions: Collection[SessionRow],
    reservations: Collection[ReservationRow],
) -> Denial | None:
    if any(session.connector_id == connector_id for session in sessions):
        return Denial.BUSY
    connector = point.connectors.get(connector_id)
    if connector is None:
        connector = point.connectors.get(WHOLE_CHARGE_POINT)
    if connector is not None and connector.state in BY_STATE:
        return BY_STATE[connector.state]
    if connector_id in kept_for_me:
        return None
    promised = any(r.connector_id == connector_id for r in reservations)
    reserved = promised or (connector is not None and connector.ocpp_status == OcppStatus.RESERVED.value)
    return Denial.RESERVED if reserved else None
