from __future__ import annotations

import asyncio

import pytest

from evcharging.bus.bounded import ended


async def raises(error: BaseException) -> None:
    raise error


async def test_work_that_ends_well_is_told_from_work_that_does_not() -> None:
    assert await ended(asyncio.sleep(0), 1)
    assert not await ended(raises(OSError("gone")), 1)
    assert not await ended(raises(asyncio.CancelledError()), 1)


async def test_work_that_hangs_is_cancelled() -> None:
    hanging = asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            hanging.set()

    assert not await ended(hang(), 0.01)
    assert hanging.is_set()


async def test_cancelling_the_caller_cancels_the_work() -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    caller = asyncio.create_task(ended(hang(), 30))
    await started.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert stopped.is_set()
