import asyncio
import time

import pytest

from evcharging.ocpp.station.clock import LoopClock, ManualClock


async def test_a_manual_clock_calls_what_falls_due_in_order_and_at_its_time():
    clock = ManualClock(100.0)
    seen = []
    for delay_s in (3.0, 1.0, 2.0, 9.0):
        clock.call_later(delay_s, lambda delay_s=delay_s: seen.append((delay_s, clock.now_s())))
    await clock.advance(5.0)
    assert seen == [(1.0, 101.0), (2.0, 102.0), (3.0, 103.0)]
    assert clock.now_s() == 105.0


async def test_what_is_called_may_ask_for_more_within_the_same_move():
    clock = ManualClock(0.0)
    seen = []

    def tick() -> None:
        seen.append(clock.now_s())
        clock.call_later(1.0, tick)

    clock.call_later(1.0, tick)
    await clock.advance(3.5)
    assert seen == [1.0, 2.0, 3.0]


async def test_a_cancelled_call_is_not_made():
    clock = ManualClock()
    seen = []
    clock.call_later(1.0, lambda: seen.append(1)).cancel()
    await clock.advance(2.0)
    assert seen == []


async def test_a_sleep_ends_when_the_clock_was_moved_on():
    clock = ManualClock()
    asleep = asyncio.create_task(clock.sleep(10.0))
    await clock.advance(9.0)
    assert not asleep.done()
    await clock.advance(1.0)
    assert asleep.done()


async def test_a_cancelled_sleep_leaves_nothing_behind():
    clock = ManualClock()
    asleep = asyncio.create_task(clock.sleep(10.0))
    await clock.advance(1.0)
    asleep.cancel()
    await asyncio.gather(asleep, return_exceptions=True)
    await clock.advance(20.0)


async def test_the_wall_clock_sped_up_shortens_its_waits_alike():
    clock = LoopClock(scale=1000.0, now_s=50.0)
    began_s = time.monotonic()
    await clock.sleep(20.0)
    assert clock.now_s() >= 69.0
    assert time.monotonic() - began_s < 10.0
    called = asyncio.Event()
    clock.call_later(5.0, called.set)
    await asyncio.wait_for(called.wait(), 30)


def test_a_clock_that_stands_or_runs_back_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        LoopClock(scale=0.0)


async def test_a_clock_sped_up_is_as_exact_as_the_loop():
    clock = LoopClock(scale=60.0, now_s=0.0)
    due = clock.call_later(600.0, lambda: None)
    assert isinstance(due, asyncio.TimerHandle)
    due.cancel()
