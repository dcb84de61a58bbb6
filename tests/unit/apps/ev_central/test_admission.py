from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from evcharging.apps.ev_central.admission import is_out_of_touch, place_for
from evcharging.domain.states import ChargePointState, roll_up
from evcharging.messages.drivers import Denial
from evcharging.store.simulator.rows import (
    ChargePointRow,
    ConnectorValue,
    Phase,
    ReservationRow,
    ReservationStatus,
    SessionRow,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DISCONNECTED, ACTIVATED, SUPPLYING, STOPPED, FAULT = ChargePointState


def point(*states: ChargePointState, source: str = "ocpp", reserved: int | None = None) -> ChargePointRow:
    """A charge point whose whole is the first of ``states`` and whose connectors are the others."""
    connectors = {
        number: ConnectorValue(state, source, "Reserved" if number == reserved else None)
        for number, state in enumerate(states)
    }
    rolled_up = roll_up(dict(enumerate(states)))
    return ChargePointRow(cp_id="ST-1", registered_at=NOW, state=rolled_up, connectors=connectors, source=source)


def session(connector_id: int) -> SessionRow:
    return SessionRow(
        session_id=f"s-{connector_id}",
        request_id=f"s-{connector_id}",
        cp_id="ST-1",
        connector_id=connector_id,
        driver_id="driver-zoe",
        source="ocpp",
        status="ACTIVE",
        phase=Phase.STARTING,
        created_at=NOW,
        start_deadline=NOW,
        currency="EUR",
    )


def reservation(connector_id: int, driver_id: str) -> ReservationRow:
    return ReservationRow(
        request_id="r",
        command_id="c",
        driver_id=driver_id,
        cp_id="ST-1",
        connector_id=connector_id,
        id_tag="A",
        status=ReservationStatus.ACTIVE,
        created_at=NOW,
        expires_at=NOW + timedelta(minutes=15),
    )


@pytest.mark.parametrize(
    ("states", "found"),
    [
        ((ACTIVATED,), 1),
        ((ACTIVATED, ACTIVATED), 1),
        ((ACTIVATED, SUPPLYING, ACTIVATED), 2),
        ((ACTIVATED, FAULT, STOPPED, ACTIVATED), 3),
        ((ACTIVATED, SUPPLYING, SUPPLYING), Denial.BUSY),
        ((ACTIVATED, FAULT, SUPPLYING), Denial.BUSY),
        ((ACTIVATED, FAULT, STOPPED), Denial.FAULTED),
        ((ACTIVATED, STOPPED, STOPPED), Denial.STOPPED),
        ((FAULT, ACTIVATED), Denial.FAULTED),
        ((DISCONNECTED, SUPPLYING), Denial.DISCONNECTED),
        ((STOPPED, ACTIVATED), Denial.STOPPED),
        ((SUPPLYING,), Denial.BUSY),
    ],
)
def test_the_first_free_connector_is_taken_or_what_passes_soonest_is_told(states, found):
    assert place_for(point(*states), "driver-alice") == found


def test_a_connector_that_has_a_session_is_busy_whatever_it_says():
    two = point(ACTIVATED, ACTIVATED, ACTIVATED)
    assert place_for(two, "driver-alice", sessions=[session(1)]) == 2
    assert place_for(two, "driver-alice", sessions=[session(1), session(2)]) is Denial.BUSY
    assert place_for(two, "driver-alice", connector_id=1, sessions=[session(1)]) is Denial.BUSY


def test_a_reserved_connector_is_its_drivers_alone_and_comes_first_for_them():
    two = point(ACTIVATED, ACTIVATED, ACTIVATED)
    kept = [reservation(2, "driver-alice")]
    assert place_for(two, "driver-alice", reservations=kept) == 2
    assert place_for(two, "driver-bob", reservations=kept) == 1
    assert place_for(two, "driver-bob", connector_id=2, reservations=kept) is Denial.RESERVED
    assert place_for(point(ACTIVATED, ACTIVATED, reserved=1), "driver-bob") is Denial.RESERVED
    assert place_for(point(ACTIVATED, ACTIVATED, reserved=1), "driver-bob", kept=[1]) == 1
    assert place_for(point(ACTIVATED, ACTIVATED, ACTIVATED, reserved=2), "driver-bob", kept=[2]) == 2
    own = [reservation(1, "driver-alice")]
    assert place_for(point(ACTIVATED, ACTIVATED, reserved=1), "driver-alice", reservations=own) == 1


def test_an_operators_stop_is_told_before_being_busy_and_a_fault_before_the_stop():
    stopped = point(ACTIVATED, SUPPLYING)
    stopped.administrative_stop = True
    assert place_for(stopped, "driver-alice") is Denial.STOPPED
    faulted = point(FAULT, SUPPLYING)
    faulted.administrative_stop = True
    assert place_for(faulted, "driver-alice") is Denial.FAULTED


def test_a_connector_that_a_station_does_not_have_is_no_place():
    assert place_for(point(ACTIVATED, ACTIVATED), "driver-alice", connector_id=2) is Denial.INVALID_REQUEST
    assert place_for(point(ACTIVATED, ACTIVATED, source="engine"), "driver-alice", connector_id=2) == 2


def test_a_unit_that_only_reports_takes_nobody():
    assert place_for(point(ACTIVATED, source="mqtt"), "driver-alice") is Denial.UNKNOWN_CHARGE_POINT


@pytest.mark.parametrize(
    ("states", "away"), [((DISCONNECTED, SUPPLYING), True), ((ACTIVATED, SUPPLYING), False), ((FAULT,), False)]
)
def test_who_is_disconnected_as_a_whole_is_out_of_touch(states, away):
    assert is_out_of_touch(point(*states)) is away
