"""What Central knows of the swarm's policies."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from evcharging.apps.ev_central.prices import Prices, price_of
from evcharging.apps.ev_central.station_policy import PolicyOf, policy_of_swarm
from evcharging.apps.ev_central.swarm_view import SwarmView
from evcharging.domain.behaviour import BehaviourProfile
from evcharging.domain.tariff import PriceHistory
from evcharging.store.simulator.rows import TariffRow

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def tariff(price: str, hour: int = 0) -> TariffRow:
    return TariffRow(
        valid_from=NOON.replace(hour=hour), price_per_kwh=Decimal(price), solar_price_per_kwh=None, currency="INR"
    )


@pytest.fixture
def prices() -> Prices:
    row = tariff("20")
    return Prices(PriceHistory(row.valid_from, price_of(row)), row)


@pytest.fixture
def policy(prices: Prices) -> PolicyOf:
    swarm = SwarmView({"idle": BehaviourProfile(name="idle", charge_if_price_below=20.0)})
    swarm.remember("ST-1", (True, "idle", None, None))
    swarm.remember("ST-2", (True, "gone", None, None))
    return policy_of_swarm(swarm, prices)


def test_a_station_charges_at_its_threshold_and_not_above_it(prices: Prices, policy: PolicyOf) -> None:
    assert policy("ST-1") is None
    prices.change(tariff("20.01", 1))
    assert policy("ST-1") == "Price too high (20.01 > 20.00)"


def test_of_others_nothing_is_known(prices: Prices, policy: PolicyOf) -> None:
    prices.change(tariff("1000", 1))
    assert policy("ST-2") is None
    assert policy("CP-001") is None
