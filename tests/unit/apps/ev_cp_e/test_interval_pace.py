"""Which readings of the register end an interval."""

from __future__ import annotations

from evcharging.apps.ev_cp_e.interval_pace import IntervalPace


def ended_at(began_s: float, *readings_s: float) -> list[float]:
    pace = IntervalPace(began_s)
    ended = []
    for now_s in readings_s:
        if pace.ends_with_reading(now_s):
            pace.closed(now_s)
            ended.append(now_s)
    return ended


def test_each_seconds_reading_ends_one():
    assert ended_at(100.0, 101.0, 102.0, 103.0) == [101.0, 102.0, 103.0]


def test_a_reading_right_after_another_does_not():
    assert ended_at(100.0, 100.3, 101.3, 101.4, 102.3) == [101.3, 102.3]


def test_readings_that_waited_to_be_read_do_not():
    assert ended_at(100.0, 101.0, 109.0, 109.001, 109.002, 109.4, 110.0, 111.0) == [101.0, 110.0, 111.0]


def test_a_reading_that_was_lost_makes_one_longer_and_stops_nothing():
    assert ended_at(100.0, 101.0, 103.0, 104.0, 105.0) == [101.0, 104.0, 105.0]


def test_a_state_that_keeps_changing_stops_nothing_either():
    readings = [100.0 + tenth * 0.2 for tenth in range(1, 51)]
    ended = ended_at(100.0, *readings)
    assert len(ended) >= 16
