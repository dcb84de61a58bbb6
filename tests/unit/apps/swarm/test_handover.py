from __future__ import annotations

from dataclasses import replace

import pytest

from evcharging.apps.swarm.handover import Past, before_it_began, handover_of, past_of, policy_of, state_of
from evcharging.messages.network import SwarmState
from evcharging.ocpp.station.interfaces import ConnectorSnapshot, ConnectorState


def connector(number, state, record=None):
    return ConnectorSnapshot(number, state, 0.0, 100.0, None, 0.0, record)


def test_a_transaction_comes_back_as_it_was_and_ends_where_it_was_left(record, a_status):
    snapshot = before_it_began("S-1", "default", Past((1250.5, 3.0), (record,)))
    told = a_status().model_copy(update={"handover": handover_of(snapshot, [], term=4, holder="w1/a")})
    read = type(told).from_json(told.to_json())
    past = past_of(read)
    assert past.registers_wh == (1250.5, 3.0)
    assert past.transactions == (replace(record, ended_at_s=told.ts.timestamp(), reason="PowerLoss"),)


def test_a_transaction_that_had_ended_keeps_its_own_end_and_reason(record, a_status):
    ended = replace(record, ended_at_s=record.started_at_s + 30, reason="Remote")
    snapshot = before_it_began("S-1", "default", Past((1250.0,), (ended,)))
    told = a_status().model_copy(update={"handover": handover_of(snapshot, [], term=1, holder="w1/a")})
    assert past_of(told).transactions == (ended,)


def test_of_a_station_nobody_has_heard_of_there_is_no_past():
    assert past_of(None) == Past()
    assert not past_of(None).unsettled


def test_what_is_not_delivered_is_handed_over_but_of_meter_values_only_the_newest(idle):
    queue = [{"key": 0, "kind": "begin"}]
    queue += [{"key": key, "kind": "meter"} for key in range(1, 31)]
    queue += [{"key": 31, "kind": "end"}]
    kept = [entry["key"] for entry in handover_of(idle, queue, term=1, holder="w/a").queue]
    assert kept == [0, *range(11, 31), 31]


def test_a_station_with_something_undelivered_is_not_settled(record):
    assert Past(queue=({"key": 1},)).unsettled
    assert Past(transactions=(record,)).unsettled
    assert not Past(registers_wh=(5.0,)).unsettled


@pytest.mark.parametrize(
    ("states", "word"),
    [
        ([ConnectorState.AVAILABLE], SwarmState.AVAILABLE),
        ([ConnectorState.RESERVED], SwarmState.AVAILABLE),
        ([ConnectorState.AVAILABLE, ConnectorState.SUSPENDED_EV], SwarmState.CHARGING),
        ([ConnectorState.FINISHING, ConnectorState.PREPARING], SwarmState.PREPARING),
        ([ConnectorState.FAULTED, ConnectorState.UNAVAILABLE], SwarmState.UNAVAILABLE),
        ([ConnectorState.FAULTED], SwarmState.FAULTED),
    ],
)
def test_the_busiest_connector_names_the_state(idle, states, word):
    connectors = tuple(connector(number, state) for number, state in enumerate(states, start=1))
    assert state_of(replace(idle, connected=True, connectors=connectors)) is word


def test_without_a_socket_it_is_offline_and_not_running_it_is_stopped(idle):
    assert state_of(idle) is SwarmState.OFFLINE
    assert state_of(replace(idle, running=False, connected=True)) is SwarmState.STOPPED


def test_a_decision_is_told_by_action_and_reason():
    policy = policy_of("wait: Price too high (24.50 > 20.00)")
    assert (policy.action, policy.reason) == ("wait", "Price too high (24.50 > 20.00)")
    assert policy_of("") is None


def test_before_it_begins_a_station_shows_its_past(record):
    snapshot = before_it_began("S-1", "busy", Past((1250.0,), (replace(record, connector_id=2),)))
    assert [one.register_wh for one in snapshot.connectors] == [1250.0, 0.0]
    assert snapshot.connectors[1].transaction.connector_id == 2
    assert (snapshot.register_wh, snapshot.session_kwh) == (1250.0, 0.25)


def test_an_open_transaction_is_handed_over_up_to_what_its_meter_shows(record, a_status):
    snapshot = before_it_began("S-1", "default", Past((1259.9,), (record,)))
    assert handover_of(snapshot, [], term=1, holder="w1/a").transactions[0].meter_wh == 1259
