"""What stations say of their connectors, and what the bus is told of it.

A status is published as it comes, with the connector's session as long as one is open; one that says nothing new is
not. A connector that is said to be free while its transaction is open puts that transaction in doubt: the stop may be
on its way, in the queue of a station that has just come back, or it may never come.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from evcharging.apps.ocpp_gateway.announcements import Announcements
from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, ConnectorReport
from evcharging.apps.ocpp_gateway.writes import Work
from evcharging.domain.states import WHOLE_CHARGE_POINT, ChargePointState, OcppStatus
from evcharging.messages.envelope import Event
from evcharging.store.gateway import tables
from evcharging.store.upsert import upsert

__all__ = ["Statuses"]

FREE: Final = (OcppStatus.AVAILABLE, OcppStatus.RESERVED)
WAITING: Final = (OcppStatus.PREPARING, OcppStatus.RESERVED)
"""What a connector is while its station waits for a vehicle, or for whom it is kept."""
NO_ERROR: Final = "NoError"


class Statuses:
    """The connectors of one gateway's stations.

    Args:
        send: puts an event on the bus; called in order, never waits.
        doubt_s: a connector must be free so long for its open transaction to be closed.
        monotonic: seconds.
        on_freed: is told of a connector that is free without having served whom its station waited for.
    """

    def __init__(
        self,
        announcements: Announcements,
        *,
        send: Callable[[Event[Any]], None],
        doubt_s: float,
        monotonic: Callable[[], float],
        on_freed: Callable[[ChargePoint, int], None] = lambda _point, _connector_id: None,
    ) -> None:
        self._announcements = announcements
        self._send = send
        self._doubt_s = doubt_s
        self._monotonic = monotonic
        self._on_freed = on_freed
        self._dirty: dict[tuple[str, int], dict[str, Any]] = {}

    @property
    def due(self) -> bool:
        """Whether `flush` has something to do."""
        return bool(self._dirty)

    def report(self, point: ChargePoint, connector_id: int, report: ConnectorReport) -> None:
        """Take what a station says of a connector; 0 is the station itself."""
        before = point.connectors.get(connector_id)
        previous = point.state_of(connector_id)
        point.connectors[connector_id] = report
        self.doubt(point, connector_id)
        if before is not None and _same(before, report):
            return
        self._dirty[point.cp_id, connector_id] = _row(point.cp_id, connector_id, report)
        if point.loaded:
            self.publish(point, connector_id, reason=_reason(report), previous=previous)
        else:
            point.unsaid.add(connector_id)  # whether a session is open there is not known yet
        if before is not None and before.status in WAITING and report.status in FREE:
            self._on_freed(point, connector_id)

    def doubt(self, point: ChargePoint, connector_id: int) -> None:
        """Begin, or end, to doubt the transaction on a connector by what was last said of it."""
        transaction = point.transaction_at(connector_id)
        report = point.connectors.get(connector_id)
        if transaction is None or report is None:
            return
        if report.status not in FREE or report.reported_at < transaction.started_at:
            transaction.doubted_until_s = None
        elif transaction.doubted_until_s is None:
            transaction.doubted_until_s = self._monotonic() + self._doubt_s

    def publish(
        self,
        point: ChargePoint,
        connector_id: int,
        *,
        reason: str | None = None,
        previous: ChargePointState | None = None,
        **detail: Any,
    ) -> None:
        """Say a connector's state on the bus; 0 is the whole charge point."""
        whole = connector_id == WHOLE_CHARGE_POINT
        state = point.whole_state() if whole else point.state_of(connector_id)
        report = point.connectors.get(connector_id)
        if report is not None:
            detail |= {
                "error_code": report.error_code,
                "info": report.info,
                "vendor_error_code": report.vendor_error_code,
            }
            if state is ChargePointState.FAULT:
                detail["fault_code"] = report.error_code
        self._send(self._announcements.status(point, connector_id, state, previous=previous, reason=reason, **detail))

    async def flush(self, work: Work) -> None:
        """An effect: store what changed since the last one."""
        taken = dict(self._dirty)
        await upsert(work.transaction, tables.connectors, list(taken.values()))

        def stored() -> None:
            for key, row in taken.items():
                if self._dirty.get(key) is row:
                    del self._dirty[key]

        work.after_commit(stored)


def _same(before: ConnectorReport, after: ConnectorReport) -> bool:
    return (before.status, before.error_code, before.info, before.vendor_error_code) == (
        after.status,
        after.error_code,
        after.info,
        after.vendor_error_code,
    )


def _reason(report: ConnectorReport) -> str:
    if report.error_code not in (None, NO_ERROR):
        return str(report.error_code)
    return report.status.value


def _row(cp_id: str, connector_id: int, report: ConnectorReport) -> dict[str, Any]:
    return {
        "cp_id": cp_id,
        "connector_id": connector_id,
        "status": report.status.value,
        "error_code": report.error_code,
        "info": report.info,
        "vendor_error_code": report.vendor_error_code,
        "reported_at": report.reported_at,
    }
