import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evcharging.domain.charging_profiles import (
    MAX_COMPOSITE_S,
    ActiveTransaction,
    ChargingProfile,
    ChargingProfiles,
    Kind,
    Period,
    ProfileReason,
    ProfileRejected,
    ProfileRules,
    Purpose,
    RateUnit,
    Recurrency,
    Schedule,
    Supply,
)

T0 = 1_767_225_600.0
SUPPLY = Supply(230.0, 3)
RUNNING = ActiveTransaction(42, T0)


def profile(profile_id, limit, purpose=Purpose.TX_DEFAULT, *, level=0, duration=None, valid=(None, None), unit="A"):
    schedule = Schedule(RateUnit(unit), (Period(0, limit),), duration_s=duration, start_at_s=T0)
    return ChargingProfile(
        profile_id, level, purpose, Kind.ABSOLUTE, schedule, valid_from_s=valid[0], valid_to_s=valid[1]
    )


def installed(*wanted, rules=None, **options):
    profiles = ChargingProfiles(rules or ProfileRules())
    for connector_id, charging in wanted:
        profiles.install(connector_id, charging, now_s=T0, transaction=RUNNING, **options)
    return profiles


def limit(profiles, at_s=T0 + 1, connector_id=1, begun=T0):
    return profiles.limit_amps_at(at_s, connector_id, supply=SUPPLY, transaction_start_s=begun)


def ids(profiles):
    return [entry.profile.profile_id for entry in profiles.installed]


def test_without_profiles_there_is_no_limit_and_nothing_to_wait_for():
    profiles = ChargingProfiles()
    assert limit(profiles) is None
    assert profiles.next_change_s(T0, 1, transaction_start_s=T0) is None


def test_the_stations_own_profile_caps_the_transactions():
    profiles = installed((0, profile(1, 10.0, Purpose.STATION_MAX)), (1, profile(2, 16.0)))
    assert limit(profiles) == 10.0
    profiles = installed((0, profile(1, 20.0, Purpose.STATION_MAX)), (1, profile(2, 16.0)))
    assert limit(profiles) == 16.0


def test_a_tx_profile_goes_before_the_default_even_where_it_allows_more():
    profiles = installed((1, profile(1, 10.0, level=9)), (1, profile(2, 16.0, Purpose.TX)))
    assert limit(profiles) == 16.0


def test_the_higher_stack_level_counts_and_the_lower_steps_in_when_it_ends():
    profiles = installed((1, profile(1, 10.0)), (1, profile(2, 16.0, level=1, duration=60)))
    assert limit(profiles, T0 + 59) == 16.0
    assert limit(profiles, T0 + 60) == 10.0


def test_a_connectors_default_goes_before_the_one_for_all():
    profiles = installed((0, profile(1, 10.0, level=5)), (1, profile(2, 16.0)))
    assert limit(profiles, connector_id=1) == 16.0
    assert limit(profiles, connector_id=2) == 10.0


def test_without_a_transaction_only_the_stations_own_profile_counts():
    profiles = installed((0, profile(1, 20.0, Purpose.STATION_MAX)), (1, profile(2, 16.0)))
    assert limit(profiles, begun=None) == 20.0
    assert limit(profiles, connector_id=0) == 20.0


def test_limits_in_watts_and_amps_are_compared_in_amps():
    profiles = installed((0, profile(1, 11_040.0, Purpose.STATION_MAX, unit="W")), (1, profile(2, 17.0)))
    assert limit(profiles) == pytest.approx(16.0)


def test_a_profile_takes_the_place_of_the_one_with_its_id_wherever_that_was():
    profiles = installed((1, profile(1, 10.0)), (2, profile(1, 16.0, level=3)))
    assert [(entry.connector_id, entry.profile.stack_level) for entry in profiles.installed] == [(2, 3)]


def test_in_16_a_profile_takes_the_place_of_the_one_with_its_purpose_and_level():
    profiles = installed((1, profile(1, 10.0)), (1, profile(2, 16.0)))
    assert ids(profiles) == [2]


