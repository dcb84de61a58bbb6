from __future__ import annotations

from evcharging.apps.swarm.marks import Marks


def taken(marks: Marks) -> list[tuple[str, bool]]:
    found = []
    while marks:
        found.append(marks.take())
    return found


def test_stations_have_their_turn_in_the_order_in_which_they_were_marked_and_once():
    marks = Marks()
    for station_id in ("a", "b", "a"):
        marks.add(station_id, urgent=False)
    assert taken(marks) == [("a", False), ("b", False)]


def test_one_that_was_urgent_once_stays_so():
    marks = Marks()
    marks.add("a", urgent=True)
    marks.add("a", urgent=False)
    assert taken(marks) == [("a", True)]


def test_what_somebody_waits_for_goes_first_whatever_it_looks_like():
    marks = Marks()
    marks.add("a", urgent=False)
    marks.add("b", urgent=False)
    marks.wait_for("b")
    assert taken(marks) == [("b", True), ("a", False)]


def test_those_that_are_waited_for_leave_the_others_a_turn():
    marks = Marks()
    marks.add("changed", urgent=False)
    for number in range(9):
        marks.wait_for(f"waited-{number}")
    assert [station_id for station_id, _ in taken(marks)].index("changed") == 4


def test_one_that_is_forgotten_has_no_turn():
    marks = Marks()
    marks.add("a", urgent=True)
    marks.wait_for("a")
    marks.forget("a")
    assert not marks
