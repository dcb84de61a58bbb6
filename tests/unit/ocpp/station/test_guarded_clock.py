from evcharging.ocpp.station.clock import ManualClock
from evcharging.ocpp.station.guarded_clock import GuardedClock


async def test_what_goes_wrong_in_a_call_is_told_to_the_station_alone():
    clock = ManualClock()
    failures: list[Exception] = []
    guarded = GuardedClock(clock, failures.append)
    guarded.call_later(1.0, lambda: 1 / 0)
    await clock.advance(2.0)
    assert [type(one) for one in failures] == [ZeroDivisionError]


async def test_after_the_end_of_its_station_nothing_falls_due():
    clock = ManualClock()
    seen = []
    guarded = GuardedClock(clock, lambda _: None)
    guarded.call_later(1.0, lambda: seen.append(1))
    guarded.stopped = True
    await clock.advance(2.0)
    assert seen == []
