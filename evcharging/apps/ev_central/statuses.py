"""What Central makes of a status: the charge point's row, the session's phase, the end of a session.

A status is a report, not a wish: it is taken as it comes, also one that no rule leads to, for records in between may
have been missed. The administrative stop is Central's own memory: whoever comes back without it is told to stop again.
Of a station, the list of its connectors is the present, and what it names that is not known here is adopted.
"""

from __future__ import annotations

from uuid import uuid4

from evcharging.apps.ev_central.accounts import close_session, note_late_end, note_registers, progress, settled
from evcharging.apps.ev_central.adoption import Adoption, is_past, let_go, take_connector
from evcharging.apps.ev_central.engines import ignore_intruder
from evcharging.apps.ev_central.work import Work
from evcharging.domain.states import OUT_OF_REACH, WHOLE_CHARGE_POINT, ChargePointState, OcppStatus, roll_up
from evcharging.messages.charge_points import SPEAKERS, ConnectorDetail, Status, StatusDetail, StatusSource
from evcharging.messages.commands import LONGEST_EXPIRY_S, CommandAction
from evcharging.messages.envelope import Received
from evcharging.messages.topics import DRIVER_UPDATES, STATUS
from evcharging.store.simulator.rows import ChargePointRow, ConnectorValue, Phase, SessionRow

__all__ = ["close_if_settled", "fault", "handle_status", "heal"]

HEALTHY = "healthy"
COMES_BACK = ("boot", "resumed")


def handle_status(work: Work, received: Received[Status], adoption: Adoption) -> None:
    """Apply one status that was not seen before. The charge point and the sessions it names must be loaded."""
    status = received.message
    point = work.charge_point(status.cp_id)
    if status.source is StatusSource.MQTT and point.source in SPEAKERS:
        return  # seen on MQTT before its own first status was read; its Kafka records count
    if ignore_intruder(work, point, status):
        return
    _take_over(point, status)
    work.changed(point)
    if status.source is not StatusSource.CENTRAL and status.reason in COMES_BACK:
        heal(work, point, status.reason or HEALTHY)
    session = _session_of(work, status, adoption)
    if session is not None:
        _advance(work, received, session, adoption)
    if status.source is StatusSource.OCPP:
        _adopt_what_is_on_connectors(work, status, adoption)
    if (
        point.administrative_stop
        and status.source is not StatusSource.CENTRAL
        and status.state is ChargePointState.ACTIVATED
        and work.active_session(point.cp_id) is None
    ):
        work.order(CommandAction.STOP_CP, point.cp_id, cause=received.id, valid_s=LONGEST_EXPIRY_S)


def close_if_settled(
    work: Work, session: SessionRow, *, detail: str | None = None, traceparent: str | None = None
) -> bool:
    """Close a session that its charge point has ended, once every interval is here."""
    if session.phase is Phase.ENDING and session.reason is not None and settled(session):
        close_session(work, session, session.reason, detail=detail, traceparent=traceparent)
        return True
    return False


def fault(work: Work, point: ChargePointRow, reason: str) -> None:
    """Declare a charge point faulty on a monitor's word. One that is out of reach already stays what it is."""
    if point.state not in OUT_OF_REACH:
        _say_of_whole(work, point, ChargePointState.FAULT, reason)


def heal(work: Work, point: ChargePointRow, reason: str = HEALTHY) -> None:
    """Take back a fault that Central declared; one that the charge point declared is the charge point's to end."""
    if _is_faulted_by_central(point):
        stopped = point.administrative_stop
        _say_of_whole(work, point, ChargePointState.STOPPED if stopped else ChargePointState.ACTIVATED, reason)


def _is_faulted_by_central(point: ChargePointRow) -> bool:
    whole = point.connectors.get(WHOLE_CHARGE_POINT)
    return whole == ConnectorValue(ChargePointState.FAULT, StatusSource.CENTRAL.value)


def _say_of_whole(work: Work, point: ChargePointRow, state: ChargePointState, reason: str) -> None:
    """Publish a status of Central's own, and remember it at once, so that the next report does not say it again."""
    status = Status(
        ts=work.now,
        cp_id=point.cp_id,
        connector_id=WHOLE_CHARGE_POINT,
        state=state,
        previous_state=point.state,
        reason=reason,
        source=StatusSource.CENTRAL,
        detail=_as_told(work, point),
    )
    _take_over(point, status)
    work.changed(point)
    work.send(STATUS, status, cause=str(uuid4()), kind=f"status:{state.value}")


