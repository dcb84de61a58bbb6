from __future__ import annotations

import asyncio
import gc

import pytest

from evcharging.bus import futures


async def test_a_future_that_nobody_looks_at_causes_no_complaint() -> None:
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    future = futures.quiet_future()
    futures.fail(future, RuntimeError("nobody looks"))
    del future
    gc.collect()
    assert not complaints


async def test_whoever_looks_gets_the_error() -> None:
    future = futures.quiet_future()
    futures.fail(future, RuntimeError("seen"))
    with pytest.raises(RuntimeError, match="seen"):
        await future


async def test_a_future_that_its_holder_has_cancelled_is_left_alone() -> None:
    future = futures.quiet_future()
    future.cancel()
    futures.succeed(future)
    futures.fail(future, RuntimeError("late"))
    assert future.cancelled()
