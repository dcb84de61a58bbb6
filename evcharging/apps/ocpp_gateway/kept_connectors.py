"""For whom reserved connectors are kept: what a station's ``Reserved`` does not say, and the gateway has stored.

Read where a station took a reservation, and where one comes back; statuses tell it from then on, so that whoever
decides about drivers can let the holder start, whoever asked for the reservation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evcharging.apps.ocpp_gateway.charge_points import ChargePoint
from evcharging.apps.ocpp_gateway.writes import Work
from evcharging.domain.states import WHOLE_CHARGE_POINT, OcppStatus
from evcharging.store.gateway import records

__all__ = ["learn_holders"]


async def learn_holders(
    work: Work, points: Sequence[ChargePoint], *, say: Callable[[ChargePoint, int], None] | None = None
) -> None:
    """Read who holds the connectors of those stations, for their memory.

    ``say`` is told of each connector that its station has said to be reserved already, once this is stored.
    """
    found = await records.active_reservations(work.transaction, [point.cp_id for point in points])

    def stored() -> None:
        for point in points:
            standing = [row for row in found.get(point.cp_id, ()) if row["expires_at"] > work.now]
            point.kept_for = {row["connector_id"]: row["id_tag"] for row in standing} or None
            for connector_id, report in point.connectors.items():
                if say is not None and connector_id != WHOLE_CHARGE_POINT and report.status is OcppStatus.RESERVED:
                    say(point, connector_id)

    if points:
        work.after_commit(stored)
