import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.domain.energy import exact_wh
from evcharging.domain.money import UnknownCurrency, currency
from evcharging.domain.price_curve import parse_price_curve
from evcharging.domain.tariff import DEFAULT_PRICES, InvalidPrice, NoPrice, Price, PriceHistory, require_aware

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EUR, INR = currency("EUR"), currency("INR")
CHEAP, DEAR, RUPEES = Price.of("0.20", "EUR"), Price.of("0.40", "EUR"), Price.of(20, "INR")


def after(minutes):
    return NOON + timedelta(minutes=minutes)


@pytest.mark.parametrize(("code", "grid", "solar"), [("EUR", "0.30", "0.30"), ("JMD", "50", "10"), ("INR", "20", "20")])
def test_the_default_prices_are_the_stated_ones(code, grid, solar):
    price = DEFAULT_PRICES[code]
    assert (price.grid_per_kwh, price.solar_per_kwh, price.currency.code) == (Decimal(grid), Decimal(solar), code)


def test_solar_and_grid_are_priced_apart_and_not_rounded():
    cost = DEFAULT_PRICES["JMD"].cost(solar_wh=Decimal("1000.1"), grid_wh=Decimal("0.1"))
    assert cost == Decimal("10.001") + Decimal("0.005")


def test_the_demo_session_costs_two_cents_before_rounding_1_83():
    assert DEFAULT_PRICES["EUR"].cost(solar_wh=Decimal(0), grid_wh=Decimal("61.1")) == Decimal("0.01833")


def test_a_float_price_means_the_decimal_it_prints_as():
    assert Price.of(0.1, "EUR").grid_per_kwh == Decimal("0.1")


def test_a_price_below_zero_is_a_price():
    assert Price.of("-0.05", "EUR").cost(solar_wh=Decimal(0), grid_wh=Decimal(1000)) == Decimal("-0.05")


@pytest.mark.parametrize("amount", ["ten", "", math.nan, math.inf, "0.0000001", 10**7, "-1e7"])
def test_what_is_no_price_is_refused(amount):
    with pytest.raises(InvalidPrice):
        Price.of(amount, "EUR")
    with pytest.raises(InvalidPrice):
        Price.of("0.30", "EUR", solar_per_kwh=amount)


def test_a_price_in_an_unknown_currency_is_refused():
    with pytest.raises(UnknownCurrency):
        Price.of("0.30", "EURO")


@given(
    parts=st.lists(st.integers(0, 10**6), min_size=1, max_size=50),
    millionths=st.integers(0, 10**9),
)
def test_the_cost_of_a_sum_is_the_sum_of_the_costs(parts, millionths):
    price = Price.of(Decimal(millionths).scaleb(-6), "EUR")
    energies_wh = [exact_wh(part / 10) for part in parts]
    costs = [price.cost(solar_wh=Decimal(0), grid_wh=energy_wh) for energy_wh in energies_wh]
    assert price.cost(solar_wh=Decimal(0), grid_wh=sum(energies_wh, Decimal(0))) == sum(costs)


def test_a_time_is_priced_with_the_last_change_at_or_before_it():
    history = PriceHistory(NOON, CHEAP)
    history.change(after(10), DEAR)
    assert history.price_at(after(0)) == CHEAP
    assert history.price_at(after(10) - timedelta(microseconds=1)) == CHEAP
    assert history.price_at(after(10)) == DEAR
    assert history.price_at(after(10_000)) == DEAR


def test_before_the_first_change_the_first_price_counts():
    assert PriceHistory(NOON, CHEAP).price_at(after(-60)) == CHEAP


@given(order=st.permutations(range(8)))
def test_the_order_in_which_changes_are_learned_makes_no_difference(order):
    history = PriceHistory(NOON, CHEAP)
    for minute in order:
        history.change(after(minute + 1), Price.of(minute, "EUR"))
    assert [history.price_at(after(minute + 1.5)).grid_per_kwh for minute in range(8)] == list(range(8))
    assert [at for at, _ in history.entries] == sorted(at for at, _ in history.entries)


def test_a_change_at_the_same_time_replaces_the_one_before():
    history = PriceHistory(NOON, CHEAP)
    history.change(NOON, DEAR)
    assert history.entries == ((NOON, DEAR),)


def test_the_same_moment_in_another_zone_is_the_same_moment():
    history = PriceHistory(NOON, CHEAP)
    history.change(after(60), DEAR)
    in_kingston = after(60).astimezone(timezone(timedelta(hours=-5)))
    assert history.price_at(in_kingston) == DEAR


def test_a_session_keeps_the_prices_of_its_currency():
    history = PriceHistory(NOON, CHEAP)
    history.change(after(10), RUPEES)
    history.change(after(20), DEAR)
    assert history.price_at(after(15)) == RUPEES
    assert history.price_at(after(15), in_currency=EUR) == CHEAP
    assert history.price_at(after(25), in_currency=EUR) == DEAR
    assert history.price_at(after(25), in_currency=INR) == RUPEES


def test_before_the_first_price_in_its_currency_a_session_has_that_one():
    history = PriceHistory(NOON, CHEAP)
    history.change(after(10), RUPEES)
    history.change(after(20), Price.of(30, "INR"))
    for at in (after(-5), after(5), after(15)):
        assert history.price_at(at, in_currency=INR) == RUPEES


def test_a_currency_without_a_price_is_an_error():
    history = PriceHistory(NOON, CHEAP)
    for at in (after(-5), after(5)):
        with pytest.raises(NoPrice, match="no price in INR"):
            history.price_at(at, in_currency=INR)


def test_a_curve_takes_its_turn_among_flat_prices():
    history = PriceHistory(NOON, CHEAP)
    history.change(after(10), parse_price_curve("time,price_per_kwh\n00:00,0.5\n13:00,0.7", currency_code="EUR"))
    history.change(after(120), DEAR)
    prices = [str(history.price_at(after(minutes)).grid_per_kwh) for minutes in (5, 10, 60, 120)]
    assert prices == ["0.20", "0.5", "0.7", "0.40"]


def test_a_curve_cannot_be_put_in_force_before_it_begins():
    history = PriceHistory(NOON, CHEAP)
    curve = parse_price_curve("start,price_per_kwh\n2026-03-01T13:00Z,0.5", currency_code="EUR")
    with pytest.raises(NoPrice, match="begins at 2026-03-01T13:00"):
        history.change(NOON, curve)
    history.change(curve.valid_from, curve)
    assert history.price_at(after(59)) == CHEAP
    assert history.price_at(after(60)).grid_per_kwh == Decimal("0.5")


def test_a_time_without_a_zone_is_refused():
    history = PriceHistory(NOON, CHEAP)
    naive = NOON.replace(tzinfo=None)
    for refused in (
        lambda: require_aware(naive),
        lambda: history.price_at(naive),
        lambda: history.change(naive, DEAR),
        lambda: PriceHistory(naive, CHEAP),
    ):
        with pytest.raises(ValueError, match="a time needs a zone, got 2026-03-01T12:00:00"):
            refused()
