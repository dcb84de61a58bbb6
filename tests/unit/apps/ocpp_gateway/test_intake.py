"""A token bucket that holds back and loses nothing."""

from __future__ import annotations

import asyncio

from evcharging.apps.ocpp_gateway.intake import Intake

DEADLINE_S = 30


class Station:
    """What the bucket is between: messages that were delivered, and a socket that is read or not."""

    def __init__(self) -> None:
        self.delivered: list[bytes] = []
        self.reading = True
        self.pauses = 0
        self.complete = asyncio.Event()
        self.expected = 0
        self.close_at: int | None = None
        self.intake: Intake | None = None

    def deliver(self, data: bytes) -> None:
        self.delivered.append(data)
        if len(self.delivered) == self.close_at and self.intake is not None:
            self.intake.close()
        if self.expected and len(self.delivered) >= self.expected:
            self.complete.set()

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def held_back(self) -> None:
        self.pauses += 1

    async def all_of(self, count: int) -> None:
        self.expected = count
        if len(self.delivered) < count:
            await asyncio.wait_for(self.complete.wait(), DEADLINE_S)


def intake(station: Station, *, per_s: float = 10.0, burst: int = 3, clock: list[float] | None = None) -> Intake:
    now = clock or [0.0]
    station.intake = Intake(station, per_s=per_s, burst=burst, clock=lambda: now[0])
    return station.intake


async def test_a_burst_passes_at_once_and_what_is_beyond_it_is_held_unread() -> None:
    station = Station()
    bucket = intake(station)

    for number in range(5):
        bucket.take(b"%d" % number)

    assert station.delivered == [b"0", b"1", b"2"]
    assert not station.reading
    assert station.pauses == 1
    bucket.close()


async def test_what_is_held_is_delivered_in_order_and_reading_goes_on() -> None:
    station = Station()
    bucket = Intake(station, per_s=200.0, burst=2, clock=asyncio.get_running_loop().time)

    for number in range(10):
        bucket.take(b"%d" % number)
    await station.all_of(10)

    assert station.delivered == [b"%d" % number for number in range(10)]
    await asyncio.sleep(0)
    assert station.reading


async def test_a_quiet_time_gives_the_burst_back_and_no_more() -> None:
    station, clock = Station(), [0.0]
    bucket = intake(station, clock=clock)
    for _ in range(3):
        bucket.take(b"x")

    clock[0] = 1_000.0
    for _ in range(4):
        bucket.take(b"y")

    assert station.delivered == [b"x"] * 3 + [b"y"] * 3
    bucket.close()


async def test_at_the_limits_own_pace_nothing_is_held() -> None:
    station, clock = Station(), [0.0]
    bucket = intake(station, clock=clock)

    for number in range(100):
        clock[0] = number * 0.1001
        bucket.take(b"x")

    assert len(station.delivered) == 100
    assert station.pauses == 0


async def test_without_a_limit_nothing_is_held() -> None:
    station = Station()
    bucket = intake(station, per_s=0, burst=1)

    for _ in range(1_000):
        bucket.take(b"x")

    assert len(station.delivered) == 1_000


async def test_pings_count() -> None:
    station = Station()
    bucket = intake(station)

    for _ in range(4):
        bucket.count()

    assert not station.reading
    bucket.take(b"x")
    assert station.delivered == []
    bucket.close()


async def test_nothing_is_delivered_after_the_end() -> None:
    station = Station()
    bucket = intake(station)
    for _ in range(5):
        bucket.take(b"x")
    bucket.close()

    bucket.take(b"late")

    assert len(station.delivered) == 3


async def test_an_end_while_held_messages_are_delivered_holds() -> None:
    station, clock = Station(), [0.0]
    bucket = intake(station, per_s=1_000.0, burst=3, clock=clock)
    for _ in range(8):
        bucket.take(b"x")
    station.close_at = 4
    clock[0] = 10.0

    await station.all_of(4)
    await asyncio.sleep(0.05)

    assert len(station.delivered) == 4
    assert not station.reading
