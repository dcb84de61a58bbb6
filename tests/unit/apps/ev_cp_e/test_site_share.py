"""Sun and grid of a site, shared among the sessions of one process."""

from __future__ import annotations

from typing import Any

import pytest

from evcharging.apps.ev_cp_e.site_share import SiteShare
from evcharging.domain.site import Demand
from evcharging.messages.network import SiteSignal
from tests.support.charge_point import NOON


def a_site(**signal: Any) -> SiteShare:
    site = SiteShare("site-1")
    assert site.take(SiteSignal(ts=NOON, site_id="site-1", price_per_kwh=0.3, currency="EUR", **signal))
    return site


def test_nothing_is_limited_and_no_sun_shines_before_a_signal():
    site = SiteShare("site-1")
    assert site.limit_kw is None
    assert site.solar_fraction(22.0) == 0.0
    assert site.shares_kw({"CP-001": Demand(22.0, 4.0)}) == {"CP-001": None}


def test_another_sites_signal_is_another_sites():
    site = SiteShare("site-1")
    signal = SiteSignal(ts=NOON, site_id="site-2", price_per_kwh=0.3, currency="EUR", grid_limit_kw=10)
    assert not site.take(signal)
    assert site.limit_kw is None


@pytest.mark.parametrize(("drawn_kw", "fraction"), [(44.0, 0.25), (11.0, 1.0), (5.0, 1.0), (0.0, 1.0)])
def test_the_sun_comes_first(drawn_kw: float, fraction: float):
    assert a_site(solar_kw=11.0).solar_fraction(drawn_kw) == fraction


def test_at_night_all_is_grid():
    assert a_site(solar_kw=0.0).solar_fraction(0.0) == 0.0


def test_the_limit_is_shared_in_proportion():
    shares = a_site(grid_limit_kw=30.0).shares_kw({"CP-001": Demand(22.0, 4.0), "CP-002": Demand(11.0, 4.0)})
    assert shares == {"CP-001": pytest.approx(20.0), "CP-002": pytest.approx(10.0)}


def test_the_sun_adds_to_what_the_grid_allows():
    site = a_site(grid_limit_kw=20.0, solar_kw=10.0)
    assert site.limit_kw == 30.0


def test_who_cannot_be_kept_on_gets_nothing():
    shares = a_site(grid_limit_kw=5.0).shares_kw({"CP-001": Demand(22.0, 4.0), "CP-002": Demand(22.0, 4.0)})
    assert shares == {"CP-001": pytest.approx(5.0), "CP-002": 0.0}
