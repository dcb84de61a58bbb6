"""Sessions that began without Central: at an OCPP station, with a card, or while the station was offline.

Whatever names such a session first begins its record: the status that begins it or ends it, the list of connectors in
a status, or an interval. What comes later fills in what came without. Engines' sessions are never adopted: they begin
by command.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Self

import structlog

from evcharging.apps.ev_central.accounts import close_session
from evcharging.apps.ev_central.driver_tokens import drivers_of
from evcharging.apps.ev_central.work import Work
from evcharging.domain.end_reasons import EndReason
from evcharging.domain.tariff import PriceHistory
from evcharging.messages.charge_points import (
    ConnectorDetail,
    Status,
    StatusDetail,
    StatusSource,
    Telemetry,
    holder_of,
)
from evcharging.messages.commands import LONGEST_EXPIRY_S, CommandAction
from evcharging.messages.drivers import Denial
from evcharging.store.simulator.rows import Phase, SessionRow
from evcharging.store.simulator.tokens import folded

__all__ = ["Adoption", "is_past", "let_go", "take_connector"]

log = structlog.get_logger()

LONGEST_DRIVER_ID = 64
NOBODY_KNOWN = "unknown"
"""The driver of a session of which no idTag was told yet."""


class Adoption:
    """Makes the records of one batch's unknown sessions. Made by `prepare`, which asks whose the idTags are."""

    def __init__(self, work: Work, prices: PriceHistory, owners: Mapping[str, str]) -> None:
        self._work = work
        self._prices = prices
        self._owners = owners

    @classmethod
    async def prepare(
        cls, work: Work, prices: PriceHistory, *, statuses: Sequence[Status], strangers: Sequence[Telemetry]
    ) -> Self:
        """Look up the drivers of the idTags in what is to be handled, in one query; none where nothing is unknown."""
        id_tags: set[str | None] = {t.id_tag for t in strangers if not t.driver_id}
        for status in statuses:
            detail = status.detail
            if status.source is not StatusSource.OCPP or detail is None:
                continue
            if _wants_driver(work, status.session_id, detail):
                id_tags.add(detail.id_tag)
            id_tags.update(c.id_tag for c in detail.connectors or () if _wants_driver(work, c.session_id, c))
        return cls(work, prices, await drivers_of(work, filter(None, id_tags)))

    def of_status(self, status: Status) -> SessionRow:
        """The record of the session that a status speaks of, begun now."""
        detail = status.detail or StatusDetail()
        session = self._enter(
            str(status.session_id),
            cp_id=status.cp_id,
            connector_id=status.connector_id,
            driver_id=self.driver_of(detail.driver_id, detail.id_tag),
            began=detail.started_at or status.ts,
        )
        session.started_at = detail.started_at
        return session

    def of_connector(self, status: Status, connector: ConnectorDetail) -> SessionRow:
        """The record of a session that only the list of connectors names: what began it was compacted away."""
        session = self._enter(
            str(connector.session_id),
            cp_id=status.cp_id,
            connector_id=connector.connector_id,
            driver_id=self.driver_of(connector.driver_id, connector.id_tag),
            began=status.ts,
        )
        session.started_at = status.ts
        take_connector(self._work, session)
        return session

    def of_interval(self, telemetry: Telemetry) -> SessionRow | None:
        """The record of the session that an interval belongs to; None where no station metered it, or an intruder.

        An interval that ended before the connector's present session began is of the past: that session keeps the
        connector, and this one waits for its end.
        """
        point = self._work.charge_points.get(telemetry.cp_id)
        of_station = telemetry.source is StatusSource.OCPP or (
            point is not None and point.source == StatusSource.OCPP.value
        )
        engine_has_it = point is not None and holder_of(point.source, point.state) is StatusSource.ENGINE
        if not of_station or engine_has_it:
            return None
        session = self._enter(
            telemetry.session_id,
            cp_id=telemetry.cp_id,
            connector_id=telemetry.connector_id,
            driver_id=self.driver_of(telemetry.driver_id, telemetry.id_tag),
            began=telemetry.interval_start,
        )
        session.started_at = telemetry.interval_start
        present = _holder(self._work, session)
        if present is not None and (present.started_at or present.created_at) >= telemetry.interval_end:
            let_go(self._work, session)
        else:
            take_connector(self._work, session)
        return session

    def fill_in(self, session: SessionRow, detail: StatusDetail) -> None:
        """Name the driver where the session was adopted from something that did not."""
        if session.driver_id == NOBODY_KNOWN:
            session.driver_id = self.driver_of(detail.driver_id, detail.id_tag)

    def driver_of(self, driver_id: str | None, id_tag: str | None) -> str:
        """The driver as told, else the owner of the token, else the idTag itself."""
        if driver_id:
            return driver_id[:LONGEST_DRIVER_ID]
        if not id_tag:
            return NOBODY_KNOWN
        return self._owners.get(folded(id_tag)) or id_tag[:LONGEST_DRIVER_ID]

    def _enter(self, session_id: str, *, cp_id: str, connector_id: int, driver_id: str, began: datetime) -> SessionRow:
        work = self._work
        session = SessionRow(
            session_id=session_id,
            request_id=session_id,
            cp_id=cp_id,
            connector_id=connector_id,
            driver_id=driver_id,
            source=StatusSource.OCPP.value,
            status="ACTIVE",
            phase=Phase.SUPPLYING,
            created_at=work.now,
            start_deadline=work.now,
            last_contact_at=work.now,
            currency=self._prices.price_at(began).currency.code,
        )
        work.know([session])
        work.changed(session)
        log.info("session adopted", session_id=session_id, cp_id=cp_id, connector_id=connector_id)
        return session