def _as_told(work: Work, point: ChargePointRow) -> StatusDetail | None:
    """What a station last said of its connectors: Central's word replaces the station's record in a compacted topic."""
    if point.source != StatusSource.OCPP.value:
        return None
    connectors = []
    for number, told in sorted(point.connectors.items()):
        if number != WHOLE_CHARGE_POINT:
            session = work.active_session(point.cp_id, number)
            on_it = session.session_id if session is not None and session.phase is Phase.SUPPLYING else None
            connectors.append(
                ConnectorDetail(
                    connector_id=number,
                    state=told.state,
                    session_id=on_it,
                    ocpp_status=told.ocpp_status,
                    id_tag=told.reserved_for,
                )
            )
    return StatusDetail(connectors=tuple(connectors), ocpp_version=point.ocpp_version)


def _take_over(point: ChargePointRow, status: Status) -> None:
    if status.source in SPEAKERS:
        told_by_mqtt = [number for number, said in point.connectors.items() if said.source == StatusSource.MQTT.value]
        for number in told_by_mqtt:
            del point.connectors[number]
    detail = status.detail or StatusDetail()
    source = status.source.value
    point.connectors[status.connector_id] = ConnectorValue(status.state, source, detail.ocpp_status)
    if status.source is StatusSource.OCPP:
        point.ocpp_version = detail.ocpp_version or point.ocpp_version
        if detail.connectors:
            listed = {
                c.connector_id: ConnectorValue(c.state, source, c.ocpp_status, c.id_tag if _is_reserved(c) else None)
                for c in detail.connectors
            }
            if _is_faulted_by_central(point):  # and the station did not just speak of the whole
                listed[WHOLE_CHARGE_POINT] = point.connectors[WHOLE_CHARGE_POINT]
            point.connectors = listed
    # A connector that was heard of speaks for a whole that was not: it is connected.
    states = {number: connector.state for number, connector in point.connectors.items()}
    point.state = roll_up({WHOLE_CHARGE_POINT: ChargePointState.ACTIVATED, **states})
    point.state_reason = status.reason
    if status.source is not StatusSource.CENTRAL:
        point.source = source
        point.last_seen_at = status.ts
        if detail.administrative_stop is not None:
            point.administrative_stop = detail.administrative_stop


def _is_reserved(connector: ConnectorDetail) -> bool:
    return connector.ocpp_status == OcppStatus.RESERVED.value


def _session_of(work: Work, status: Status, adoption: Adoption) -> SessionRow | None:
    if status.session_id is not None:
        session = work.sessions.get(status.session_id)
        if session is None and status.source is StatusSource.OCPP:
            session = adoption.of_status(status)
            if is_past(status):
                let_go(work, session)
            elif status.detail is None or status.detail.last_seq is None:
                take_connector(work, session)
        return session
    if status.source is StatusSource.CENTRAL and status.state is ChargePointState.FAULT:
        return work.active_session(status.cp_id)
    return None


def _adopt_what_is_on_connectors(work: Work, status: Status, adoption: Adoption) -> None:
    for connector in (status.detail.connectors if status.detail is not None else None) or ():
        if connector.session_id is not None and connector.session_id not in work.sessions:
            adoption.of_connector(status, connector)


def _advance(work: Work, received: Received[Status], session: SessionRow, adoption: Adoption) -> None:
    status = received.message
    detail = status.detail
    if status.source is not StatusSource.CENTRAL:
        session.last_contact_at = max(session.last_contact_at or status.ts, status.ts)
    if detail is not None:
        note_registers(session, start_wh=detail.register_start_wh, end_wh=detail.register_end_wh)
        adoption.fill_in(session, detail)
        session.started_at = detail.started_at or session.started_at
    work.changed(session)
    if detail is not None and detail.last_seq is not None:  # whatever the connector does now, for another perhaps
        reason, ended_at = status.reason or "charger_fault", detail.ended_at or status.ts
        if session.status != "ACTIVE":
            note_late_end(work, session, reason, detail, ended_at=ended_at)
            return
        session.phase = Phase.ENDING
        session.reason, session.ended_at = reason, ended_at
        session.expected_seq = detail.last_seq
        close_if_settled(work, session, detail=detail.text, traceparent=received.traceparent)
        return
    if session.status != "ACTIVE":
        return
    if status.state is ChargePointState.SUPPLYING:
        session.started_at = session.started_at or status.ts
        _supply(work, status, session)
        update = progress(session, now=work.now, kw=0.0, reason=status.reason)
    elif status.state in OUT_OF_REACH:
        text = (detail.text if detail else None) or f"{status.cp_id} is {status.state.value}; the session is kept"
        update = progress(session, now=work.now, kw=0.0, reason=status.reason, detail=text)
    else:
        return
    work.send(
        DRIVER_UPDATES,
        update,
        cause=received.id,
        kind="driver-update:status",
        traceparent=received.traceparent,
    )


def _supply(work: Work, status: Status, session: SessionRow) -> None:
    if status.source is not StatusSource.OCPP:
        session.phase = Phase.SUPPLYING
    elif not is_past(status):
        session.phase = Phase.SUPPLYING
        session.reason = session.ended_at = session.expected_seq = None
        take_connector(work, session)
    elif session.phase is not Phase.ENDING:
        let_go(work, session)
