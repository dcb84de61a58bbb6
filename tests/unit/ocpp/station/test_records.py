"""What is known of a station at one moment."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.domain.states import OcppStatus
from evcharging.ocpp.station.records import ConnectorState, StationSnapshot, TransactionRecord


def record(**fields: object) -> TransactionRecord:
    values = {"station_id": "S-1", "connector_id": 1, "local_id": "t-1", "id_tag": "TAG", "started_at_s": 0.0}
    return TransactionRecord(**{**values, "meter_start_wh": 1000, "meter_wh": 1000, **fields})


@given(start_wh=st.integers(0, 10**9), flows_wh=st.lists(st.integers(0, 10_000)))
def test_the_energy_of_a_transaction_is_the_difference_of_its_registers(start_wh: int, flows_wh: list[int]) -> None:
    made = record(meter_start_wh=start_wh, meter_wh=start_wh)
    for flow_wh in flows_wh:
        made.meter_wh += flow_wh
    assert made.energy_wh == sum(flows_wh)


def test_a_transaction_begins_without_a_name_of_the_csms_and_undelivered() -> None:
    made = record()
    assert (made.transaction_id, made.ended_at_s, made.reason, made.delivered) == (None, None, None, False)
    assert (made.next_event, made.began_offline) == (0, False)


def test_a_connectors_states_are_the_standards() -> None:
    assert {state.value for state in ConnectorState} == {status.value for status in OcppStatus} - {"Occupied"}


def test_a_snapshot_is_of_one_moment_and_never_changes() -> None:
    snapshot = StationSnapshot(
        station_id="S-1",
        running=True,
        connected=True,
        registered=True,
        profile="idle",
        kw=0.0,
        session_kwh=0.0,
        delivered_kwh=0.0,
        register_wh=0.0,
        sessions=0,
        queued=0,
        reconnects=0,
        policy="",
        connectors=(),
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        snapshot.kw = 7.0  # type: ignore[misc]
