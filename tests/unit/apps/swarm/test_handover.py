from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from evcharging.apps.swarm.handover import Past, before_it_began, handover_of, past_of, policy_of, state_of
from evcharging.domain.authorization import AuthStatus, IdTagInfo
from evcharging.domain.authorization_store import LocalList
from evcharging.domain.battery import PowerCurve
from evcharging.domain.charging_profiles import ChargingProfile, Installed, Kind, Period, Purpose, RateUnit, Schedule
from evcharging.domain.vehicle import Taper, VehicleSpec
from evcharging.messages.network import SwarmState
from evcharging.ocpp.station.interfaces import ConnectorSnapshot, ConnectorState, StandingOrders, StillThere

VEHICLE = VehicleSpec(64.0, 7.36, 0.25, Taper.LINEAR, dc_peak_kw=90.0)


def told_of(a_status, snapshot):
    """What the log has of a station that was as in ``snapshot``."""
    told = a_status().model_copy(update={"handover": handover_of(snapshot, [], term=4, holder="w1/a")})
    return type(told).from_json(told.to_json())


def connector(number, state, record=None):
    return ConnectorSnapshot(number, state, 0.0, 100.0, None, 0.0, record)


def test_a_transaction_whose_vehicle_nobody_knows_comes_back_as_it_was_and_ends_where_it_was_left(record, a_status):
    told = told_of(a_status, before_it_began("S-1", "default", Past((1250.5, 3.0), (record,))))
    past = past_of(told, goes_on_at=told.ts)
    assert past.registers_wh == (1250.5, 3.0)
    assert past.transactions == (replace(record, ended_at_s=told.ts.timestamp(), reason="PowerLoss"),)


def test_a_transaction_with_its_vehicle_goes_on_where_the_station_was_heard_of_within_a_minute(record, a_status):
    there = StillThere(VEHICLE, 0.625, record.started_at_s + 900.0, allowance_wh=1300.0, stop_at_allowance=True)
    past = Past((1250.5,), (record,), still_there={record.local_id: there})
    told = told_of(a_status, before_it_began("S-1", "default", past))
    going_on = past_of(told, goes_on_at=told.ts + timedelta(seconds=59))
    assert going_on.transactions == (record,)
    known = replace(there, vehicle=replace(VEHICLE, arrival_soc=0.625))
    assert going_on.still_there == {record.local_id: known}
    for not_in_time in (told.ts + timedelta(seconds=61), None):
        over = past_of(told, goes_on_at=not_in_time)
        assert over.transactions == (replace(record, ended_at_s=told.ts.timestamp(), reason="PowerLoss"),)
        assert over.still_there == {}


def test_a_vehicle_with_a_charging_curve_of_its_own_cannot_be_handed_over(record, a_status):
    strange = replace(VEHICLE, dc_curve=PowerCurve(((0.0, 1.0), (1.0, 0.5))))
    past = Past((1250.5,), (record,), still_there={record.local_id: StillThere(strange, 0.5)})
    told = told_of(a_status, before_it_began("S-1", "default", past))
    assert past_of(told, goes_on_at=told.ts).transactions[0].reason == "PowerLoss"


def test_what_the_csms_installed_holds_at_the_next_worker_too(idle, a_status):
    schedule = Schedule(RateUnit.AMPS, (Period(0.0, 10.0), Period(60.0, 16.0, 1)), duration_s=3600.0)
    installed = (Installed(1, ChargingProfile(7, 2, Purpose.TX, Kind.RELATIVE, schedule, transaction_id=7)),)
    told = told_of(a_status, replace(idle, charging_profiles=installed))
    assert past_of(told).charging_profiles == installed


def test_what_else_the_csms_set_holds_at_the_next_worker_too(idle, a_status):
    listed = LocalList(7, {"abc": IdTagInfo(AuthStatus.BLOCKED, None, "FLEET")})
    orders = StandingOrders({"ConnectionTimeOut": "11"}, listed, frozenset({1}))
    told = told_of(a_status, replace(idle, orders=orders))
    past = past_of(told)
    assert past.orders == orders
    assert before_it_began("S-1", "default", past).orders == orders
    assert past_of(told, ocpp_version="2.0.1").orders is None


def test_a_station_at_which_nothing_was_set_says_nothing_of_it(idle, a_status):
    assert b"orders" not in told_of(a_status, idle).to_json()
    assert past_of(told_of(a_status, idle)).orders is None


def test_what_was_said_in_one_version_of_ocpp_is_not_said_in_another_but_the_meter_goes_on(record, a_status):
    past = Past((1250.5,), (record,), still_there={record.local_id: StillThere(VEHICLE, 0.5)})
    told = told_of(a_status, before_it_began("S-1", "default", past))
    assert past_of(told, goes_on_at=told.ts, ocpp_version="2.0.1") == Past(registers_wh=(1250.5,))
    assert past_of(told, goes_on_at=told.ts, ocpp_version="1.6").transactions == (record,)


def test_a_transaction_that_had_ended_keeps_its_own_end_and_reason(record, a_status):
    ended = replace(record, ended_at_s=record.started_at_s + 30, reason="Remote")
    there = {record.local_id: StillThere(VEHICLE, 0.5)}
    snapshot = before_it_began("S-1", "default", Past((1250.0,), (ended,), still_there=there))
    told = told_of(a_status, snapshot)
    assert past_of(told, goes_on_at=told.ts).transactions == (ended,)


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