def is_past(status: Status) -> bool:
    """Whether a status tells of a session that its connector no longer has."""
    connectors = status.detail.connectors if status.detail is not None else None
    present = next((c.session_id for c in connectors or () if c.connector_id == status.connector_id), None)
    return present is not None and present != status.session_id


def take_connector(work: Work, session: SessionRow) -> None:
    """Give the connector to a session that a station has on it, and end what Central had there.

    A start that was only commanded cannot succeed any more: it fails as ``busy``, and is taken back in case it came
    through. A session that supplied has ended without word of it: its own end may still be on its way.
    """
    holder = _holder(work, session)
    if holder is None:
        return
    if holder.phase is Phase.STARTING:
        close_session(work, holder, Denial.BUSY.value)
        work.order(
            CommandAction.STOP_SUPPLY,
            holder.cp_id,
            cause=f"{holder.session_id}:superseded",
            valid_s=LONGEST_EXPIRY_S,
            session=holder,
            payload={"reason": Denial.BUSY.value},
        )
    else:
        let_go(work, holder)


def let_go(work: Work, session: SessionRow) -> None:
    """Have a session wait for its end without the connector; where none comes in time it is closed as it is.

    The time counts from now: however long ago the session itself was heard of, its charge point has just spoken.
    """
    session.phase = Phase.ENDING
    session.reason = EndReason.ENGINE_LOST.value
    session.ended_at = session.ended_at or min(session.last_contact_at or work.now, work.now)
    session.last_contact_at = work.now
    work.changed(session)


def _holder(work: Work, session: SessionRow) -> SessionRow | None:
    return next(
        (
            other
            for other in work.active_sessions(session.cp_id, session.connector_id)
            if other is not session and other.phase is not Phase.ENDING
        ),
        None,
    )


def _wants_driver(work: Work, session_id: str | None, told: StatusDetail | ConnectorDetail) -> bool:
    if session_id is None or told.id_tag is None or told.driver_id:
        return False
    session = work.sessions.get(session_id)
    return session is None or session.driver_id == NOBODY_KNOWN
