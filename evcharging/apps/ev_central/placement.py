"""Where a driver's request can be served: the charge point that was asked for, or one that Central chooses."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from evcharging.apps.ev_central.admission import place_for
from evcharging.apps.ev_central.driver_tokens import drivers_of
from evcharging.apps.ev_central.work import Work
from evcharging.domain.authorization import id_tag_of_driver
from evcharging.messages.drivers import ANY_CHARGE_POINT, Denial, DriverRequest
from evcharging.store.simulator import network, reservations
from evcharging.store.simulator.rows import ChargePointRow
from evcharging.store.simulator.tokens import folded

__all__ = ["Place", "choose_place", "place_at"]

CANDIDATES = 20


class Place(NamedTuple):
    """A connector that is free for one driver now; ``id_tag`` is the driver's that the station keeps it for."""

    point: ChargePointRow
    connector_id: int
    id_tag: str | None = None


async def choose_place(
    work: Work, request: DriverRequest, *, suits: Callable[[ChargePointRow], bool] = lambda _: True
) -> Place | Denial:
    """The place for a request, or why there is none. The charge point that it names must be loaded.

    ``suits`` says which charge points will do where Central chooses.
    """
    if request.cp_id != ANY_CHARGE_POINT:
        return await place_at(work, request.cp_id, request.driver_id, connector_id=request.connector_id)
    candidates = await network.free_charge_points(work.transaction, limit=CANDIDATES)
    await work.load(cp_ids=[point.cp_id for point in candidates])
    for candidate in candidates:
        if suits(work.charge_points[candidate.cp_id]):
            place = await place_at(work, candidate.cp_id, request.driver_id)
            if isinstance(place, Place):
                return place
    return Denial.NO_FREE_CHARGE_POINT


async def place_at(work: Work, cp_id: str, driver_id: str, *, connector_id: int | None = None) -> Place | Denial:
    """A place at one charge point, which must be loaded."""
    point = work.charge_points.get(cp_id)
    if point is None:
        return Denial.UNKNOWN_CHARGE_POINT
    standing = await reservations.standing_at(work.transaction, [cp_id])
    kept = await _kept_for(work, point, driver_id)
    found = place_for(
        point,
        driver_id,
        connector_id=connector_id,
        sessions=work.active_sessions(cp_id),
        reservations=[row for row in standing if row.expires_at > work.now],
        kept=kept,
    )
    return found if isinstance(found, Denial) else Place(point, found, kept.get(found))


async def _kept_for(work: Work, point: ChargePointRow, driver_id: str) -> dict[int, str]:
    """The connectors that the station keeps for the driver, whoever asked it to, with the idTag it keeps them for."""
    reserved = {number: told.reserved_for for number, told in point.connectors.items() if told.reserved_for}
    if not reserved:
        return {}
    owners = await drivers_of(work, reserved.values())
    own = {folded(driver_id), folded(id_tag_of_driver(driver_id))}  # what an idTag that nobody owns may stand for
    return {
        number: id_tag
        for number, id_tag in reserved.items()
        if owners.get(folded(id_tag)) == driver_id or (folded(id_tag) not in owners and folded(id_tag) in own)
    }
