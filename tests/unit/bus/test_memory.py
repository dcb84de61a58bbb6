from __future__ import annotations

import asyncio

import pytest

from evcharging.bus.memory import MemoryBus, dropping_acks, unreachable
from evcharging.bus.memory_log import MemoryLog
from evcharging.bus.protocol import BusStopped, Position


async def test_records_carry_the_time_of_the_clock_that_was_passed_in() -> None:
    bus = MemoryBus(wall_clock=lambda: 1_700_000_000.25)
    await bus.publish_raw("cp.health", b"k", b"v", [])
    async with bus.subscribe({"cp.health": Position.BEGINNING}) as subscription:
        (record,) = await subscription.getmany()
    assert record.timestamp_ms == 1_700_000_000_250


async def test_a_reader_is_woken_by_a_publisher_of_another_bus() -> None:
    log = MemoryLog()
    async with MemoryBus(log).subscribe({"cp.health": Position.END}) as subscription:
        reading = asyncio.create_task(subscription.getmany(timeout_s=30))
        await asyncio.sleep(0)
        await MemoryBus(log).publish_raw("cp.health", b"k", b"v", [])
        assert len(await asyncio.wait_for(reading, 30)) == 1


async def test_an_unreachable_log_is_not_read_and_comes_back() -> None:
    bus = MemoryBus()
    async with bus.subscribe({"cp.health": Position.BEGINNING}) as subscription:
        await bus.publish_raw("cp.health", b"k", b"before", [])
        with unreachable(bus):
            assert not await subscription.getmany(timeout_s=0)
            assert bus.health().detail == "the log in memory was made unreachable"
            await bus.publish_raw("cp.health", b"k", b"meanwhile", [])
            assert bus.health().waiting == 1
        assert [record.value for record in await subscription.getmany()] == [b"before", b"meanwhile"]


async def test_a_bus_stopped_out_of_reach_fails_what_waits() -> None:
    bus = MemoryBus()
    bus.reachable = False
    future = await bus.publish_raw("cp.health", b"k", b"v", [])
    await bus.stop()
    with pytest.raises(BusStopped):
        await future
    with pytest.raises(BusStopped):
        await bus.start()


async def test_faults_may_overlap_without_loss() -> None:
    bus = MemoryBus()
    with dropping_acks(bus):
        first = await bus.publish_raw("cp.health", b"k", b"1", [])
        with unreachable(bus):
            second = await bus.publish_raw("cp.health", b"k", b"2", [])
        assert not first.done()
    await asyncio.gather(first, second)
    async with bus.subscribe({"cp.health": Position.BEGINNING}) as subscription:
        values = [record.value for record in await subscription.getmany()]
    assert values[0] == b"1"
    assert values[-2:] == [b"1", b"2"]


async def test_a_cancelled_future_does_not_stop_its_record() -> None:
    bus = MemoryBus()
    with unreachable(bus):
        future = await bus.publish_raw("cp.health", b"k", b"v", [])
        future.cancel()
    async with bus.subscribe({"cp.health": Position.BEGINNING}) as subscription:
        assert len(await subscription.getmany()) == 1
