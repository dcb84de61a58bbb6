"""TransactionEvents, read. What comes of them is in tests/integration/test_gateway_v201.py."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from evcharging.apps.ocpp_gateway.transaction_event_v201 import first_register, last_register, read_event
from evcharging.ocpp.schemas import check_request
from evcharging.ocpp.versions import OcppVersion

AT = "2026-01-31T12:00:00Z"


def payload(**more: Any) -> dict[str, Any]:
    made = {
        "eventType": "Updated",
        "timestamp": AT,
        "triggerReason": "MeterValuePeriodic",
        "seqNo": 3,
        "transactionInfo": {"transactionId": "T-1"},
        **more,
    }
    check_request(OcppVersion.V201, "TransactionEvent", made)
    return made


def register(*values: float) -> list[dict[str, Any]]:
    return [{"timestamp": AT, "sampledValue": [{"value": value}]} for value in values]


def test_what_an_event_leaves_out_is_not_made_up() -> None:
    event = read_event("CP-001", payload())

    assert (event.kind, event.seq_no, event.offline, event.key) == ("Updated", 3, False, ("CP-001", "T-1"))
    assert event.at == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert (event.evse_id, event.id_tag, event.charging_state, event.stopped_reason) == (None, None, None, None)
    assert (event.remote_start_id, event.reservation_id, event.readings) == (None, None, [])
    assert not event.needs_no_token


def test_all_that_an_event_tells_is_read() -> None:
    info = {"transactionId": "T-1", "chargingState": "Charging", "stoppedReason": "Local", "remoteStartId": 9}
    event = read_event(
        "CP-001",
        payload(
            transactionInfo=info,
            evse={"id": 2, "connectorId": 1},
            idToken={"idToken": "TAG", "type": "Central"},
            reservationId=5,
            offline=True,
            meterValue=register(1, 2, 3),
        ),
    )

    assert (event.evse_id, event.id_tag, event.reservation_id, event.remote_start_id) == (2, "TAG", 5, 9)
    assert (event.charging_state, event.stopped_reason, event.offline) == ("Charging", "Local", True)
    assert (first_register(event.readings), last_register(event.readings)) == (1, 3)


def test_a_register_that_nobody_told_is_unknown() -> None:
    current = {"value": 16, "measurand": "Current.Import"}
    event = read_event("CP-001", payload(meterValue=[{"timestamp": AT, "sampledValue": [current]}]))

    assert (first_register(event.readings), last_register(event.readings)) == (None, None)
    assert first_register([]) is None


def test_a_button_needs_no_token() -> None:
    event = read_event("CP-001", payload(idToken={"idToken": "", "type": "NoAuthorization"}))

    assert event.needs_no_token
    assert event.id_tag is None


@pytest.mark.parametrize("evse_id", [-1, 256])
def test_an_evse_that_no_station_has_is_none(evse_id: int) -> None:
    assert read_event("CP-001", payload(evse={"id": evse_id})).evse_id is None
