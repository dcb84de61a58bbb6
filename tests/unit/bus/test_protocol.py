from __future__ import annotations

import pytest

from evcharging.bus.protocol import (
    STALLED_AFTER_S,
    BusError,
    BusOverloaded,
    BusStopped,
    BusUnavailable,
    RecordRefused,
    SubscriptionHealth,
)


@pytest.mark.parametrize("error", [BusOverloaded, BusStopped, BusUnavailable, RecordRefused])
def test_every_error_of_the_bus_is_a_bus_error(error: type[Exception]) -> None:
    assert issubclass(error, BusError)


def test_a_reader_makes_progress_until_it_has_stood_still_for_a_quarter_of_a_minute() -> None:
    assert SubscriptionHealth(assigned=4, lag=9, stalled_s=STALLED_AFTER_S - 0.1, jumps=0).progressing
    assert not SubscriptionHealth(assigned=4, lag=9, stalled_s=STALLED_AFTER_S, jumps=0).progressing
