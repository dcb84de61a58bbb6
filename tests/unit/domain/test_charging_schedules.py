import pytest

from evcharging.domain.charging_schedules import (
    DAY_S,
    WEEK_S,
    ChargingProfile,
    Kind,
    Period,
    ProfileReason,
    ProfileRejected,
    Purpose,
    RateUnit,
    Recurrency,
    Schedule,
    Supply,
)

T0 = 1_767_225_600.5  # a moment that is no whole second, so that rounding has to hold


def profile(*periods, kind=Kind.ABSOLUTE, recurrency=None, valid=(None, None), purpose=Purpose.TX_DEFAULT, **schedule):
    return ChargingProfile(
        profile_id=1,
        stack_level=0,
        purpose=purpose,
        kind=kind,
        schedule=Schedule(RateUnit.AMPS, tuple(Period(start, limit) for start, limit in periods), **schedule),
        recurrency=recurrency,
        valid_from_s=valid[0],
        valid_to_s=valid[1],
    )


def limits(charging_profile, times, transaction_start_s=None):
    found = [charging_profile.period_at(time, transaction_start_s) for time in times]
    return [None if period is None else period.limit for period in found]


def test_an_absolute_schedule_counts_from_its_start_and_ends_with_its_duration():
    charging = profile((0, 16.0), (60, 8.0), start_at_s=T0, duration_s=120)
    times = [T0 - 1, T0, T0 + 59, T0 + 60, T0 + 119, T0 + 120]
    assert limits(charging, times) == [None, 16.0, 16.0, 8.0, 8.0, None]


def test_without_a_duration_the_last_period_goes_on():
    assert limits(profile((0, 16.0), (60, 8.0), start_at_s=T0), [T0 + 1e7]) == [8.0]


def test_an_absolute_schedule_without_a_start_counts_from_the_transaction():
    charging = profile((0, 16.0), (60, 8.0))
    assert limits(charging, [T0 + 30, T0 + 90]) == [None, None]
    assert limits(charging, [T0 + 30, T0 + 90], transaction_start_s=T0) == [16.0, 8.0]


def test_a_relative_schedule_counts_from_the_transaction_whatever_start_it_names():
    charging = profile((0, 16.0), (60, 8.0), kind=Kind.RELATIVE, start_at_s=T0 + 1e6)
    assert limits(charging, [T0, T0 + 60], transaction_start_s=T0) == [16.0, 8.0]


@pytest.mark.parametrize(("recurrency", "every_s"), [(Recurrency.DAILY, DAY_S), (Recurrency.WEEKLY, WEEK_S)])
def test_a_recurring_schedule_begins_anew_each_time_and_is_silent_between(recurrency, every_s):
    charging = profile(
        (0, 16.0), (3600, 8.0), kind=Kind.RECURRING, recurrency=recurrency, start_at_s=T0, duration_s=7200
    )
    for begun in (T0, T0 + every_s, T0 + 52 * every_s):
        assert limits(charging, [begun, begun + 3600, begun + 7200, begun + every_s - 1]) == [16.0, 8.0, None, None]
    assert limits(charging, [T0 - 1]) == [None]


def test_periods_past_the_recurrence_are_not_executed():
    charging = profile(
        (0, 16.0), (DAY_S + 60, 8.0), kind=Kind.RECURRING, recurrency=Recurrency.DAILY, start_at_s=T0, duration_s=WEEK_S
    )
    assert limits(charging, [T0 + DAY_S + 120]) == [16.0]
    assert charging.next_change_s(T0, None) == T0 + DAY_S


def test_outside_its_validity_a_profile_says_nothing():
    charging = profile((0, 16.0), start_at_s=T0, valid=(T0 + 10, T0 + 20))
    assert limits(charging, [T0 + 9, T0 + 10, T0 + 19, T0 + 20]) == [None, 16.0, 16.0, None]
    assert charging.expired(T0 + 20)
    assert not charging.expired(T0 + 19)


def test_the_next_change_walks_through_every_time_at_which_something_changes():
    charging = profile((0, 16.0), (60, 8.0), start_at_s=T0, duration_s=120, valid=(T0 + 30, T0 + 90))
    walked = []
    at = T0 - 10
    while (at := charging.next_change_s(at, None)) is not None:
        walked.append(at - T0)
    assert walked == [0.0, 30.0, 60.0, 90.0, 120.0]


@pytest.mark.parametrize(
    ("periods", "schedule", "told"),
    [
        ([], {}, "first period must start at 0"),
        ([(5, 16.0)], {}, "first period must start at 0"),
        ([(0, 16.0), (0, 8.0)], {}, "rise in time"),
        ([(0, 16.0), (60, 8.0), (30, 6.0)], {}, "rise in time"),
        ([(0, -1.0)], {}, "0 or more"),
        ([(0, float("nan"))], {}, "0 or more"),
        ([(0, 16.0)], {"duration_s": -1}, "duration"),
    ],
)
def test_a_schedule_that_is_none_is_rejected(periods, schedule, told):
    with pytest.raises(ProfileRejected, match=told) as caught:
        profile(*periods, **schedule)
    assert caught.value.reason is ProfileReason.INVALID_SCHEDULE


def test_a_number_of_phases_that_no_supply_has_is_rejected():
    with pytest.raises(ProfileRejected, match="numberPhases"):
        Schedule(RateUnit.AMPS, (Period(0, 16.0, 4),))


def test_a_recurring_profile_needs_its_recurrency_and_start():
    with pytest.raises(ProfileRejected, match="startSchedule"):
        profile((0, 16.0), kind=Kind.RECURRING, recurrency=Recurrency.DAILY)
    with pytest.raises(ProfileRejected, match="recurrencyKind"):
        profile((0, 16.0), kind=Kind.RECURRING, start_at_s=T0)


def test_the_stations_own_profile_cannot_be_relative():
    with pytest.raises(ProfileRejected, match="cannot be Relative"):
        profile((0, 16.0), kind=Kind.RELATIVE, purpose=Purpose.STATION_MAX)


def test_watts_are_spread_over_the_phases_used():
    three, one = Supply(230.0, 3), Supply(230.0, 1)
    assert three.amps(11_040.0, RateUnit.WATTS, None) == pytest.approx(16.0)
    assert three.amps(3_680.0, RateUnit.WATTS, 1) == pytest.approx(16.0)
    assert one.amps(3_680.0, RateUnit.WATTS, 3) == pytest.approx(16.0)
    assert three.amps(16.0, RateUnit.AMPS, 1) == 16.0
    assert three.watts(16.0, None) == pytest.approx(11_040.0)
