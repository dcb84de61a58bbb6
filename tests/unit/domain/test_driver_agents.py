import random
from collections import Counter
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evcharging.domain.driver_agents import (
    DAY_S,
    HOME,
    MIXTURES,
    WORKPLACE,
    ArrivalPattern,
    Step,
    Visit,
    drive,
    plan_day,
    plan_visit,
    site_events,
)
from evcharging.domain.vehicle import DEMO_VEHICLE


def visit(driver, arrival_s, stay_s, patience_s=200.0):
    return Visit(driver, arrival_s, stay_s, patience_s, 10.0, DEMO_VEHICLE)


def told(visits, charge_points=1, seed=1):
    events = drive(visits, charge_points=charge_points, generator=random.Random(seed))
    return [(event.at_s, event.step.value, event.visit.driver) for event in events]


def events_of(mixture, *, seed=7, drivers=30, charge_points=5, start_s=0.0, most=400):
    return list(
        islice(
            site_events(
                mixture,
                start_s=start_s,
                charge_points=charge_points,
                drivers=drivers,
                generator_of=lambda name: random.Random(f"{seed}/{name}"),
            ),
            most,
        )
    )


def test_a_driver_plugs_in_stays_and_plugs_out():
    assert told([visit(0, 10.0, 60.0)]) == [(10.0, "plug-in", 0), (70.0, "plug-out", 0)]


def test_the_first_in_the_queue_takes_what_falls_free():
    visits = [visit(0, 0.0, 60.0), visit(1, 10.0, 60.0), visit(2, 20.0, 60.0)]
    assert told(visits) == [
        (0.0, "plug-in", 0),
        (10.0, "queue", 1),
        (20.0, "queue", 2),
        (60.0, "plug-out", 0),
        (60.0, "plug-in", 1),
        (120.0, "plug-out", 1),
        (120.0, "plug-in", 2),
        (180.0, "plug-out", 2),
    ]


def test_who_waits_longer_than_its_patience_leaves():
    assert told([visit(0, 0.0, 500.0), visit(1, 10.0, 60.0, patience_s=30.0)]) == [
        (0.0, "plug-in", 0),
        (10.0, "queue", 1),
        (40.0, "give-up", 1),
        (500.0, "plug-out", 0),
    ]


def test_a_stay_counts_from_plugging_in_and_not_from_arriving():
    last = told([visit(0, 0.0, 50.0), visit(1, 10.0, 60.0)])[-1]
    assert last == (110.0, "plug-out", 1)


def test_a_site_without_charge_points_is_refused():
    with pytest.raises(ValueError, match="at least 1 charge point"):
        list(drive([], charge_points=0, generator=random.Random(1)))


@pytest.mark.parametrize("figures", [(0, 1, 1, 1, 1), (1, 24, 1, 1, 1), (1, 1, -1, 1, 1), (1, 1, 1, 0, 1)])
def test_a_pattern_that_makes_no_sense_is_refused(figures):
    with pytest.raises(ValueError, match=r"must be"):
        ArrivalPattern(*figures)


def test_people_come_home_in_the_evening_and_to_work_by_the_mixture():
    home = [plan_visit(HOME, driver=0, day_start_s=0.0, generator=random.Random(seed)) for seed in range(500)]
    hours = [planned.arrival_s / 3600 for planned in home]
    assert sum(17 <= hour <= 19 for hour in hours) > 0.8 * len(hours)
    assert sum(planned.stay_s for planned in home) / len(home) / 3600 == pytest.approx(11.0, rel=0.05)
    work = [plan_visit(WORKPLACE, driver=0, day_start_s=0.0, generator=random.Random(seed)) for seed in range(2000)]
    early = sum(5 <= planned.arrival_s / 3600 <= 9 for planned in work) / len(work)
    assert early == pytest.approx(0.58 / 1.01 + 0.43 / 1.01 * 0.16, abs=0.05)
    mean_kwh = (0.43 * 11.6 + 0.39 * 10.1 + 0.19 * 31.0) / 1.01
    assert sum(planned.energy_kwh for planned in work) / len(work) == pytest.approx(mean_kwh, rel=0.05)


def test_the_same_seed_gives_the_same_days_and_another_one_others():
    assert events_of(WORKPLACE) == events_of(WORKPLACE)
    assert events_of(WORKPLACE) != events_of(WORKPLACE, seed=8)


def test_days_follow_each_other_without_end():
    days = {int(event.at_s // DAY_S) for event in events_of(HOME, drivers=3)}
    assert len(days) > 10


def test_a_start_in_the_middle_of_a_day_begins_with_what_comes_after_it():
    start_s = 2 * DAY_S + 12 * 3600.0
    assert events_of(WORKPLACE, start_s=start_s)[0].at_s >= start_s


def test_a_site_nobody_comes_to_is_quiet():
    assert events_of(HOME, drivers=0) == []


def test_a_day_is_planned_in_order_of_arrival_for_numbered_drivers():
    planned = plan_day(WORKPLACE, day_start_s=DAY_S, generators=[random.Random(seed) for seed in range(9)])
    assert sorted(visit.driver for visit in planned) == list(range(9))
    assert all(one.arrival_s <= other.arrival_s for one, other in pairwise(planned))
    assert all(DAY_S <= visit.arrival_s < 2 * DAY_S for visit in planned)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    charge_points=st.integers(1, 6),
    drivers=st.integers(1, 40),
    mixture=st.sampled_from(sorted(MIXTURES)),
)
def test_time_runs_forward_and_no_charge_point_ever_holds_two(seed, charge_points, drivers, mixture):
    events = events_of(MIXTURES[mixture], seed=seed, drivers=drivers, charge_points=charge_points, most=200)
    occupied = {}
    waiting = Counter()
    last_s = 0.0
    for event in events:
        assert event.at_s >= last_s
        last_s = event.at_s
        driver = event.visit.driver
        if event.step is Step.PLUG_IN:
            assert event.charge_point not in occupied
            assert 0 <= event.charge_point < charge_points
            occupied[event.charge_point] = driver
            waiting[driver] = max(0, waiting[driver] - 1)
        elif event.step is Step.PLUG_OUT:
            assert occupied.pop(event.charge_point) == driver
        else:
            assert len(occupied) == charge_points
            assert event.charge_point is None
            waiting[driver] += 1 if event.step is Step.QUEUE else -1
