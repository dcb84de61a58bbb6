from __future__ import annotations

import asyncio

from evcharging.bus.memory_log import MemoryLog, forget_log, shared_log

KEY = b"CP-001"


def filled(count: int = 5, **how: int) -> MemoryLog:
    log = MemoryLog(partitions=1, **how)
    for number in range(count):
        log.append("t", 0, KEY, b"%d" % number, [], timestamp_ms=100 * number)
    return log


def test_offsets_count_up_within_each_partition() -> None:
    log = MemoryLog(partitions=2)
    offsets = [log.append("t", number % 2, KEY, b"", [], 0).offset for number in range(6)]
    assert offsets == [0, 0, 1, 1, 2, 2]
    assert log.bounds("t", 0) == (0, 3)


def test_reading_begins_at_an_offset_and_takes_no_more_than_asked_for() -> None:
    log = filled()
    assert [record.offset for record in log.read("t", 0, 2, 2)] == [2, 3]
    assert not log.read("t", 0, 5, 10)


def test_what_is_dropped_is_gone_and_the_offsets_stay() -> None:
    log = filled()
    log.drop_before("t", 0, 3)
    log.drop_before("t", 0, 1)
    assert log.bounds("t", 0) == (3, 5)
    assert [record.offset for record in log.read("t", 0, 0, 10)] == [3, 4]
    assert log.append("t", 0, KEY, b"", [], 0).offset == 5
    log.drop_before("t", 0, 99)
    assert log.bounds("t", 0) == (6, 6)


def test_a_bounded_partition_keeps_the_latest() -> None:
    assert filled(8, retain=3).bounds("t", 0) == (5, 8)


def test_a_bounded_partition_is_read_from_its_first_record_however_many_were_dropped() -> None:
    log = MemoryLog(partitions=1, retain=7)
    for number in range(40):
        log.append("t", 0, KEY, b"%d" % number, [], timestamp_ms=100 * number)
        first, end = log.bounds("t", 0)
        assert (first, end) == (max(number - 6, 0), number + 1)
        assert [record.offset for record in log.read("t", 0, 0, 100)] == list(range(first, end))
        assert log.offset_since("t", 0, 0) == first
        assert [record.offset for record in log.read("t", 0, end - 1, 1)] == [number]


def test_the_offset_of_a_moment_is_that_of_the_first_record_not_older() -> None:
    log = filled()
    assert [log.offset_since("t", 0, moment) for moment in (0, 100, 101, 400, 401)] == [0, 1, 2, 4, 5]


def test_records_without_a_key_go_to_each_partition_in_turn() -> None:
    log = MemoryLog(partitions=3)
    assert sorted(log.partition_of(None) for _ in range(6)) == [0, 0, 1, 1, 2, 2]
    assert len({log.partition_of(KEY) for _ in range(6)}) == 1


def test_every_join_and_leave_deals_out_anew() -> None:
    log = MemoryLog(partitions=4)
    one = log.join("g", ["t"])
    assert len(one.assigned) == 4
    two = log.join("g", ["t"])
    assert (len(one.assigned), len(two.assigned)) == (2, 2)
    assert one.generation == two.generation == 2
    log.leave("g", one)
    log.leave("g", one)
    assert len(two.assigned) == 4
    assert two.generation == 3


def test_groups_know_nothing_of_each_other() -> None:
    log = MemoryLog(partitions=2)
    assert log.join("g", ["t"]).assigned == log.join("h", ["t"]).assigned
    log.commit("g", {("t", 0): 7})
    assert log.group("h").committed == {}


async def test_who_waits_is_woken_by_a_record_on_a_topic_of_his() -> None:
    log = MemoryLog(partitions=1)
    waiting = asyncio.create_task(log.changed(["s", "t"], timeout_s=30))
    elsewhere = asyncio.create_task(log.changed(["u"], timeout_s=30))
    await asyncio.sleep(0)
    for topic in ("t", "s", "t"):
        log.append(topic, 0, KEY, b"", [], 0)
    await asyncio.wait_for(waiting, 30)
    assert not elsewhere.done()
    log.append("u", 0, KEY, b"", [], 0)
    await asyncio.wait_for(elsewhere, 30)


async def test_a_rebalance_wakes_everybody() -> None:
    log = MemoryLog(partitions=1)
    waiting = asyncio.create_task(log.changed(["t"], timeout_s=30))
    await asyncio.sleep(0)
    log.join("g", ["other"])
    await asyncio.wait_for(waiting, 30)


def test_a_log_is_shared_by_its_name_until_it_is_forgotten() -> None:
    log = shared_log("test-memory-log")
    assert shared_log("test-memory-log") is log
    forget_log("test-memory-log")
    forget_log("test-memory-log")
    assert shared_log("test-memory-log") is not log
    forget_log("test-memory-log")
