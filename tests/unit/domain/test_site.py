import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.domain.charger import L2_THREE_PHASE, MIN_PILOT_AMPS
from evcharging.domain.energy import exact_wh
from evcharging.domain.set_point import SetPoint
from evcharging.domain.site import Demand, peak_factor, share_limit, share_solar, split_energy

FLOOR_KW = L2_THREE_PHASE.power_kw(MIN_PILOT_AMPS)

demands = st.lists(st.builds(Demand, kw=st.floats(0.0, 350.0), floor_kw=st.floats(1.38, 5.0)), max_size=30)
limits_kw = st.floats(0.0, 1000.0)


def share(limit_kw, *wanted_kw):
    return share_limit(limit_kw, [Demand(kw, FLOOR_KW) for kw in wanted_kw])


def test_with_room_for_all_everyone_gets_what_they_ask():
    assert share(100.0, 22.0, 11.0, 7.4) == [22.0, 11.0, 7.4]


def test_a_scarce_limit_is_shared_in_proportion():
    assert share(22.0, 22.0, 11.0, 11.0) == pytest.approx([11.0, 5.5, 5.5])


def test_nobody_kept_on_gets_under_6_amps_and_the_others_give_way():
    shares = share(20.0, 22.0, 22.0, 5.0)
    assert shares[2] == FLOOR_KW
    assert shares[0] == shares[1] == pytest.approx((20.0 - FLOOR_KW) / 2)


def test_where_the_floors_do_not_fit_those_earlier_are_kept_on():
    assert share(10.0, 22.0, 22.0, 22.0) == pytest.approx([5.0, 5.0, 0.0])
    assert share(4.0, 22.0, 22.0) == [0.0, 0.0]


def test_a_small_demand_counts_as_its_floor():
    assert share(100.0, 1.0) == [FLOOR_KW]


def test_who_wants_nothing_gets_nothing():
    assert share(22.0, 0.0, 22.0) == [0.0, 22.0]
    assert share(22.0) == []


@given(demands=demands, limit_kw=limits_kw)
def test_shares_never_exceed_the_limit_nor_fall_under_the_floor(demands, limit_kw):
    shares_kw = share_limit(limit_kw, demands)
    assert math.fsum(shares_kw) <= limit_kw * (1 + 1e-12)
    for demand, kw in zip(demands, shares_kw, strict=True):
        assert kw == 0.0 or demand.floor_kw <= kw <= max(demand.kw, demand.floor_kw)


@given(demands=demands, limit_kw=limits_kw)
def test_no_power_is_left_over_that_somebody_kept_on_could_take(demands, limit_kw):
    shares_kw = share_limit(limit_kw, demands)
    hungry = any(
        0.0 < kw < max(demand.kw, demand.floor_kw) - 1e-9 for demand, kw in zip(demands, shares_kw, strict=True)
    )
    assert not hungry or math.fsum(shares_kw) == pytest.approx(limit_kw)


@given(demands=demands, limit_kw=limits_kw)
def test_those_above_their_floor_get_the_same_part_of_what_they_ask(demands, limit_kw):
    shares_kw = share_limit(limit_kw, demands)
    parts = [kw / demand.kw for demand, kw in zip(demands, shares_kw, strict=True) if kw > demand.floor_kw * (1 + 1e-9)]
    assert not parts or min(parts) == pytest.approx(max(parts))


@given(limit_kw=st.floats(FLOOR_KW, 100.0), wanted_kw=st.lists(st.floats(0.1, 22.0), min_size=1, max_size=10))
def test_a_share_survives_its_way_into_a_set_point(limit_kw, wanted_kw):
    for kw in share(limit_kw, *wanted_kw):
        set_point = SetPoint(L2_THREE_PHASE.rated_amps)
        set_point.set(L2_THREE_PHASE.amps(kw))
        assert L2_THREE_PHASE.power_kw(set_point.limit_amps) == pytest.approx(kw)


@pytest.mark.parametrize(("kw", "floor_kw"), [(-1.0, 4.0), (math.inf, 4.0), (1.0, 0.0), (math.nan, 4.0)])
def test_a_demand_that_makes_no_sense_is_refused(kw, floor_kw):
    with pytest.raises(ValueError, match="a demand needs"):
        Demand(kw, floor_kw)


@pytest.mark.parametrize("limit_kw", [-1.0, math.nan])
def test_a_limit_that_makes_no_sense_is_refused(limit_kw):
    with pytest.raises(ValueError, match="limit_kw must be 0 or more"):
        share(limit_kw, 22.0)


def test_the_sun_is_shared_by_what_each_draws():
    assert share_solar(9.0, [22.0, 11.0, 0.0]) == pytest.approx([6.0, 3.0, 0.0])
    assert share_solar(100.0, [22.0, 11.0]) == pytest.approx([22.0, 11.0])
    assert share_solar(9.0, [0.0, 0.0]) == [0.0, 0.0]


@given(solar_kw=st.floats(0.0, 500.0), drawn_kw=st.lists(st.floats(0.0, 350.0), max_size=20))
def test_nobody_gets_more_sun_than_they_draw_and_all_no_more_than_shines(solar_kw, drawn_kw):
    shares_kw = share_solar(solar_kw, drawn_kw)
    assert math.fsum(shares_kw) <= solar_kw * (1 + 1e-12)
    assert all(kw <= drawn for kw, drawn in zip(shares_kw, drawn_kw, strict=True))


@pytest.mark.parametrize(
    ("solar_kw", "solar_wh", "grid_wh"),
    [(0.0, "0", "61.1"), (10.0, "27.7", "33.4"), (22.0, "61.1", "0"), (100.0, "61.1", "0")],
)
def test_solar_is_used_first_and_the_rest_is_grid(solar_kw, solar_wh, grid_wh):
    split = split_energy(Decimal("61.1"), solar_kw=solar_kw, duration_s=10.0)
    assert (split.solar_wh, split.grid_wh) == (Decimal(solar_wh), Decimal(grid_wh))


@given(tenths=st.integers(0, 10**9), solar_kw=st.floats(0.0, 1e4), duration_s=st.floats(0.0, 1e5))
def test_both_parts_add_up_to_the_meter_exactly(tenths, solar_kw, duration_s):
    energy_wh = exact_wh(tenths / 10)
    split = split_energy(energy_wh, solar_kw=solar_kw, duration_s=duration_s)
    assert split.solar_wh + split.grid_wh == energy_wh
    assert split.solar_wh >= 0
    assert split.grid_wh >= 0
    assert float(split.solar_wh) <= solar_kw * duration_s / 3.6 + 1e-6


@pytest.mark.parametrize(("solar_kw", "duration_s"), [(-1.0, 1.0), (1.0, -1.0), (math.nan, 1.0), (1.0, math.inf)])
def test_a_split_over_figures_that_make_no_sense_is_refused(solar_kw, duration_s):
    with pytest.raises(ValueError, match="must be 0 or more"):
        split_energy(Decimal(1), solar_kw=solar_kw, duration_s=duration_s)


def test_power_is_halved_from_17_to_20():
    assert [hour for hour in range(24) if peak_factor(hour) == 0.5] == [17, 18, 19]
    assert {peak_factor(hour) for hour in range(24)} == {0.5, 1.0}
    assert peak_factor(8, peak_hours=[8], power_factor=0.25) == 0.25
