"""What is too old for a reader; the rest of this module is held against real brokers in tests/contract."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from evcharging.bus.kafka_starting import Starting
from evcharging.bus.protocol import Position, Since

MOMENT = datetime(2026, 5, 1, tzinfo=UTC)
MOMENT_MS = int(MOMENT.timestamp() * 1000)
HERE, THERE = ("cp.health", 0), ("cp.health", 1)


@dataclass
class Fetched:
    timestamp: int


def aged(*ages_ms: int) -> list[Fetched]:
    return [Fetched(MOMENT_MS - age_ms) for age_ms in ages_ms]


def test_records_before_the_first_young_enough_are_left_out_in_each_partition() -> None:
    starting = Starting({"cp.health": Since(MOMENT)})
    starting._not_before_ms = {HERE: MOMENT_MS, THERE: MOMENT_MS}
    old, mixed = aged(300, 200), aged(100, 0, 50)
    assert not starting.not_too_old(HERE, old)
    assert starting.not_too_old(HERE, mixed) == mixed[1:], "an older record behind a young one is not left out"
    assert starting.not_too_old(HERE, old) == old
    assert not starting.not_too_old(THERE, old)


def test_nothing_is_too_old_for_a_reader_from_the_beginning() -> None:
    records = aged(1_000_000)
    assert Starting({"cp.health": Position.BEGINNING}).not_too_old(HERE, records) == records
