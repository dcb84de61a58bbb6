"""An engine's link against a charger's end of the channel that says exactly what the test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Self

import pytest
from can import Message
from structlog.testing import capture_logs

from evcharging.can import link as link_module
from evcharging.can.bus import CanClosed, FrameReader
from evcharging.can.frames import (
    ChargerStatus,
    Condition,
    CurrentLimit,
    Frame,
    Inject,
    InjectKind,
    MeasuredCurrent,
    Meter,
    StartCharging,
    StopCharging,
    WrongValue,
    decode,
    encode,
)
from evcharging.can.hub import CanHub
from evcharging.can.hub_channel import HubPort
from evcharging.can.link import ChargerLink, ChargerUnanswered, LinkEvent, LinkEventKind
from evcharging.domain.charger import ChargerState, FaultCode

DEADLINE_S = 30.0


class Charger:
    """The other end: says frames, keeps the commands it hears."""

    def __init__(self, port: HubPort) -> None:
        self._port = port
        self._frames = FrameReader(port)
        self._counter = 0

    def say(self, *frames: Frame) -> None:
        for frame in frames:
            self._port.post(encode(frame))

    def status(self, state: ChargerState, *, plugged: bool = True, fault: FaultCode = FaultCode.NONE) -> None:
        self._counter = (self._counter + 1) % 256
        self.say(ChargerStatus(state, plugged, fault, self._counter))

    async def hear(self) -> Frame:
        async with asyncio.timeout(DEADLINE_S):
            return decode(await anext(self._frames))

    def __enter__(self) -> Self:
        self._frames.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._frames.__exit__(None, None, None)


class Ends:
    """Both ends of one channel, and the news in the order it came."""

    def __init__(self) -> None:
        hub = CanHub()
        self.bus = hub.attach("CP-001")
        self.port = hub.attach("CP-001")
        self.charger = Charger(self.port)
        self.link = ChargerLink(self.bus)
        self.news: list[LinkEvent] = []
        self._arrived = asyncio.Event()
        self.link.on_event(self._take)

    def _take(self, event: LinkEvent) -> None:
        self.news.append(event)
        self._arrived.set()

    async def next_news(self, count: int = 1) -> list[LinkEventKind]:
        """The kinds of all news so far, once there are ``count``."""
        async with asyncio.timeout(DEADLINE_S):
            while len(self.news) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return [event.kind for event in self.news]


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    ends = Ends()
    async with ends.link:
        with ends.charger:
            yield ends


async def turn() -> None:
    await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.001)


async def test_the_latest_readings_are_kept(ends: Ends) -> None:
    ends.charger.status(ChargerState.CHARGING)
    ends.charger.say(MeasuredCurrent(31.75), Meter(1234.5, 230.9), Condition(41.5, 0.4321))
    await turn()
    readings = ends.link.readings
    assert (readings.state, readings.plugged, readings.fault_code) == (ChargerState.CHARGING, True, FaultCode.NONE)
    assert (readings.current_a, readings.register_wh, readings.voltage_v) == (31.75, 1234.5, 230.9)
    assert (readings.temperature_c, readings.soc) == (41.5, 0.4321)
    assert not ends.link.silent


async def test_changes_of_status_are_news_and_repetitions_are_not(ends: Ends) -> None:
    ends.charger.status(ChargerState.PLUGGED)
    ends.charger.status(ChargerState.PLUGGED)
    ends.charger.status(ChargerState.FAULTED, fault=FaultCode.GROUND_FAULT)
    assert await ends.next_news(3) == [LinkEventKind.HEARD, LinkEventKind.STATUS, LinkEventKind.STATUS]
    assert ends.news[-1] == LinkEvent(
        LinkEventKind.STATUS, ChargerState.FAULTED, ChargerState.PLUGGED, FaultCode.GROUND_FAULT, plugged=True
    )


async def test_a_status_whose_counter_stands_still_is_not_believed(ends: Ends) -> None:
    ends.charger.say(ChargerStatus(ChargerState.PLUGGED, True, FaultCode.NONE, 7))
    ends.charger.say(ChargerStatus(ChargerState.CHARGING, True, FaultCode.NONE, 7))
    await turn()
    assert ends.link.readings.state is ChargerState.PLUGGED
    assert ends.link.dropped == {"stale_counter": 1}
    ends.charger.say(ChargerStatus(ChargerState.CHARGING, True, FaultCode.NONE, 8))
    await turn()
    assert ends.link.readings.state is ChargerState.CHARGING


async def test_statuses_that_never_came_are_counted_over_the_counters_end(ends: Ends) -> None:
    for counter in (253, 254, 1):
        ends.charger.say(ChargerStatus(ChargerState.PLUGGED, True, FaultCode.NONE, counter))
    await turn()
    assert ends.link.missed_status == 2


async def test_bad_frames_are_dropped_and_counted_by_reason(ends: Ends) -> None:
    good = ChargerStatus(ChargerState.PLUGGED, True, FaultCode.NONE, 1).pack()
    for can_id, data in [
        (0x301, good[:3] + bytes([good[3] ^ 1])),
        (0x301, good[:3]),
        (0x303, b"\x00\x00\x11\x27"),
        (0x123, b""),
        (0x210, b"\x10\x00"),
        (0x300, b""),
    ]:
        ends.port.post(Message(arbitration_id=can_id, is_extended_id=False, data=data))
    await turn()
    assert ends.link.dropped == {"crc": 1, "length": 2, "value": 1, "unknown_id": 1, "foreign_command": 1}
    assert ends.link.readings.state is None
    assert ends.link.silent


async def test_a_start_is_sent_with_the_set_point(ends: Ends) -> None:
    ends.link.set_limit(16.5)
    ends.link.start()
    assert [await ends.charger.hear() for _ in range(3)] == [CurrentLimit(16.5), StartCharging(), CurrentLimit(16.5)]


async def test_the_set_point_is_repeated_and_the_latest_counts(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "REPEAT_S", 0.01)
    ends.link.close()
    ends.link.open()
    ends.link.set_limit(32.0)
    assert [await ends.charger.hear() for _ in range(4)] == [CurrentLimit(32.0)] * 4
    ends.link.set_limit(0.0)
    assert ends.link.limit_amps == 0.0
    heard = [await ends.charger.hear() for _ in range(6)]
    assert heard[-3:] == [CurrentLimit(0.0)] * 3


async def test_without_a_set_point_none_is_sent(ends: Ends) -> None:
    ends.link.start()
    ends.link.inject(InjectKind.FAULT, FaultCode.CONTACTOR_WELDED)
    assert await ends.charger.hear() == StartCharging()
    assert await ends.charger.hear() == Inject(InjectKind.FAULT, FaultCode.CONTACTOR_WELDED)


async def test_a_limit_that_no_frame_can_carry_is_refused_at_once(ends: Ends) -> None:
    ends.link.set_limit(16.0)
    with pytest.raises(WrongValue, match="limit_amps: got -1"):
        ends.link.set_limit(-1.0)
    assert ends.link.limit_amps == 16.0


async def test_a_stop_is_repeated_until_the_charger_has_ended(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "REPEAT_S", 0.01)
    ends.link.close()
    ends.link.open()
    ends.charger.status(ChargerState.CHARGING)
    await turn()
    ends.link.stop()
    assert [await ends.charger.hear() for _ in range(3)] == [StopCharging()] * 3
    ends.charger.status(ChargerState.FINISHED)
    ends.charger.say(Meter(10.0, 230.0))
    await turn()
    ends.link.set_limit(6.0)
    heard = []
    while heard[-2:] != [CurrentLimit(6.0)] * 2:
        heard.append(await ends.charger.hear())
    assert StopCharging() not in heard[-2:]


async def test_the_register_after_a_stop_is_one_from_after_the_end(ends: Ends) -> None:
    ends.charger.status(ChargerState.CHARGING)
    ends.charger.say(Meter(100.0, 230.0))
    await turn()
    ends.link.stop()
    waiting = asyncio.create_task(ends.link.wait_register(DEADLINE_S))
    await turn()
    ends.charger.say(Meter(101.0, 230.0))
    await turn()
    await turn()
    assert not waiting.done()
    ends.charger.status(ChargerState.FINISHED)
    ends.charger.say(Meter(102.5, 230.0))
    assert await waiting == 102.5


async def test_the_register_without_a_stop_is_the_next_one(ends: Ends) -> None:
    ends.charger.say(Meter(100.0, 230.0))
    await turn()
    waiting = asyncio.create_task(ends.link.wait_register(DEADLINE_S))
    await turn()
    assert not waiting.done()
    ends.charger.say(Meter(100.7, 230.0))
    assert await waiting == 100.7


async def test_a_charger_that_does_not_answer_is_named(ends: Ends) -> None:
    with pytest.raises(ChargerUnanswered, match=r"charger CP-001 did not say its energy register within 0\.01 s"):
        await ends.link.wait_register(0.01)


async def test_conditions_on_the_readings_can_be_waited_for(ends: Ends) -> None:
    waiting = asyncio.create_task(ends.link.wait_until(lambda r: r.current_a == 16.0, DEADLINE_S))
    await turn()
    ends.charger.say(MeasuredCurrent(15.0))
    await turn()
    await turn()
    assert not waiting.done()
    ends.charger.say(MeasuredCurrent(16.0))
    await waiting


async def test_whoever_waits_is_told_when_the_link_is_closed(ends: Ends) -> None:
    waiting = asyncio.create_task(ends.link.wait_register(DEADLINE_S))
    await turn()
    ends.link.close()
    with pytest.raises(ChargerUnanswered, match="was closed"):
        await waiting


async def test_a_meter_that_falls_is_not_believed_at_once(ends: Ends) -> None:
    ends.charger.status(ChargerState.AVAILABLE, plugged=False)
    ends.charger.say(Meter(1000.0, 230.0), Meter(5.0, 230.0))
    await turn()
    assert ends.link.readings.register_wh == 1000.0
    assert ends.link.dropped == {"register_fell": 1}
    ends.charger.say(Meter(5.0, 230.0), Meter(5.1, 230.0))
    assert (await ends.next_news(3))[-1] is LinkEventKind.METER_FELL
    assert ends.link.readings.register_wh == 5.1


async def test_a_charger_that_falls_silent_is_news_and_so_is_its_return(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "SILENT_AFTER_S", 0.05)
    ends.charger.status(ChargerState.CHARGING)
    assert await ends.next_news(3) == [LinkEventKind.HEARD, LinkEventKind.STATUS, LinkEventKind.SILENT]
    assert ends.link.silent
    assert ends.news[-1].detail == "no frame for 0.05 s"
    assert ends.link.readings.state is ChargerState.CHARGING
    ends.charger.say(MeasuredCurrent(1.0))
    await turn()
    assert ends.link.silent
    ends.charger.status(ChargerState.AVAILABLE, plugged=False)
    assert (await ends.next_news(5))[3:] == [LinkEventKind.HEARD, LinkEventKind.STATUS]
    assert not ends.link.silent


async def test_a_charger_that_was_never_heard_is_silent_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "SILENT_AFTER_S", 0.02)
    ends = Ends()
    async with ends.link:
        assert await ends.next_news() == [LinkEventKind.SILENT]
        assert ends.news[0].state is None


async def test_frames_without_a_status_to_believe_are_silence(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "SILENT_AFTER_S", 0.05)
    monkeypatch.setattr(link_module, "STATUS_LOST_AFTER_S", 0.15)
    ends.charger.say(ChargerStatus(ChargerState.CHARGING, True, FaultCode.NONE, 9))
    while LinkEventKind.SILENT not in [event.kind for event in ends.news]:
        ends.charger.say(MeasuredCurrent(16.0), ChargerStatus(ChargerState.CHARGING, True, FaultCode.NONE, 9))
        await asyncio.sleep(0.005)
    assert ends.news[-1].detail == "no status that can be believed for 0.15 s"


async def test_an_engine_that_was_held_up_itself_does_not_blame_the_charger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "SILENT_AFTER_S", 0.03)
    monkeypatch.setattr(link_module, "LATE_S", 0.2)
    now_s = 100.0
    ends = Ends()
    ends.link._clock = lambda: now_s
    async with ends.link:
        ends.charger.status(ChargerState.CHARGING)
        await ends.next_news(2)
        # The clock went on by 60 s between two turns of the loop, as after a SIGSTOP.
        now_s += 60.0
        await until(lambda: ends.link._watch_due_s > 160.0)
        ends.charger.status(ChargerState.CHARGING)
        await until(lambda: ends.link._watch is not None and ends.link._watch_due_s < 160.1)
        assert [event.kind for event in ends.news] == [LinkEventKind.HEARD, LinkEventKind.STATUS]


async def test_an_engine_that_was_held_up_for_just_over_the_limit_hears_what_waited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_module, "SILENT_AFTER_S", 0.03)
    monkeypatch.setattr(link_module, "LATE_S", 0.2)
    now_s = 100.0
    ends = Ends()
    ends.link._clock = lambda: now_s
    async with ends.link:
        ends.charger.status(ChargerState.CHARGING)
        await ends.next_news(2)
        now_s += 0.1
        await until(lambda: ends.link._doubted)
        ends.charger.say(MeasuredCurrent(16.0))
        await until(lambda: not ends.link._doubted)
        assert [event.kind for event in ends.news] == [LinkEventKind.HEARD, LinkEventKind.STATUS]


async def test_a_listener_that_fails_keeps_the_news_from_nobody(ends: Ends) -> None:
    def broken(event: LinkEvent) -> None:
        raise RuntimeError("this listener is broken")

    remove = ends.link.on_event(broken)
    later: list[LinkEvent] = []
    ends.link.on_event(later.append)
    with capture_logs() as logs:
        ends.charger.status(ChargerState.PLUGGED)
        await turn()
    assert [event.kind for event in later] == [LinkEventKind.HEARD, LinkEventKind.STATUS]
    assert len(logs) == 2
    remove()
    with capture_logs() as logs:
        ends.charger.status(ChargerState.CHARGING)
        await turn()
    assert logs == []


async def test_set_points_and_stops_that_cannot_be_sent_are_counted_and_a_start_is_refused(ends: Ends) -> None:
    await ends.bus.close()
    ends.link.set_limit(16.0)
    ends.link.stop()
    assert ends.link.unsent == 2
    with pytest.raises(CanClosed):
        ends.link.start()
    with pytest.raises(CanClosed):
        ends.link.inject(InjectKind.CLEAR)
