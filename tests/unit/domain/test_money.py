from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.domain.money import UnknownCurrency, currency, round_money

amounts = st.decimals(-(10**9), 10**9, allow_nan=False, places=9)
codes = st.sampled_from(["EUR", "JMD", "INR", "JPY", "KWD"])


@pytest.mark.parametrize(
    ("code", "digits"), [("EUR", 2), ("JMD", 2), ("INR", 2), ("USD", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("BHD", 3)]
)
def test_a_currency_has_the_minor_unit_of_iso_4217(code, digits):
    assert currency(code).minor_digits == digits
    assert currency(code).minor_unit == Decimal(10) ** -digits


@pytest.mark.parametrize("code", ["", "eur", "EURO", "XXX", "€"])
def test_an_unknown_currency_is_refused(code):
    with pytest.raises(UnknownCurrency, match="expected an ISO 4217 currency code"):
        currency(code)


@pytest.mark.parametrize(
    ("amount", "code", "billed"),
    [
        ("0.0183333", "EUR", "0.02"),
        ("0.125", "EUR", "0.13"),
        ("0.135", "EUR", "0.14"),
        ("-0.125", "EUR", "-0.13"),
        ("0.1249999", "EUR", "0.12"),
        ("149.5", "JPY", "150"),
        ("1.2345", "KWD", "1.235"),
    ],
)
def test_money_is_rounded_half_away_from_zero_to_the_minor_unit(amount, code, billed):
    assert str(round_money(Decimal(amount), currency(code))) == billed


@given(amount=amounts, code=codes)
def test_rounding_moves_by_half_a_minor_unit_at_most_and_only_once(amount, code):
    billed = round_money(amount, currency(code))
    assert abs(billed - amount) <= currency(code).minor_unit / 2
    assert round_money(billed, currency(code)) == billed
