"""Requests files: what a line asks for, and what becomes of one that asks for nothing sensible."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evcharging.apps.ev_driver.requests_file import Wish, parse_requests
from evcharging.messages.drivers import DriverRequest


def wishes(text: str) -> list[tuple[str, float | None]]:
    parsed = parse_requests(text)
    assert parsed.bad_lines == ()
    return [(wish.cp_id, wish.kwh) for wish in parsed.wishes]


def test_each_line_is_a_request_in_the_files_order():
    assert wishes("CP-001\nCP-002,10\nany\nany,5.5\n") == [
        ("CP-001", None),
        ("CP-002", 10.0),
        ("any", None),
        ("any", 5.5),
    ]


def test_comments_blank_lines_and_blanks_are_passed_over():
    assert wishes("# first\n\n   \n  CP-001 , 10  # at home\n\t# last") == [("CP-001", 10.0)]


def test_a_file_from_another_system_reads_the_same():
    assert wishes("\ufeffCP-001,10\r\nCP-002\r\n") == [("CP-001", 10.0), ("CP-002", None)]


def test_requests_know_their_line():
    assert parse_requests("#\nCP-001\n\nCP-001\n").wishes == (Wish("CP-001", None, 2), Wish("CP-001", None, 4))


@pytest.mark.parametrize(
    ("kwh", "expected"), [("10", 10), ("0.5", 0.5), (".5", 0.5), ("5.", 5), ("1e2", 100), ("1000", 1000)]
)
def test_energy_is_a_decimal_number_of_kwh(kwh, expected):
    assert wishes(f"CP-001,{kwh}") == [("CP-001", expected)]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("CP 001", "is no charge point id"),
        ("CP/001", "is no charge point id"),
        ("x" * 49, "is no charge point id"),
        (",10", "is no charge point id"),
        ("CP-001,", "'' is no energy"),
        ("CP-001,ten", "'ten' is no energy"),
        ("CP-001,-1", "is no energy"),
        ("CP-001,0", "is no energy"),
        ("CP-001,1001", "1000 at most"),
        ("CP-001,nan", "is no energy"),
        ("CP-001,inf", "is no energy"),
        ("CP-001,1e999", "is no energy"),
        ("CP-001,1_0", "is no energy"),
        ("CP-001,\u0661", "is no energy"),
        ("CP-001,10,20", "3 fields; expected CP-001 or CP-001,10"),
    ],
)
def test_a_bad_line_is_named_with_its_number_and_costs_only_itself(line, why):
    parsed = parse_requests(f"CP-001\n{line}\nCP-002\n")
    assert [wish.cp_id for wish in parsed.wishes] == ["CP-001", "CP-002"]
    (bad,) = parsed.bad_lines
    assert (bad.line, bad.text) == (2, line)
    assert why in bad.why
    assert str(bad).startswith("line 2: skipped ")


def test_a_bad_line_is_shown_in_part_when_it_is_long():
    (bad,) = parse_requests("?" * 100_000).bad_lines
    assert len(str(bad)) < 300


def test_the_sample_file_is_all_requests():
    sample = Path(__file__).parents[4] / "requests.txt"
    assert wishes(sample.read_text(encoding="utf-8")) == [
        ("CP-001", None),
        ("CP-002", 10.0),
        ("CP-003", None),
        ("any", None),
        ("any", 5.0),
    ]


@given(st.text() | st.lists(st.text(st.sampled_from("CP-01any,.#e+ \t\r\ufeff\x0b\u2028")), max_size=20).map("\n".join))
@example("CP-001,1e-320")
@example("\x0bCP-001\u2028CP-002")
def test_any_text_yields_requests_that_can_be_sent_and_accounts_for_every_line(text):
    parsed = parse_requests(text)
    for wish in parsed.wishes:
        DriverRequest(ts=datetime.now(UTC), request_id="r", driver_id="d", cp_id=wish.cp_id, kwh=wish.kwh)
    numbers = [*(wish.line for wish in parsed.wishes), *(bad.line for bad in parsed.bad_lines)]
    asking = [
        number
        for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1)
        if line.partition("#")[0].strip()
    ]
    assert sorted(numbers) == asking
