import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.domain.charging_profile_wire import (
    composite_to_v201,
    profile_from_v16,
    profile_from_v201,
    profile_to_v16,
    profile_to_v201,
    purpose_of,
    schedule_to_v16,
)
from evcharging.domain.charging_schedules import (
    Kind,
    Period,
    ProfileReason,
    ProfileRejected,
    Purpose,
    RateUnit,
    Recurrency,
    Schedule,
)

V16 = {
    "chargingProfileId": 7,
    "chargingProfilePurpose": "ChargePointMaxProfile",
    "stackLevel": 2,
    "chargingProfileKind": "Recurring",
    "recurrencyKind": "Weekly",
    "validFrom": "2026-01-01T00:00:00Z",
    "validTo": "2026-02-01T00:00:00Z",
    "chargingSchedule": {
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 11040.0}, {"startPeriod": 60, "limit": 6.5}],
        "duration": 3600,
        "startSchedule": "2026-01-01T00:00:00Z",
        "minChargingRate": 1380.0,
    },
}
V201 = {
    "id": 7,
    "chargingProfilePurpose": "TxProfile",
    "stackLevel": 0,
    "chargingProfileKind": "Relative",
    "transactionId": "tx-1",
    "chargingSchedule": [
        {
            "id": 1,
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0, "numberPhases": 1}],
        }
    ],
}
T0 = 1_767_225_600.0


def test_a_16_profile_is_read_and_written_back_as_it_was():
    profile = profile_from_v16(V16)
    assert profile.purpose is Purpose.STATION_MAX
    assert profile.kind is Kind.RECURRING
    assert profile.recurrency is Recurrency.WEEKLY
    assert profile.valid_from_s == T0
    assert profile.schedule.unit is RateUnit.WATTS
    assert profile.schedule.periods == (Period(0.0, 11040.0), Period(60.0, 6.5))
    assert profile_to_v16(profile) == V16


def test_a_201_profile_is_read_and_written_back_as_it_was():
    profile = profile_from_v201(V201)
    assert profile.transaction_id == "tx-1"
    assert profile.schedule.periods == (Period(0.0, 16.0, 1),)
    assert profile_to_v201(profile) == V201


def test_of_several_schedules_the_first_controls():
    second = {"id": 2, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}]}
    profile = profile_from_v201({**V201, "chargingSchedule": [V201["chargingSchedule"][0], second]})
    assert profile.schedule.periods[0].limit == 16.0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"chargingProfilePurpose": "ChargingStationExternalConstraints"}, ProfileReason.INVALID_PROFILE),
        ({"chargingProfileKind": "Sometimes"}, ProfileReason.INVALID_PROFILE),
        ({"recurrencyKind": "Yearly"}, ProfileReason.INVALID_PROFILE),
        ({"validFrom": "tomorrow"}, ProfileReason.INVALID_SCHEDULE),
        (
            {"chargingSchedule": {**V16["chargingSchedule"], "chargingRateUnit": "kW"}},
            ProfileReason.UNSUPPORTED_RATE_UNIT,
        ),
        (
            {"chargingSchedule": {**V16["chargingSchedule"], "chargingSchedulePeriod": []}},
            ProfileReason.INVALID_SCHEDULE,
        ),
    ],
)
def test_what_the_schema_cannot_rule_out_is_rejected_with_its_reason(change, reason):
    with pytest.raises(ProfileRejected) as caught:
        profile_from_v16({**V16, **change})
    assert caught.value.reason is reason


def test_a_201_profile_without_a_schedule_is_rejected():
    with pytest.raises(ProfileRejected, match="needs a schedule"):
        profile_from_v201({**V201, "chargingSchedule": []})


def test_a_time_without_a_zone_is_utc():
    assert profile_from_v16({**V16, "validFrom": "2026-01-01T00:00:00"}).valid_from_s == T0


def test_both_spellings_of_the_stations_purpose_are_read():
    assert purpose_of("ChargePointMaxProfile") is purpose_of("ChargingStationMaxProfile") is Purpose.STATION_MAX


def test_a_composite_is_told_in_both_forms():
    schedule = Schedule(RateUnit.AMPS, (Period(0.0, 15.99),), duration_s=60.0, start_at_s=T0)
    shared = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 15.9}], "duration": 60}
    assert schedule_to_v16(schedule) == {**shared, "startSchedule": "2026-01-01T00:00:00Z"}
    assert composite_to_v201(schedule, evse_id=2) == {**shared, "evseId": 2, "scheduleStart": "2026-01-01T00:00:00Z"}


def test_a_schedule_without_start_or_duration_is_no_composite():
    with pytest.raises(ValueError, match="start and a duration"):
        composite_to_v201(Schedule(RateUnit.AMPS, (Period(0.0, 16.0),)), evse_id=1)


@given(st.floats(0.0, 1e6))
def test_a_limit_told_to_a_tenth_is_never_higher_than_it_is(limit):
    (period,) = schedule_to_v16(Schedule(RateUnit.AMPS, (Period(0.0, limit),)))["chargingSchedulePeriod"]
    assert limit - 0.1 - 1e-6 < period["limit"] <= limit + 1e-6


def test_periods_that_begin_in_the_same_second_become_one():
    schedule = Schedule(RateUnit.AMPS, (Period(0.0, 16.0), Period(0.3, 10.0), Period(60.2, 6.0)))
    assert schedule_to_v16(schedule)["chargingSchedulePeriod"] == [
        {"startPeriod": 0, "limit": 10.0},
        {"startPeriod": 60, "limit": 6.0},
    ]
