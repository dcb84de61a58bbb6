"""Whose an id is: an engine's or an OCPP station's. Who has it keeps it until it is gone; the other is not listened to.

A station under an engine's id would speak over its charge point, and take its commands. So gateways are told which ids
engines have (``ocpp.config``), registering such an id is refused, and a status that comes all the same is ignored and
alerted of. The same holds the other way round, for an engine that is started under the id of a station.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import uuid4

import structlog
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.apps.ev_central.errors import IdTaken
from evcharging.apps.ev_central.work import Work
from evcharging.messages.charge_points import SPEAKERS, Alert, Severity, Status, StatusSource, holder_of
from evcharging.messages.envelope import derived_id
from evcharging.messages.network import OcppConfig
from evcharging.messages.topics import ALERTS, OCPP_CONFIG
from evcharging.store.simulator import network
from evcharging.store.simulator.rows import ChargePointRow
from evcharging.store.simulator.stations import StationRow, find_stations

__all__ = ["announce_id", "announce_new_holders", "engines_among", "ignore_intruder", "require_no_engine"]

log = structlog.get_logger()

IGNORED = Counter(
    "evcharging_central_intruders_total", "Statuses ignored because another has the id", ["source", "holder"]
)
KIND = "id_conflict"


def ignore_intruder(work: Work, point: ChargePointRow, status: Status) -> bool:
    """Whether a status comes from somebody else than who has the id; it is alerted of once an hour then."""
    holder = holder_of(point.source, point.state)
    if holder is None or status.source not in SPEAKERS or status.source is holder:
        return False
    IGNORED.labels(status.source.value, holder.value).inc()
    cause = f"{point.cp_id}:{holder.value}:{work.now:%Y-%m-%dT%H}"
    alert = Alert(
        ts=work.now,
        alert_id=derived_id(cause, f"cp.alerts:{KIND}"),
        cp_id=point.cp_id,
        kind=KIND,
        severity=Severity.CRITICAL,
        detail=(
            f"an OCPP station came as {point.cp_id}, which an engine runs; it is ignored: give the station another id"
            if holder is StatusSource.ENGINE
            else f"an engine was started as {point.cp_id}, which is a connected OCPP station; it is ignored: "
            "stop that engine and give it another --cp-id"
        ),
        detector="central",
        started_at=work.now,
        source="central",
    )
    work.send(ALERTS, alert, cause=cause, kind=KIND)
    log.warning(
        "a status is ignored: the id is another's", cp_id=point.cp_id, holder=holder.value, source=status.source.value
    )
    return True


def engines_among(work: Work, cp_ids: Collection[str]) -> set[str]:
    """Which of those ids engines have, as far as their charge points are loaded."""
    points = (work.charge_points.get(cp_id) for cp_id in cp_ids)
    return {p.cp_id for p in points if p is not None and holder_of(p.source, p.state) is StatusSource.ENGINE}


async def announce_new_holders(work: Work, before: Collection[str], cp_ids: Collection[str]) -> None:
    """Tell gateways of the ids that engines have taken or left; ``before`` are those that they had."""
    now = engines_among(work, cp_ids)
    changed = sorted(now.symmetric_difference(before))
    registered = await find_stations(work.transaction, changed)
    for cp_id in changed:
        announce_id(work, cp_id, registered.get(cp_id), held_by_engine=cp_id in now)


def announce_id(
    work: Work, cp_id: str, row: StationRow | None, *, held_by_engine: bool, old_password_holds: bool = False
) -> None:
    """Tell gateways what holds for an id: its registration, where there is one, and whether an engine has it."""
    registered = {} if row is None else {**_registration(row), "old_password_holds": old_password_holds}
    message = OcppConfig(ts=work.now, cp_id=cp_id, deleted=row is None, held_by_engine=held_by_engine, **registered)
    work.send(OCPP_CONFIG, message, cause=str(uuid4()), kind="ocpp-config")


async def require_no_engine(transaction: AsyncConnection, cp_id: str) -> None:
    """Refuse the id of a charge point that an engine runs; one whose engine has left may become a station.

    Raises:
        IdTaken
    """
    point = (await network.charge_points(transaction, [cp_id])).get(cp_id)
    if point is not None and holder_of(point.source, point.state) is StatusSource.ENGINE:
        raise IdTaken(cp_id)


def _registration(row: StationRow) -> dict[str, object]:
    return {
        "password_hash": row.password_hash,
        "security_profile": row.security_profile,
        "boot_status": row.boot_status,
        "heartbeat_interval_s": row.heartbeat_interval_s,
        "configuration": row.configuration,
    }
