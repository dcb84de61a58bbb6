"""Starts that stations took and that came to nothing: nobody plugged in, and the connector is free again.

Central is told at once, as of a session that ended without an interval, and a transaction that the same card begins
later is a session of its own. A connector that becomes free before the station's answer to a start is stored tells of
something else, and leaves the start alone.
"""

from __future__ import annotations

from prometheus_client import Counter

from evcharging.apps.ocpp_gateway.announcements import Announcements
from evcharging.apps.ocpp_gateway.charge_points import ChargePoint
from evcharging.apps.ocpp_gateway.writes import Work, Writes
from evcharging.store.gateway import remote_starts

__all__ = ["UnusedStarts"]

UNUSED = Counter("evcharging_gateway_remote_starts_unused_total", "Accepted starts whose vehicle did not come")


class UnusedStarts:
    """Closes what was ordered on connectors that their stations no longer keep for anybody."""

    def __init__(self, writes: Writes, announcements: Announcements) -> None:
        self._writes = writes
        self._announcements = announcements

    def freed(self, point: ChargePoint, connector_id: int) -> None:
        """A station waits for nobody on this connector any more: the starts that it took there will not begin."""

        async def effect(work: Work) -> None:
            orders = await remote_starts.answered_starts(work.transaction, point.cp_id, connector_id, now=work.now)
            await remote_starts.consume_starts(work.transaction, [o.remote_start_id for o in orders], work.now)
            for order in orders:
                if order.stop_requested is None:  # else Central has ended it itself
                    UNUSED.inc()
                    work.publish(self._announcements.not_begun(point, connector_id, order))

        self._writes.post(effect)
