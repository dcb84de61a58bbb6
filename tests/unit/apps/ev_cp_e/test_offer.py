"""The current a charge point offers: the least of its own, Central's and the site's."""

from __future__ import annotations

import pytest

from evcharging.apps.ev_cp_e.offer import CurrentOffer
from evcharging.apps.ev_cp_e.session import SessionTerms
from evcharging.domain.charger import L2, L2_THREE_PHASE


def an_offer(kw_rate: float = 22.0) -> CurrentOffer:
    return CurrentOffer(SessionTerms(spec=L2_THREE_PHASE, kw_rate=kw_rate))


def test_its_own_rate_holds_by_itself():
    assert an_offer().amps == pytest.approx(31.754, abs=1e-3)
    assert an_offer(11.0).amps == pytest.approx(15.877, abs=1e-3)


def test_it_never_offers_more_than_the_rating():
    assert an_offer(100.0).amps == 32.0


def test_the_least_of_the_three_counts():
    offer = an_offer()
    offer.commanded_amps = 20.0
    assert offer.amps == 20.0
    offer.site_kw = 11.0
    assert offer.amps == pytest.approx(15.877, abs=1e-3)
    offer.commanded_amps = 10.0
    assert offer.amps == 10.0
    offer.commanded_amps = offer.site_kw = None
    assert offer.amps == pytest.approx(31.754, abs=1e-3)


def test_a_limit_above_the_rating_is_told_apart():
    assert an_offer().exceeds_rating(32.01)
    assert not an_offer().exceeds_rating(32.0)


def test_its_demand_leaves_the_site_out():
    offer = CurrentOffer(SessionTerms(spec=L2, kw_rate=7.36))
    offer.site_kw = 2.0
    assert offer.demand.kw == pytest.approx(7.36)
    assert offer.demand.floor_kw == pytest.approx(1.38)


def test_who_was_told_to_offer_nothing_demands_nothing():
    offer = an_offer()
    offer.commanded_amps = 5.9
    assert offer.demand.kw == 0.0
