from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from evcharging.messages.network import SiteSignal
from evcharging.mqtt.site import site_messages
from evcharging.mqtt.topics import TopicError

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def test_a_signal_becomes_the_three_topics_of_its_site() -> None:
    signal = SiteSignal(
        ts=NOW,
        site_id="home",
        price_per_kwh=0.3,
        solar_price_per_kwh=0.1,
        currency="EUR",
        solar_kw=12.5,
        grid_limit_kw=50,
        carbon_g_per_kwh=320,
    )
    told = {topic: json.loads(body) for topic, body in site_messages(signal)}
    assert told == {
        "site/home/grid": {
            "v": 1,
            "ts": "2026-05-01T12:00:00.000Z",
            "site_id": "home",
            "limit_kw": 50.0,
            "carbon_g_per_kwh": 320.0,
        },
        "site/home/solar": {"v": 1, "ts": "2026-05-01T12:00:00.000Z", "site_id": "home", "solar_kw": 12.5},
        "site/home/price": {
            "v": 1,
            "ts": "2026-05-01T12:00:00.000Z",
            "site_id": "home",
            "price_per_kwh": 0.3,
            "solar_price_per_kwh": 0.1,
            "currency": "EUR",
        },
    }


def test_a_site_without_a_word_on_its_sun_tells_none() -> None:
    signal = SiteSignal(ts=NOW, site_id="home", price_per_kwh=0.3, currency="EUR")
    assert [topic for topic, _ in site_messages(signal)] == ["site/home/grid", "site/home/price"]


def test_a_site_whose_name_cannot_travel_is_refused() -> None:
    with pytest.raises(TopicError):
        site_messages(SiteSignal(ts=NOW, site_id="my/home", price_per_kwh=0.3, currency="EUR"))
