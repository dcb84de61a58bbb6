from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from evcharging.ocpp.station.host import StationHost
from evcharging.ocpp.station.interfaces import (
    Backoff,
    ConnectorSnapshot,
    ConnectorState,
    StandingOrders,
    StationSettings,
    StationSnapshot,
    TransactionRecord,
)

EMPTY = StationSnapshot("?", True, True, True, "default", 0.0, 0.0, 0.0, 0.0, 0, 0, 0, "", ())


class HandMovedClock:
    """A clock that stands still; whoever sleeps is woken by moving it."""

    def __init__(self) -> None:
        self.at_s = 1000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now_s(self) -> float:
        return self.at_s

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        raise NotImplementedError

    async def sleep(self, delay_s: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.at_s + delay_s, woken))
        await woken

    async def move(self, seconds: float) -> None:
        self.at_s += seconds
        for due_s, woken in list(self._sleepers):
            if due_s <= self.at_s + 1e-9:
                self._sleepers.remove((due_s, woken))
                if not woken.done():
                    woken.set_result(None)
        await settle()


class FakeStation:
    """Lives until it is stopped, or breaks when told to."""

    def __init__(self, settings: StationSettings) -> None:
        self.settings = settings
        self.logs: tuple[str, ...] = ()
        self.ended = asyncio.Event()
        self.breaks: BaseException | None = None
        self.stops_by_itself = True
        self.reason = ""
        self.lost_power = False
        self.dropped = 0
        self.seen = EMPTY

    async def run(self) -> None:
        try:
            await self.ended.wait()
        except asyncio.CancelledError:
            self.lost_power = True
            raise
        if self.breaks is not None:
            raise self.breaks

    async def stop(self, *, reason: str = "Local") -> None:
        self.reason = reason
        if self.stops_by_itself:
            self.ended.set()

    def drop(self) -> None:
        self.dropped += 1

    def snapshot(self) -> StationSnapshot:
        return replace(self.seen, station_id=self.settings.station_id)

    def fail(self, error: BaseException) -> None:
        self.breaks = error
        self.ended.set()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Rig:
    def __init__(self, host: StationHost, made: list[FakeStation], clock: HandMovedClock, broken: list[str]) -> None:
        self.host = host
        self.made = made
        self.clock = clock
        self.broken = broken

    def start(self, *numbers: int) -> None:
        for number in numbers:
            self.host.start(StationSettings(station_id=f"S-{number}", csms_url="ws://127.0.0.1:1/ocpp"))


@contextlib.asynccontextmanager
async def a_host(*, starts_per_s: float = 0.0) -> AsyncIterator[Rig]:
    clock = HandMovedClock()
    made: list[FakeStation] = []
    broken: list[str] = []

    def make(settings: StationSettings) -> FakeStation:
        made.append(FakeStation(settings))
        return made[-1]

    host = StationHost(
        make,
        clock=clock,
        starts_per_s=starts_per_s,
        restart=Backoff(first_s=1.0, longest_s=4.0),
        on_broken=lambda station_id, _error: broken.append(station_id),
    )
    running = asyncio.create_task(host.run())
    try:
        yield Rig(host, made, clock, broken)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_all_begin_at_once_without_a_ramp():
    async with a_host() as rig:
        rig.start(1, 2, 3)
        await settle()
        assert rig.host.counts().running == 3


async def test_a_ramp_lets_so_many_begin_in_a_second():
    async with a_host(starts_per_s=2) as rig:
        rig.start(1, 2, 3, 4, 5)
        await settle()
        assert len(rig.made) == 1
        counts = []
        for _ in range(4):
            await rig.clock.move(0.5)
            counts.append(len(rig.made))
        assert counts == [2, 3, 4, 5]
        assert rig.host.counts().waiting == 0


async def test_one_id_is_hosted_once():
    async with a_host() as rig:
        rig.start(1)
        with pytest.raises(ValueError, match=r"S-1.*already"):
            rig.start(1)


async def test_a_broken_station_touches_no_other_and_is_made_anew_after_a_pause_that_grows():
    async with a_host() as rig:
        rig.start(1, 2)
        await settle()
        rig.made[0].fail(ZeroDivisionError("a bug"))
        await settle()
        assert (rig.host.counts().broken, rig.host.counts().running) == (1, 1)
        assert rig.broken == ["S-1"]
        await rig.clock.move(1.0)
        assert rig.host.counts().broken == 0
        rig.made[2].fail(RuntimeError("again"))
        await settle()
        await rig.clock.move(1.0)
        assert rig.host.counts().broken == 1
        await rig.clock.move(1.0)
        assert rig.host.counts().broken == 0
        assert rig.host.counts().restarts == 2
        assert not rig.made[1].lost_power


