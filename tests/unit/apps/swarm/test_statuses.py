from __future__ import annotations

from dataclasses import replace

import pytest

from evcharging.apps.swarm.book_entry import BookEntry
from evcharging.apps.swarm.handover import Past, before_it_began
from evcharging.apps.swarm.statuses import HOLDS_S, Statuses
from evcharging.messages.network import SwarmState
from evcharging.messages.topics import SWARM_STATUS
from evcharging.ocpp.station.interfaces import StandingOrders

from .conftest import AT


@pytest.fixture
def statuses():
    return Statuses(worker="w1", holder="w1/a", now=lambda: AT)


def entry_of(snapshot, **values):
    return BookEntry(4, lambda: snapshot, [], **values)


def test_a_status_says_how_a_station_is_and_what_the_next_worker_needs(statuses, record):
    snapshot = replace(before_it_began("S-1", "busy", Past((1250.0,), (record,))), connected=True, kw=7.3604)
    entry = entry_of(snapshot)
    status = statuses.of("S-1", entry, snapshot)
    assert (status.ts, status.worker, status.profile, status.holds_s) == (AT, "w1", "busy", HOLDS_S)
    assert (status.kw, status.kwh, status.register_wh, status.transaction_id) == (7.36, 0.25, 1250.0, 7)
    assert (status.handover.term, status.handover.holder, status.handover.released) == (4, "w1/a", False)
    assert (entry.kw, entry.state) == (7.3604, status.state)


def test_the_last_word_holds_for_good_and_draws_nothing(statuses, idle):
    snapshot = replace(idle, connected=True, kw=7.0)
    status = statuses.of("S-1", entry_of(snapshot, kwh_before=3.5), snapshot, state=SwarmState.STOPPED, released=True)
    assert (status.state, status.kw, status.kwh, status.holds_s) == (SwarmState.STOPPED, 0.0, 3.5, None)
    assert status.handover.released


def test_what_the_csms_set_is_said_anew_only_where_it_has_changed(statuses, idle):
    snapshot = replace(idle, orders=StandingOrders({"ConnectionTimeOut": "11"}))
    first, again = (statuses.of("S-1", entry_of(snapshot), snapshot).handover.orders for _ in range(2))
    assert again is first
    statuses.forget("S-1")
    assert statuses.of("S-1", entry_of(snapshot), snapshot).handover.orders is not first


def test_each_status_is_a_record_of_its_own(statuses, idle):
    status = statuses.of("S-1", entry_of(idle), idle)
    first, second = statuses.event(status), statuses.event(status)
    assert (first.topic, first.source, first.message) == (SWARM_STATUS, "swarm/w1", status)
    assert first.id != second.id
