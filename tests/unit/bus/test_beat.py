"""When requests go out; that nothing is lost on the way is held against real brokers in tests/contract."""

from __future__ import annotations

import asyncio

from evcharging.bus.beat import Beat


async def test_the_first_goes_at_once_and_those_that_follow_go_together() -> None:
    beat = Beat(period_s=0.05)
    went: list[str] = []

    async def go(name: str) -> None:
        await beat.wait()
        went.append(name)

    first = asyncio.create_task(go("first"))
    await asyncio.sleep(0)
    assert first.done()
    followers = [asyncio.create_task(go(f"follower-{number}")) for number in range(5)]
    await asyncio.sleep(0)
    assert went == ["first"]
    await asyncio.wait(followers, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(0)
    assert sorted(went[1:]) == [f"follower-{number}" for number in range(5)]


async def test_those_that_are_filled_together_go_together_at_once() -> None:
    beat = Beat(period_s=60)
    together = [asyncio.create_task(beat.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    assert all(task.done() for task in together)
    await asyncio.sleep(0)
    late = asyncio.create_task(beat.wait())
    await asyncio.sleep(0)
    assert not late.done()
    late.cancel()


async def test_after_a_pause_the_next_goes_at_once_again() -> None:
    beat = Beat(period_s=0.001)
    await beat.wait()
    await asyncio.sleep(0.005)
    waiting = asyncio.create_task(beat.wait())
    await asyncio.sleep(0)
    assert waiting.done()


async def test_one_that_gives_up_waiting_does_not_hold_the_others_back() -> None:
    beat = Beat(period_s=0.02)
    await beat.wait()
    gives_up, waits = asyncio.create_task(beat.wait()), asyncio.create_task(beat.wait())
    await asyncio.sleep(0)
    gives_up.cancel()
    await asyncio.wait_for(waits, 30)


async def test_without_a_period_nobody_waits() -> None:
    beat = Beat(period_s=0.0)
    for _ in range(100):
        await beat.wait()