async def test_a_cancellation_that_gets_out_of_a_station_is_a_fault_like_any_other():
    async with a_host() as rig:
        rig.start(1)
        await settle()
        rig.made[0].fail(asyncio.CancelledError())
        await settle()
        await rig.clock.move(1.0)
        assert len(rig.made) == 2


async def test_a_calm_minute_lets_the_pauses_begin_anew():
    async with a_host() as rig:
        rig.start(1)
        await settle()
        for _ in range(3):
            rig.made[-1].fail(RuntimeError("soon"))
            await settle()
            await rig.clock.move(4.0)
        await rig.clock.move(60.0)
        rig.made[-1].fail(RuntimeError("late"))
        await settle()
        await rig.clock.move(1.0)
        assert rig.host.counts().broken == 0


async def test_a_station_that_broke_goes_on_with_its_register_its_transaction_and_what_the_csms_set():
    record = TransactionRecord("S-1", 1, "t-1", "ABC123", 900.0, 100, 150, transaction_id=7)
    async with a_host() as rig:
        rig.start(1)
        await settle()
        connector = ConnectorSnapshot(1, ConnectorState.CHARGING, 7.0, 150.5, 0.4, 32.0, record)
        orders = StandingOrders({"ConnectionTimeOut": "11"})
        rig.made[0].seen = replace(EMPTY, connectors=(connector,), orders=orders)
        rig.made[0].fail(RuntimeError("a bug"))
        await settle()
        await rig.clock.move(1.0)
        assert rig.made[1].settings.orders == orders
        assert rig.made[1].settings.register_wh == (150.5,)
        assert rig.made[1].settings.resume == (record,)


async def test_a_station_that_is_stopped_ends_with_the_reason_and_is_gone():
    async with a_host() as rig:
        rig.start(1, 2)
        await settle()
        assert await rig.host.stop("S-1", reason="Remote") is True
        assert rig.made[0].reason == "Remote"
        assert "S-1" not in rig.host
        assert "S-2" in rig.host
        rig.start(1)
        await settle()
        assert len(rig.made) == 3


async def test_a_station_that_does_not_stop_is_ended_by_force_in_time():
    async with a_host() as rig:
        rig.start(1, 2)
        await settle()
        rig.made[0].stops_by_itself = False
        assert await rig.host.stop_all(within_s=0.05) == 1
        assert rig.made[0].lost_power
        assert not rig.made[1].lost_power
        assert len(rig.host) == 0


async def test_a_station_that_breaks_while_it_stops_is_not_waited_for():
    async with a_host() as rig:
        rig.start(1)
        await settle()
        rig.made[0].breaks = RuntimeError("on the way out")
        assert await rig.host.stop("S-1", within_s=30.0) is True
        assert len(rig.made) == 1


async def test_one_that_waits_for_its_turn_never_begins_once_it_is_stopped():
    async with a_host(starts_per_s=1) as rig:
        rig.start(1, 2)
        await settle()
        assert await rig.host.stop("S-2") is True
        await rig.clock.move(5.0)
        assert len(rig.made) == 1
        assert rig.host.counts().waiting == 0


async def test_a_cut_says_nothing_and_tells_how_each_was():
    async with a_host(starts_per_s=1) as rig:
        rig.start(1, 2)
        await settle()
        ends = await rig.host.cut(["S-1", "S-2", "S-3"])
        assert list(ends) == ["S-1"]
        assert rig.made[0].lost_power
        assert rig.made[0].reason == ""
        assert len(rig.host) == 0


async def test_dropping_cuts_every_socket_and_no_life():
    async with a_host() as rig:
        rig.start(1, 2)
        await settle()
        await rig.host.drop_all()
        assert [station.dropped for station in rig.made] == [1, 1]
        assert rig.host.counts().running == 2


async def test_however_many_begin_or_lose_their_socket_everything_else_has_its_turn_between():
    async with a_host() as rig:

        async def most_in_a_turn(count: Callable[[], int]) -> int:
            seen = [count()]
            while count() < 100:
                await asyncio.sleep(0)
                seen.append(count())
            return max(after - before for before, after in pairwise(seen))

        rig.start(*range(100))
        assert await most_in_a_turn(lambda: len(rig.made)) <= 25
        await settle()
        dropping = asyncio.create_task(rig.host.drop_all())
        assert await most_in_a_turn(lambda: sum(station.dropped for station in rig.made)) <= 25
        await dropping


async def test_the_end_of_the_host_is_a_power_loss_for_what_still_runs():
    async with a_host() as rig:
        rig.start(1)
        await settle()
    assert rig.made[0].lost_power
