"""How long fetches wait; what consumers do with brokers is held against real ones in tests/contract."""

from __future__ import annotations

import pytest

from evcharging.bus.embedded import EmbeddedKafka
from evcharging.bus.kafka_consumer import FetchPace
from evcharging.bus.kafka_link import Link
from evcharging.bus.kafka_reader import KafkaSubscription
from evcharging.bus.kafka_settings import KafkaSettings
from evcharging.bus.protocol import Position
from evcharging.messages.topics import STATUS

SETTINGS = KafkaSettings("127.0.0.1:1", fetch_max_wait_ms=7, fetch_idle_wait_ms=19)


class Clock:
    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


def test_fetches_wait_longer_once_nothing_has_come_for_two_seconds() -> None:
    clock = Clock()
    pace = FetchPace(SETTINGS, clock)
    clock.s += 1.9
    assert pace.wait_ms(had_records=False) == 7
    clock.s += 0.1
    assert pace.wait_ms(had_records=False) == 19


def test_a_record_makes_them_brief_again() -> None:
    clock = Clock()
    pace = FetchPace(SETTINGS, clock)
    clock.s += 60
    pace.wait_ms(had_records=True)
    clock.s += 1
    assert pace.wait_ms(had_records=False) == 7


def test_just_after_a_record_they_are_briefest_and_looked_at_again_when_that_is_over() -> None:
    clock = Clock()
    pace = FetchPace(SETTINGS, clock)
    clock.s += 60
    assert pace.hold_s(0.25) == 0.25
    assert pace.wait_ms(had_records=True) == 3
    clock.s += 0.03
    assert pace.wait_ms(had_records=False) == 3
    assert pace.hold_s(0.25) == pytest.approx(0.02)
    assert pace.hold_s(0.01) == 0.01
    clock.s += 0.0199
    assert pace.hold_s(0.25) == 0.001
    clock.s += 0.01
    assert pace.wait_ms(had_records=False) == 7
    assert pace.hold_s(0.25) == 0.25


async def test_a_reader_that_has_nothing_to_read_fetches_less_often() -> None:
    clock = Clock()
    async with EmbeddedKafka() as broker:
        settings = KafkaSettings(broker.bootstrap, fetch_max_wait_ms=7, fetch_idle_wait_ms=19)
        reader = KafkaSubscription(
            settings,
            {STATUS.name: Position.END},
            group=None,
            sticky=False,
            on_assignment=None,
            link=Link(settings),
            monotonic=clock,
        )
        async with reader:
            clock.s += 10
            await reader.getmany(timeout_s=0.0)
            assert reader._consumer is not None
            assert reader._consumer._fetcher._fetch_max_wait_ms == 19
