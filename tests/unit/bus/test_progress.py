from __future__ import annotations

import math

import structlog

from evcharging.bus.progress import Progress
from evcharging.bus.protocol import Record

A0, A1 = ("cp.health", 0), ("cp.health", 1)
STATE = ("cp.status", 0)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def progress_at(**positions: int) -> tuple[Progress, Clock]:
    clock = Clock()
    progress = Progress(clock)
    progress.assign({("cp.health", int(name[1:])): position for name, position in positions.items()})
    return progress, clock


def test_the_lag_is_what_lies_between_positions_and_ends() -> None:
    progress, _ = progress_at(p0=5, p1=0)
    assert progress.lag() == 0, "nothing is known of the ends yet"
    progress.saw_end(A0, 8)
    progress.saw_end(A1, 4)
    assert progress.lag() == 7
    progress.returned(A1, 0, 3)
    assert progress.health().lag == 3


def test_a_reader_has_caught_up_once_every_target_is_reached_and_known() -> None:
    progress, _ = progress_at(p0=0, p1=0)
    progress.aim(A0, 0)
    assert not progress.caught_up(), "the other partition's target is not known"
    progress.aim(A1, 3)
    assert not progress.caught_up()
    progress.returned(A1, 0, 2)
    assert progress.caught_up()
    progress.saw_end(A1, 10)
    assert progress.caught_up(), "what came later does not count"


def test_standing_still_counts_from_when_there_was_something_to_read() -> None:
    progress, clock = progress_at(p0=0)
    progress.aim(A0, 0)
    clock.now_s += 3600
    assert progress.health().stalled_s == 0
    progress.saw_end(A0, 5)
    clock.now_s += 14
    assert progress.health().stalled_s == 14
    assert progress.health().progressing
    clock.now_s += 1
    assert not progress.health().progressing
    progress.returned(A0, 0, 0)
    assert progress.health().stalled_s == 0
    assert progress.health().progressing


def test_a_jump_is_counted_logged_and_passed() -> None:
    progress, _ = progress_at(p0=10)
    with structlog.testing.capture_logs() as lines:
        progress.returned(A0, 15, 16)
    assert progress.health().jumps == 5
    assert progress.positions() == {A0: 17}
    assert [(line["expected_offset"], line["found_offset"]) for line in lines] == [(10, 15)]


def test_a_compacted_topic_has_gaps_by_nature() -> None:
    progress = Progress(Clock())
    progress.assign({STATE: 10})
    progress.returned(STATE, 15, 15)
    assert progress.health().jumps == 0
    assert progress.positions() == {STATE: 16}


def test_records_read_again_after_a_rewind_are_no_jump() -> None:
    progress, _ = progress_at(p0=0, p1=0)
    progress.returned(A0, 0, 9)
    progress.returned(A1, 0, 9)
    records = [Record("cp.health", 0, offset, None, None, (), 0) for offset in (7, 4, 8)]
    gone = Record("cp.health", 3, 2, None, None, (), 0)
    assert progress.rewind([*records, gone]) == {A0: 4}
    assert progress.positions() == {A0: 4, A1: 10}
    progress.returned(A0, 4, 9)
    assert progress.health().jumps == 0


def test_records_that_were_put_back_and_come_again_are_no_progress() -> None:
    progress, clock = progress_at(p0=0)
    progress.aim(A0, 5)
    progress.returned(A0, 0, 4)
    for _ in range(20):
        progress.rewind([Record("cp.health", 0, 0, None, None, (), 0)])
        clock.now_s += 1
        progress.returned(A0, 0, 4)
    progress.rewind([Record("cp.health", 0, 0, None, None, (), 0)])
    assert progress.health().stalled_s == 20
    progress.returned(A0, 0, 5)
    assert progress.health().stalled_s == 0


def test_what_compaction_left_of_the_end_of_a_log_counts_as_read() -> None:
    progress = Progress(Clock())
    progress.assign({STATE: 3})
    progress.aim(STATE, 6)
    progress.passed(STATE, 6)
    progress.passed(STATE, 2)
    assert progress.caught_up()
    assert progress.positions() == {STATE: 6}
    assert progress.health().jumps == 0


def test_what_a_consumer_passed_over_on_its_own_is_lost_elsewhere() -> None:
    progress, _ = progress_at(p0=3)
    progress.passed(A0, 6)
    progress.passed(A0, 6)
    assert progress.health().jumps == 3
    assert progress.positions() == {A0: 6}


def test_a_position_behind_the_end_betrays_another_log() -> None:
    progress, _ = progress_at(p0=5)
    assert not progress.overtakes({A0: 5}, {A0: 5})
    assert not progress.overtakes({A1: 0}, {A0: 5})
    assert progress.overtakes({A0: 4}, {A0: 5})


def test_what_was_read_while_the_ends_were_asked_for_betrays_nothing() -> None:
    progress, _ = progress_at(p0=5)
    asked_at = progress.positions()
    progress.returned(A0, 5, 9)
    assert not progress.overtakes({A0: 7}, asked_at)
    assert progress.overtakes({A0: 4}, asked_at)
    assert not progress.overtakes({A0: 4}, {})


def test_a_new_assignment_forgets_the_old_one() -> None:
    progress, _ = progress_at(p0=5)
    progress.aim(A0, 9)
    progress.assign({A1: 1})
    progress.saw_end(A0, 20)
    assert progress.partitions() == {A1}
    assert progress.lag() == 0


def test_a_reader_is_as_far_behind_as_the_last_ends_that_it_has_reached() -> None:
    progress, clock = progress_at(p0=0, p1=0)
    progress.saw_end(A0, 4)
    assert progress.behind_s() == math.inf, "the end of the other partition is not known"
    progress.saw_end(A1, 0)
    assert progress.behind_s() == math.inf
    clock.now_s += 30
    progress.returned(A0, 0, 2)
    progress.saw_end(A0, 9)
    assert progress.behind_s() == math.inf
    progress.returned(A0, 3, 5)
    assert progress.behind_s() == 30, "what was there half a minute ago has come, what came since has not all"
    clock.now_s += 5
    assert progress.health().behind_s == 35
    progress.returned(A0, 6, 8)
    assert progress.behind_s() == 5
    progress.saw_end(A0, 9)
    assert progress.behind_s() == 0


def test_a_reader_that_went_back_does_not_know_how_far_it_is_behind_until_it_is_level_again() -> None:
    progress, clock = progress_at(p0=0)
    progress.returned(A0, 0, 4)
    assert progress.behind_s() == 0
    progress.rewind([Record("cp.health", 0, 3, None, None, (), 0)])
    clock.now_s += 1
    assert progress.behind_s() == math.inf
    progress.returned(A0, 3, 4)
    progress.saw_end(A0, 5)
    assert progress.behind_s() == 0


def test_a_reader_of_nothing_is_not_behind() -> None:
    assert Progress(Clock()).behind_s() == 0