def test_in_201_such_a_profile_is_a_duplicate_unless_their_validities_are_apart():
    early, late = profile(1, 10.0, valid=(T0, T0 + 10)), profile(2, 16.0, valid=(T0 + 10, T0 + 20))
    assert ids(installed((1, early), (1, late), replace_same_level=False)) == [1, 2]
    profiles = installed((1, early))
    with pytest.raises(ProfileRejected) as caught:
        profiles.install(1, profile(3, 6.0), now_s=T0, replace_same_level=False)
    assert caught.value.reason is ProfileReason.DUPLICATE_PROFILE
    assert ids(profiles) == [1]


def test_the_number_of_profiles_is_limited_and_expired_ones_make_room():
    rules = ProfileRules(max_installed=2)
    profiles = installed((1, profile(1, 10.0)), (2, profile(2, 10.0, valid=(None, T0 + 5))), rules=rules)
    with pytest.raises(ProfileRejected) as caught:
        profiles.install(3, profile(3, 10.0), now_s=T0)
    assert caught.value.reason is ProfileReason.OUT_OF_STORAGE
    assert ids(profiles) == [1, 2]
    profiles.install(3, profile(3, 10.0), now_s=T0 + 5)
    assert ids(profiles) == [1, 3]


def test_a_replacement_needs_no_room_of_its_own():
    rules = ProfileRules(max_installed=1)
    assert ids(installed((1, profile(1, 10.0)), (1, profile(1, 8.0)), rules=rules)) == [1]


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        ({}, []),
        ({"profile_id": 2}, [1, 3]),
        ({"connector_id": 1}, [1]),
        ({"connector_id": 0}, [2, 3]),
        ({"purpose": Purpose.TX_DEFAULT}, [1]),
        ({"stack_level": 1}, [1, 2]),
        ({"connector_id": 1, "stack_level": 0}, [1, 3]),
        ({"profile_id": 9}, [1, 2, 3]),
    ],
)
def test_clearing_removes_what_matches_every_filter_and_counts_it(filters, left):
    profiles = installed(
        (0, profile(1, 20.0, Purpose.STATION_MAX)), (1, profile(2, 16.0)), (1, profile(3, 10.0, level=1))
    )
    assert profiles.clear(**filters) == 3 - len(left)
    assert ids(profiles) == left


def test_tx_profiles_end_with_their_transaction_and_the_others_stay():
    profiles = installed((1, profile(1, 16.0)), (1, profile(2, 10.0, Purpose.TX)), (2, profile(3, 8.0, Purpose.TX)))
    profiles.end_transaction(1)
    assert ids(profiles) == [1, 3]


def test_the_composite_is_the_rating_where_nothing_limits():
    composite = ChargingProfiles().composite(1, start_s=T0, duration_s=600, supply=SUPPLY, rated_amps=32.0)
    assert composite == Schedule(RateUnit.AMPS, (Period(0.0, 32.0),), duration_s=600, start_at_s=T0)


def test_the_composite_shows_each_step_down_and_up_once():
    profiles = installed(
        (0, profile(1, 20.0, Purpose.STATION_MAX, duration=300)), (1, profile(2, 16.0, level=1, duration=100))
    )
    composite = profiles.composite(1, start_s=T0, duration_s=600, supply=SUPPLY, rated_amps=32.0)
    assert [(period.start_s, period.limit) for period in composite.periods] == [(0, 16.0), (100, 20.0), (300, 32.0)]


def test_the_composite_is_in_the_unit_asked_for():
    profiles = installed((1, profile(1, 16.0)))
    composite = profiles.composite(
        1, start_s=T0, duration_s=60, supply=SUPPLY, rated_amps=32.0, unit=RateUnit.WATTS, transaction_start_s=T0
    )
    assert composite.unit is RateUnit.WATTS
    assert composite.periods[0].limit == pytest.approx(11_040.0)


def test_a_composite_longer_than_a_week_is_cut():
    composite = ChargingProfiles().composite(1, start_s=T0, duration_s=1e12, supply=SUPPLY, rated_amps=32.0)
    assert composite.duration_s == MAX_COMPOSITE_S


