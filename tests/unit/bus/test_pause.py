from __future__ import annotations

from evcharging.bus.pause import GrowingPause


class Clock:
    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


def pauses(clock: Clock, chance: float = 1.0) -> GrowingPause:
    return GrowingPause(first_s=1, longest_s=5, calm_s=60, monotonic=clock, chance=lambda: chance)


def lengths(pause: GrowingPause, clock: Clock, count: int) -> list[float]:
    found = []
    for _ in range(count):
        pause.begin()
        found.append(pause.left_s())
        clock.now_s += pause.left_s()
    return found


def test_each_pause_is_twice_the_last_up_to_the_longest() -> None:
    clock = Clock()
    assert lengths(pauses(clock), clock, 5) == [1, 2, 4, 5, 5]


def test_chance_takes_up_to_half_of_a_pause() -> None:
    clock = Clock()
    assert lengths(pauses(clock, chance=0.0), clock, 3) == [0.5, 1, 2]


def test_after_a_calm_pauses_begin_anew() -> None:
    clock = Clock()
    pause = pauses(clock)
    lengths(pause, clock, 3)
    clock.now_s += 61
    assert lengths(pause, clock, 2) == [1, 2]


def test_nothing_is_left_of_a_pause_that_is_over_or_was_not_begun() -> None:
    clock = Clock()
    pause = pauses(clock)
    assert pause.left_s() == 0
    pause.begin()
    clock.now_s += 0.25
    assert pause.left_s() == 0.75
    clock.now_s += 10
    assert pause.left_s() == 0
