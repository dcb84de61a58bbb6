from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.can.frames import REGISTER_MODULUS_WH, ChargerStatus
from evcharging.can.link_news import ChargerReadings, LinkClosed, RegisterTrack, Waiters
from evcharging.domain.charger import ChargerState, FaultCode

MODULUS_TENTHS = 2**32


def test_readings_tell_a_change_of_status_from_a_repetition() -> None:
    readings = ChargerReadings()
    status = ChargerStatus(ChargerState.PLUGGED, True, FaultCode.NONE, 1)
    assert readings.take_status(status)
    assert not readings.take_status(ChargerStatus(ChargerState.PLUGGED, True, FaultCode.NONE, 2))
    assert readings.take_status(ChargerStatus(ChargerState.PLUGGED, False, FaultCode.NONE, 3))
    assert readings.take_status(ChargerStatus(ChargerState.FAULTED, False, FaultCode.GROUND_FAULT, 4))
    assert readings.take_status(ChargerStatus(ChargerState.FAULTED, False, FaultCode.OVER_TEMPERATURE, 5))


@given(st.integers(0, MODULUS_TENTHS - 1), st.lists(st.integers(0, MODULUS_TENTHS // 4), max_size=20))
def test_a_register_that_only_grows_is_followed_over_its_roll_over(start: int, steps: list[int]) -> None:
    track, total = RegisterTrack(), start
    assert track.take(total / 10) == (pytest.approx(total / 10), False)
    for step in steps:
        total += step
        assert track.take(total % MODULUS_TENTHS / 10) == (pytest.approx(total / 10), False)


def test_a_single_reading_that_falls_is_not_followed() -> None:
    track = RegisterTrack()
    assert track.take(1000.0) == (1000.0, False)
    assert track.take(400.0) == (None, False)
    assert track.take(1000.1) == (1000.1, False)
    assert track.take(400.0) == (None, False)
    assert track.take(400.0) == (None, False)


def test_a_register_that_stays_lower_is_another_meter() -> None:
    track = RegisterTrack()
    track.take(1000.0)
    assert [track.take(wh) for wh in (0.0, 0.1, 0.2)] == [(None, False), (None, False), (0.2, True)]
    assert track.take(0.3) == (0.3, False)


def test_a_register_at_the_end_of_its_range_rolls_over() -> None:
    track = RegisterTrack()
    track.take(REGISTER_MODULUS_WH - 0.1)
    assert track.take(0.4) == (pytest.approx(REGISTER_MODULUS_WH + 0.4), False)


async def test_a_waiter_is_woken_when_its_condition_holds() -> None:
    waiters, values = Waiters(), [0]
    waiting = asyncio.create_task(waiters.wait(lambda: values[0] == 2, 5.0))
    await asyncio.sleep(0)
    values[0] = 1
    waiters.wake()
    await asyncio.sleep(0)
    assert not waiting.done()
    values[0] = 2
    waiters.wake()
    await waiting


async def test_a_condition_that_holds_already_is_not_waited_for() -> None:
    await Waiters().wait(lambda: True, 0.0)


async def test_whoever_waits_in_vain_or_when_it_ends_is_told() -> None:
    waiters = Waiters()
    with pytest.raises(TimeoutError):
        await waiters.wait(lambda: False, 0.01)
    waiting = asyncio.create_task(waiters.wait(lambda: False, 5.0))
    await asyncio.sleep(0)
    waiters.close()
    with pytest.raises(LinkClosed):
        await waiting


async def test_a_condition_that_fails_is_told_to_the_one_who_waits_and_to_nobody_else() -> None:
    waiters, current_a = Waiters(), [0.0]
    failing = asyncio.create_task(waiters.wait(lambda: current_a[0] > 1.0, 5.0))
    sound = asyncio.create_task(waiters.wait(lambda: current_a[0] is None, 5.0))
    await asyncio.sleep(0)
    current_a[0] = None  # type: ignore[call-overload]
    waiters.wake()
    await sound
    with pytest.raises(TypeError):
        await failing
