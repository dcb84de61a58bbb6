from __future__ import annotations

from dataclasses import replace

import pytest

from evcharging.apps.swarm.book_entry import everything_of, signature_of
from evcharging.apps.swarm.handover import Past, before_it_began


@pytest.fixture
def charging(record):
    return before_it_began("S-1", "default", Past((1250.0,), (record,)))


def test_a_meter_makes_no_other_station_of_it_but_is_part_of_everything(charging):
    later = replace(charging, register_wh=1300.0, kw=7.0)
    assert signature_of(later, []) == signature_of(charging, [])
    assert everything_of(later, []) != everything_of(charging, [])


@pytest.mark.parametrize("change", [{"connected": True}, {"policy": "wait: Price too high"}, {"running": False}])
def test_what_others_go_by_makes_another_station_of_it(charging, change):
    assert signature_of(replace(charging, **change), []) != signature_of(charging, [])


def test_the_name_and_the_end_of_a_transaction_make_another_station_of_it(charging, record):
    before = signature_of(charging, [])
    record.transaction_id = 8
    named = signature_of(charging, [])
    record.ended_at_s = 1.0
    assert len({before, named, signature_of(charging, [])}) == 3


def test_a_meter_value_that_waits_is_no_news_and_an_end_that_waits_is(charging):
    assert signature_of(charging, [{"key": 1, "kind": "meter"}]) == signature_of(charging, [])
    assert signature_of(charging, [{"key": 1, "kind": "end"}]) != signature_of(charging, [])
    assert everything_of(charging, [{"key": 1, "kind": "meter"}]) != everything_of(charging, [])


def test_a_sample_of_a_transaction_is_part_of_everything_though_the_register_was_told_before(charging, record):
    before = everything_of(charging, [])
    record.meter_wh += 2
    assert everything_of(charging, []) != before
