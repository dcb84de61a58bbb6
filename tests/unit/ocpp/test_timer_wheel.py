import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from evcharging.ocpp import timer_wheel
from evcharging.ocpp.timer_wheel import TICKS_PER_S, TimerWheel


def wheel() -> TimerWheel:
    return TimerWheel.of(asyncio.get_running_loop())


async def test_calls_are_made_in_the_order_they_fall_due_and_none_early():
    loop, seen = asyncio.get_running_loop(), []
    done = asyncio.Event()

    def note(delay_s: float, due_s: float) -> Callable[[], None]:
        def called() -> None:
            seen.append((delay_s, loop.time() - due_s))
            if len(seen) == 4:
                done.set()

        return called

    for delay_s in (0.05, 0.0, 0.03, 0.01):
        wheel().call_later(delay_s, note(delay_s, loop.time() + delay_s))
    async with asyncio.timeout(30):
        await done.wait()
    assert [delay_s for delay_s, _ in seen] == [0.0, 0.01, 0.03, 0.05]
    assert all(late_s >= -0.001 for _, late_s in seen)


async def test_a_cancelled_call_is_not_made_and_the_one_beside_it_is():
    seen, done = [], asyncio.Event()
    first = wheel().call_later(0.01, lambda: seen.append("first"))
    wheel().call_later(0.01, done.set)
    first.cancel()
    async with asyncio.timeout(30):
        await done.wait()
    assert seen == []


async def test_a_later_call_does_not_hold_up_one_that_is_asked_for_afterwards():
    done = asyncio.Event()
    late = wheel().call_later(3600.0, lambda: None)
    wheel().call_later(0.005, done.set)
    async with asyncio.timeout(30):
        await done.wait()
    late.cancel()


async def test_a_call_that_fails_is_told_and_those_after_it_are_made():
    told: list[dict[str, Any]] = []
    done = asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
    wheel().call_later(0.005, lambda: 1 / 0)
    wheel().call_later(0.005, done.set)
    async with asyncio.timeout(30):
        await done.wait()
    assert [type(context["exception"]) for context in told] == [ZeroDivisionError]


async def test_what_else_the_loop_has_to_do_gets_its_turn_among_many_calls(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(timer_wheel, "LONGEST_TURN_S", 0.0)
    seen: list[int] = []
    between: list[int] = []
    done = asyncio.Event()

    def call(number: int) -> Callable[[], None]:
        def called() -> None:
            seen.append(number)
            asyncio.get_running_loop().call_soon(lambda: between.append(len(seen)))
            if number == 9:
                done.set()

        return called

    delay_s = 10 / TICKS_PER_S
    for number in range(10):
        wheel().call_later(delay_s, call(number))
    async with asyncio.timeout(30):
        await done.wait()
    assert seen == list(range(10))
    assert between[0] < 10


async def test_a_call_may_ask_for_the_next():
    seen, done = [], asyncio.Event()

    def again() -> None:
        seen.append(1)
        if len(seen) < 3:
            wheel().call_later(0.0, again)
        else:
            done.set()

    wheel().call_later(0.0, again)
    async with asyncio.timeout(30):
        await done.wait()
    assert len(seen) == 3


def test_a_loop_that_was_closed_is_forgotten_when_there_is_another():
    async def of_this_loop() -> TimerWheel:
        return wheel()

    first, second = asyncio.run(of_this_loop()), asyncio.run(of_this_loop())
    assert first is not second
    assert first not in timer_wheel._WHEELS.values()
