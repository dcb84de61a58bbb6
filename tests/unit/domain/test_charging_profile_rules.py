import pytest

from evcharging.domain.charging_profile_rules import ActiveTransaction, ProfileRules, check_profile, overlap
from evcharging.domain.charging_schedules import (
    ChargingProfile,
    Kind,
    Period,
    ProfileReason,
    ProfileRejected,
    Purpose,
    RateUnit,
    Schedule,
)

RULES = ProfileRules(max_stack_level=2, max_periods=2, rate_units=frozenset({RateUnit.AMPS}))
RUNNING = ActiveTransaction(42, 0.0)


def profile(purpose=Purpose.TX_DEFAULT, *, level=0, periods=1, unit=RateUnit.AMPS, transaction_id=None, valid=(0, 10)):
    schedule = Schedule(unit, tuple(Period(60.0 * number, 16.0) for number in range(periods)))
    return ChargingProfile(
        profile_id=1,
        stack_level=level,
        purpose=purpose,
        kind=Kind.ABSOLUTE,
        schedule=schedule,
        transaction_id=transaction_id,
        valid_from_s=valid[0],
        valid_to_s=valid[1],
    )


@pytest.mark.parametrize(
    ("connector_id", "given", "transaction", "reason"),
    [
        (1, profile(level=3), None, ProfileReason.INVALID_STACK_LEVEL),
        (1, profile(level=-1), None, ProfileReason.INVALID_STACK_LEVEL),
        (1, profile(periods=3), None, ProfileReason.INVALID_SCHEDULE),
        (1, profile(unit=RateUnit.WATTS), None, ProfileReason.UNSUPPORTED_RATE_UNIT),
        (1, profile(Purpose.STATION_MAX), None, ProfileReason.INVALID_PROFILE),
        (0, profile(Purpose.TX), RUNNING, ProfileReason.INVALID_PROFILE),
        (1, profile(Purpose.TX), None, ProfileReason.TX_NOT_FOUND),
        (1, profile(Purpose.TX, transaction_id=43), RUNNING, ProfileReason.TX_NOT_FOUND),
    ],
)
def test_what_a_station_does_not_take_is_rejected_with_its_reason(connector_id, given, transaction, reason):
    with pytest.raises(ProfileRejected) as caught:
        check_profile(connector_id, given, RULES, transaction)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("connector_id", "given", "transaction"),
    [
        (0, profile(Purpose.STATION_MAX, level=2, periods=2), None),
        (0, profile(), None),
        (1, profile(), RUNNING),
        (1, profile(Purpose.TX), RUNNING),
        (1, profile(Purpose.TX, transaction_id=42), RUNNING),
    ],
)
def test_what_it_takes_passes(connector_id, given, transaction):
    assert check_profile(connector_id, given, RULES, transaction) is None


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((0, 10), (10, 20), False),
        ((10, 20), (0, 10), False),
        ((0, 11), (10, 20), True),
        ((None, None), (0, 1), True),
        ((None, 5), (5, None), False),
    ],
)
def test_validities_that_only_touch_do_not_overlap(one, other, expected):
    assert overlap(profile(valid=one), profile(valid=other)) is expected