def test_an_empty_composite_still_has_its_first_period():
    composite = installed((1, profile(1, 16.0))).composite(1, start_s=T0, duration_s=0, supply=SUPPLY, rated_amps=32.0)
    assert composite.periods == (Period(0.0, 16.0),)


offsets = st.integers(-2000, 2000)
schedules = st.builds(
    lambda unit, steps, duration, start: Schedule(
        unit,
        tuple(
            Period(float(at), limit if unit is RateUnit.AMPS else limit * 690) for at, limit in sorted(steps.items())
        ),
        duration_s=duration,
        start_at_s=T0 + start,
    ),
    st.sampled_from(RateUnit),
    st.dictionaries(st.integers(1, 2000), st.floats(0, 63), max_size=4).map(lambda steps: {0: 10.0, **steps}),
    st.none() | st.integers(0, 3000),
    offsets,
)
any_profile = st.builds(
    lambda number, level, purpose, kind, schedule, recurrency, valid_from, valid_for: ChargingProfile(
        number,
        level,
        purpose,
        Kind.ABSOLUTE if purpose is Purpose.STATION_MAX and kind is Kind.RELATIVE else kind,
        schedule,
        recurrency=recurrency,
        valid_from_s=None if valid_from is None else T0 + valid_from,
        valid_to_s=None if valid_from is None else T0 + valid_from + valid_for,
    ),
    st.integers(1, 50),
    st.integers(0, 3),
    st.sampled_from(Purpose),
    st.sampled_from(Kind),
    schedules,
    st.sampled_from(Recurrency),
    st.none() | offsets,
    st.integers(1, 2000),
)
several = st.lists(any_profile, max_size=6, unique_by=lambda charging: charging.profile_id)


def filled(charging_profiles):
    profiles = ChargingProfiles(ProfileRules(max_installed=50))
    for charging in charging_profiles:
        at = {Purpose.STATION_MAX: 0, Purpose.TX: 1}.get(charging.purpose, charging.profile_id % 2)
        profiles.install(at, charging, now_s=T0 - 10_000, transaction=ActiveTransaction(None, T0))
    return profiles


@settings(deadline=None, max_examples=40)
@given(several, st.sampled_from(RateUnit))
def test_the_composite_is_at_every_time_the_limit_that_holds_then(charging_profiles, unit):
    profiles = filled(charging_profiles)
    composite = profiles.composite(
        1, start_s=T0, duration_s=2500, supply=SUPPLY, rated_amps=32.0, transaction_start_s=T0, unit=unit
    )
    for second in range(0, 2500, 125):
        held = profiles.limit_amps_at(T0 + second, 1, supply=SUPPLY, transaction_start_s=T0)
        amps = 32.0 if held is None else min(held, 32.0)
        told = composite.period_at(second)
        assert told.limit == pytest.approx(amps if unit is RateUnit.AMPS else SUPPLY.watts(amps, None))


@settings(deadline=None, max_examples=40)
@given(several)
def test_the_limit_is_never_above_that_of_the_station_nor_of_the_transaction_alone(charging_profiles):
    profiles = filled(charging_profiles)
    of_station = filled([one for one in charging_profiles if one.purpose is Purpose.STATION_MAX])
    of_transaction = filled([one for one in charging_profiles if one.purpose is not Purpose.STATION_MAX])
    for second in range(-500, 2500, 100):
        alone = [limit(part, T0 + second) for part in (of_station, of_transaction)]
        assert limit(profiles, T0 + second) == min((amps for amps in alone if amps is not None), default=None)


@settings(deadline=None, max_examples=40)
@given(several)
def test_between_two_changes_told_the_limit_stands_still(charging_profiles):
    profiles = filled(charging_profiles)
    at = T0
    for _ in range(15):
        change = profiles.next_change_s(at, 1, transaction_start_s=T0)
        end = T0 + 5000 if change is None else change
        step = (end - at) / 5
        held = {limit(profiles, at + step * part) for part in range(5)}
        assert len(held) == 1
        if change is None:
            break
        assert change > at
        at = change
