from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from evcharging.mqtt.backoff import Backoff


@given(st.integers(min_value=0, max_value=10_000), st.integers())
def test_a_pause_is_never_longer_than_the_most_nor_shorter_than_half_of_the_first(attempt: int, seed: int) -> None:
    pause_s = Backoff(first_s=0.5, most_s=30.0).pause_s(attempt, Random(seed))
    assert 0.25 <= pause_s <= 30.0


def test_pauses_double_up_to_the_most() -> None:
    class Uncut(Random):
        def uniform(self, a: float, b: float) -> float:
            return b

    pauses = [Backoff(first_s=0.5, most_s=5.0).pause_s(attempt, Uncut()) for attempt in range(6)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_clients_that_fail_together_do_not_return_together() -> None:
    pauses = {Backoff().pause_s(3, Random(seed)) for seed in range(50)}
    assert len(pauses) == 50
