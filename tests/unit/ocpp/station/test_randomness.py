import statistics

import pytest

from evcharging.ocpp.station.randomness import StationRandom


def numbers(seed: int, station_id: str, count: int = 5) -> list[float]:
    rng = StationRandom(seed, station_id)
    return [rng.random() for _ in range(count)]


def test_the_same_seed_and_station_give_the_same_numbers_and_any_other_do_not():
    assert numbers(1, "CP-1") == numbers(1, "CP-1")
    assert numbers(1, "CP-1") != numbers(2, "CP-1")
    assert numbers(1, "CP-1") != numbers(1, "CP-2")


def test_numbers_are_spread_evenly():
    drawn = numbers(7, "CP-1", 20_000)
    assert all(0.0 <= one < 1.0 for one in drawn)
    assert statistics.fmean(drawn) == pytest.approx(0.5, abs=0.01)
    assert statistics.pvariance(drawn) == pytest.approx(1 / 12, abs=0.002)
    tenths = [sum(int(one * 10) == tenth for one in drawn) for tenth in range(10)]
    assert all(1800 < count < 2200 for count in tenths)


def test_a_range_is_kept():
    rng = StationRandom(0, "x")
    assert all(30.0 <= rng.uniform(30.0, 90.0) <= 90.0 for _ in range(1000))


def test_it_is_the_published_generator():
    rng = StationRandom(0, "x")
    rng._state = 1234567
    assert [int(rng.random() * 2**53) for _ in range(2)] == [6457827717110365317 >> 11, 3203168211198807973 >> 11]
