from __future__ import annotations

from evcharging.bus.dead_letters import LONGEST_REASON, dead_letter_headers
from evcharging.bus.protocol import Record

RECORD = Record("cp.telemetry", 3, 17, b"CP-001", b"{", (("ce_id", b"x"),), 0)


def test_a_dead_letter_says_where_it_stood_why_it_is_here_and_who_set_it_aside() -> None:
    assert dead_letter_headers(RECORD, "not a Telemetry", attempts=1, group="central") == [
        ("dlq_topic", b"cp.telemetry"),
        ("dlq_partition", b"3"),
        ("dlq_offset", b"17"),
        ("dlq_error", b"not a Telemetry"),
        ("dlq_attempts", b"1"),
        ("dlq_group", b"central"),
    ]


def test_a_reason_is_cut_to_a_length_that_no_broker_refuses() -> None:
    told = dict(dead_letter_headers(RECORD, "ä" * 10_000, attempts=3, group="central"))
    assert told["dlq_error"].decode() == "ä" * LONGEST_REASON


def test_a_reason_that_is_no_proper_text_is_kept_all_the_same() -> None:
    told = dict(dead_letter_headers(RECORD, "bad \udcff name", attempts=3, group="central"))
    assert told["dlq_error"] == b"bad \\udcff name"
