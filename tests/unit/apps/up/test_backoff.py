from __future__ import annotations

from evcharging.apps.up.backoff import Backoff


def test_the_delay_doubles_to_a_quarter_of_a_minute():
    backoff = Backoff()
    assert [backoff.delay_after(0) for _ in range(7)] == [0.5, 1, 2, 4, 8, 15, 15]


def test_a_service_that_was_up_for_long_begins_anew():
    backoff = Backoff()
    for _ in range(5):
        backoff.delay_after(0)
    assert backoff.delay_after(30) == 0.5
    assert backoff.delay_after(1) == 1
