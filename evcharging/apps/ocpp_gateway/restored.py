"""What the database knows of a station, given back to its memory. What memory has heard since counts more."""

from __future__ import annotations

from typing import Any

import structlog

from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, ConnectorReport
from evcharging.domain.states import OcppStatus

__all__ = ["restore_boot", "restore_connector"]

log = structlog.get_logger()


def restore_boot(point: ChargePoint | None, found: dict[str, Any]) -> None:
    """Take a row of `boots`, unless the station has booted since, or is gone."""
    if point is None:
        return
    if point.booted_at is None or point.booted_at < found["booted_at"]:
        point.boot_status, point.booted_at = found["status"], found["booted_at"]


def restore_connector(point: ChargePoint | None, found: dict[str, Any]) -> None:
    """Take a row of `connectors`, unless the connector was reported on since, or its station is gone."""
    if point is None:
        return
    known = point.connectors.get(found["connector_id"])
    if known is not None and known.reported_at >= found["reported_at"]:
        return
    try:
        status = OcppStatus(found["status"])
    except ValueError:
        log.error(  # noqa: TRY400 - the trace says nothing that the line does not
            "a connector's stored status is none there is", cp_id=point.cp_id, status=found["status"]
        )
        return
    point.connectors[found["connector_id"]] = ConnectorReport(
        status, found["reported_at"], found["error_code"], found["info"], found["vendor_error_code"]
    )
