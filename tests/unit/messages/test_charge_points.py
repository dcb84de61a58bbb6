from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Alert, Severity, Status, StatusDetail, StatusSource, Telemetry, holder_of

NOW = datetime(2026, 5, 1, tzinfo=UTC)
INTERVAL = {
    "ts": NOW, "cp_id": "CP-001", "session_id": "s-1", "seq": 1, "interval_start": NOW, "interval_end": NOW,
    "register_wh": 100.0, "energy_wh": 6.1, "kw": 22.0, "kwh": 1.0, "euros": 0.3,
}  # fmt: skip


def test_a_status_speaks_of_the_whole_charge_point_unless_it_names_a_connector() -> None:
    status = Status(ts=NOW, cp_id="CP-001", state="FAULT", source="mqtt")
    assert (status.connector_id, status.state, status.source) == (0, ChargePointState.FAULT, StatusSource.MQTT)


def test_the_detail_of_a_status_may_be_plain_text() -> None:
    body = {
        "ts": "2026-05-01T00:00:00Z",
        "cp_id": "CP-001",
        "state": "FAULT",
        "source": "ocpp",
        "detail": "over-temperature",
    }
    assert Status.from_json(json.dumps(body)).detail == StatusDetail(text="over-temperature")


def test_the_detail_of_a_status_keeps_what_others_add() -> None:
    detail = StatusDetail.model_validate({"last_seq": 7, "firmware": "1.2"})
    assert json.loads(detail.model_dump_json(exclude_none=True)) == {"last_seq": 7, "firmware": "1.2"}


@pytest.mark.parametrize(
    "wrong", [{"seq": 0}, {"energy_wh": -0.1}, {"soc": 1.01}, {"session_id": ""}, {"connector_id": 256}]
)
def test_an_interval_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    assert Telemetry(**INTERVAL).body_id() == "s-1:1"
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Telemetry(**(INTERVAL | wrong))


def test_an_alert_is_known_by_its_own_id() -> None:
    alert = Alert(ts=NOW, alert_id="a-1", cp_id="CP-001", kind="oscillation", severity=Severity.WARNING, started_at=NOW)
    assert alert.body_id() == "a-1"


def test_a_stations_status_tells_how_every_connector_stands_and_when_its_session_really_was() -> None:
    detail = StatusDetail.model_validate(
        {
            "id_tag": "ABC123",
            "transaction_id": 7,
            "started_at": "2026-04-30T22:00:00Z",
            "connectors": [
                {"connector_id": 0, "state": "ACTIVATED"},
                {"connector_id": 2, "state": "SUPPLYING", "session_id": "s-2", "ocpp_status": "SuspendedEV"},
            ],
        }
    )
    status = Status(ts=NOW, cp_id="CP-001", connector_id=1, state="ACTIVATED", source="ocpp", detail=detail)
    again = Status.from_json(status.to_json())
    assert again == status
    assert again.detail is not None
    assert again.detail.connectors is not None
    assert [c.state for c in again.detail.connectors] == [ChargePointState.ACTIVATED, ChargePointState.SUPPLYING]


def test_an_interval_says_that_a_station_metered_it() -> None:
    telemetry = Telemetry(**INTERVAL, source="ocpp", id_tag="ABC123")
    assert Telemetry.from_json(telemetry.to_json()).source is StatusSource.OCPP


@pytest.mark.parametrize(
    ("source", "state", "holder"),
    [
        ("engine", ChargePointState.ACTIVATED, StatusSource.ENGINE),
        ("engine", ChargePointState.FAULT, StatusSource.ENGINE),
        ("ocpp", ChargePointState.STOPPED, StatusSource.OCPP),
        ("engine", ChargePointState.DISCONNECTED, None),
        ("ocpp", ChargePointState.DISCONNECTED, None),
        ("mqtt", ChargePointState.SUPPLYING, None),
        (None, ChargePointState.ACTIVATED, None),
    ],
)
def test_an_id_is_held_by_who_speaks_for_its_charge_point_until_it_is_gone(
    source: str | None, state: ChargePointState, holder: StatusSource | None
) -> None:
    assert holder_of(source, state) is holder
