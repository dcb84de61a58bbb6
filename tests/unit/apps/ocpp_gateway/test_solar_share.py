"""The sun's part of the energy of OCPP stations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.apps.ocpp_gateway.charge_points import ChargePoints, OpenTransaction
from evcharging.apps.ocpp_gateway.solar_share import LATE, SolarShare

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Site:
    def __init__(self, solar_kw: float, *drawn_kw: float) -> None:
        self.solar_kw = solar_kw
        self.at_s = 0.0
        self.points = ChargePoints()
        for number, kw in enumerate(drawn_kw, 1):
            point = self.points.obtain(f"CP-{number}")
            point.open["7"] = OpenTransaction("s", point.cp_id, "7", 1, T0, drawn_kw=kw)
        self.share = SolarShare(self, self.points, now=lambda: T0, monotonic=lambda: self.at_s)


@pytest.mark.parametrize(
    ("solar_kw", "drawn_kw", "kw", "fraction"),
    [
        (0.0, (7.0, 7.0), 7.0, 0.0),
        (7.0, (7.0, 7.0), 7.0, 0.5),
        (70.0, (7.0, 7.0), 7.0, 1.0),
        (5.0, (), 10.0, 0.5),  # the first interval of the only session
        (5.0, (), 0.0, 1.0),
    ],
)
def test_the_sun_is_shared_among_all_that_draw(
    solar_kw: float, drawn_kw: tuple[float, ...], kw: float, fraction: float
) -> None:
    assert Site(solar_kw, *drawn_kw).share.fraction(kw) == fraction


def test_energy_is_cut_down_to_the_resolution_of_a_register() -> None:
    share = Site(1.0, 3.0).share
    assert share.of(Decimal(100), kw=3.0, until=T0) == Decimal("33.3")
    assert Site(9.0, 3.0).share.of(Decimal(100), kw=3.0, until=T0) == Decimal(100)


def test_what_was_metered_long_ago_is_the_grids() -> None:
    share = Site(9.0, 3.0).share
    assert share.of(Decimal(100), kw=3.0, until=T0 - LATE) == Decimal(100)
    assert share.of(Decimal(100), kw=3.0, until=T0 - LATE - timedelta(seconds=1)) == 0


def test_the_power_of_all_is_added_up_once_a_second() -> None:
    site = Site(5.0, 10.0)
    assert site.share.fraction(1.0) == 0.5
    site.points.obtain("CP-1").open.clear()
    assert site.share.fraction(1.0) == 0.5
    site.at_s = 1.0
    assert site.share.fraction(1.0) == 1.0


@given(st.floats(0, 1e4), st.lists(st.floats(0, 1e3), max_size=5), st.integers(0, 10**6), st.floats(0, 1e3))
def test_both_parts_are_never_below_0_and_together_the_whole(
    solar_kw: float, drawn_kw: list[float], wh: int, kw: float
) -> None:
    solar_wh = Site(solar_kw, *drawn_kw).share.of(Decimal(wh), kw=kw, until=T0)
    assert 0 <= solar_wh <= wh
