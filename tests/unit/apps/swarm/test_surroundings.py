from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from evcharging.apps.swarm.surroundings import FIRST_CURRENCY, FIRST_PRICE, Surroundings
from evcharging.bus.memory import MemoryBus
from evcharging.messages.envelope import Event
from evcharging.messages.network import SiteSignal
from evcharging.messages.topics import SITE_SIGNALS


class Site:
    def __init__(self) -> None:
        self.at = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
        self.power_kw = 0.0
        self.bus = MemoryBus()
        self.surroundings = Surroundings(
            self.bus, site_id="site-1", now=lambda: self.at, power_kw=lambda: self.power_kw
        )
        self.environment = self.surroundings.environment

    def signal(self, **values: object) -> SiteSignal:
        return SiteSignal(**{"ts": self.at, "site_id": "site-1", "price_per_kwh": 18.5, "currency": "INR", **values})


@pytest.fixture
def site() -> Site:
    return Site()


def test_before_the_site_has_said_anything_stations_go_by_what_central_begins_with(site):
    assert (site.environment.price, site.environment.currency) == (FIRST_PRICE, FIRST_CURRENCY)
    assert site.environment.hour == 12
    assert site.environment.grid_load is None


def test_a_signal_is_in_force_before_take_returns(site):
    heard = []
    site.environment.watch(lambda: heard.append(site.environment.price))
    site.surroundings.take(site.signal(carbon_g_per_kwh=120.0))
    assert heard == [18.5]
    assert (site.environment.currency, site.environment.carbon_intensity) == ("INR", 120.0)


def test_another_site_is_none_of_their_business(site):
    site.surroundings.take(site.signal(site_id="site-2"))
    assert site.environment.price == FIRST_PRICE


def test_one_station_that_fails_over_a_change_keeps_it_from_no_other(site):
    heard = []

    def fails() -> None:
        raise ZeroDivisionError

    site.environment.watch(fails)
    site.environment.watch(lambda: heard.append(True))
    site.surroundings.take(site.signal())
    assert heard == [True]


def test_who_no_longer_watches_hears_nothing(site):
    heard = []
    unwatch = site.environment.watch(lambda: heard.append(True))
    unwatch()
    site.surroundings.take(site.signal())
    assert heard == []


def test_the_hour_is_the_clocks_and_the_sites_where_it_simulates_one(site):
    site.surroundings.take(site.signal())
    site.at += timedelta(hours=1)
    site.surroundings.look()
    assert site.environment.hour == 13
    simulated = datetime(2026, 6, 1, 17, 50, tzinfo=UTC)
    site.surroundings.take(site.signal(simulated_time=simulated, time_scale=60.0))
    assert site.environment.hour == 17
    site.at += timedelta(seconds=10)
    site.surroundings.look()
    assert site.environment.hour == 18


def test_the_sun_makes_room_on_a_limited_connection(site):
    site.power_kw = 18.0
    site.surroundings.take(site.signal(grid_limit_kw=20.0))
    assert site.environment.grid_load == 0.9
    site.surroundings.take(site.signal(grid_limit_kw=20.0, solar_kw=20.0))
    assert site.environment.grid_load == 0.45
    site.surroundings.take(site.signal(grid_limit_kw=0.0))
    assert site.environment.grid_load == 1.0
    site.surroundings.take(site.signal())
    assert site.environment.grid_load is None


async def test_it_follows_the_topic_from_its_beginning(site):
    await site.bus.publish(Event(SITE_SIGNALS, site.signal(price_per_kwh=7.0), id="1", source="t"))
    task = asyncio.create_task(site.surroundings.run())
    try:
        async with asyncio.timeout(30):
            await site.surroundings.wait_known()
        assert site.environment.price == 7.0
        assert site.surroundings.progressing()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
