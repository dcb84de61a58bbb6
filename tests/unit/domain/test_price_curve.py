from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evcharging.domain.money import UnknownCurrency
from evcharging.domain.price_curve import DayAhead, PriceCurveError, TimeOfUse, default_time_of_use, parse_price_curve
from evcharging.domain.tariff import NoPrice, Price

DAILY = """\
# night and day
time,price_per_kwh,solar_price_per_kwh

06:00, 0.30, 0.10
17:00, 0.42, 0.10
22:30:30, 0.21, 0.05
"""
AHEAD = """\
start,price_per_kwh
2026-03-01T00:00:00+01:00,0.11
2026-03-01T01:00:00+01:00,-0.01
2026-03-01T02:00:00+01:00,0.09
"""


def parse(text, **options):
    return parse_price_curve(text, currency_code="EUR", **options)


def problems_of(text):
    with pytest.raises(PriceCurveError) as caught:
        parse(text)
    return caught.value.problems


@pytest.mark.parametrize(
    ("clock", "grid", "solar"),
    [
        ("06:00", "0.30", "0.10"),
        ("16:59:59", "0.30", "0.10"),
        ("17:00", "0.42", "0.10"),
        ("22:30:30", "0.21", "0.05"),
        ("23:59", "0.21", "0.05"),
        ("00:00", "0.21", "0.05"),
        ("05:59", "0.21", "0.05"),
    ],
)
def test_a_daily_curve_holds_each_price_until_the_next_and_over_midnight(clock, grid, solar):
    at = datetime.combine(datetime(2026, 3, 1, tzinfo=UTC), time.fromisoformat(clock), tzinfo=UTC)
    assert parse(DAILY).price_at(at) == Price.of(grid, "EUR", solar_per_kwh=solar)


def test_a_daily_curve_follows_the_clock_of_its_zone():
    curve = parse(DAILY, zone=timezone(timedelta(hours=5, minutes=30)))
    assert curve.price_at(datetime(2026, 3, 1, 11, 30, tzinfo=UTC)).grid_per_kwh == Decimal("0.42")
    assert curve.price_at(datetime(2026, 3, 1, 11, 29, tzinfo=UTC)).grid_per_kwh == Decimal("0.30")


def test_a_day_ahead_curve_holds_each_price_until_the_next_and_the_last_on():
    curve = parse(AHEAD)
    assert isinstance(curve, DayAhead)
    assert curve.valid_from == datetime(2026, 2, 28, 23, tzinfo=UTC)
    prices = [str(curve.price_at(curve.valid_from + timedelta(minutes=m)).grid_per_kwh) for m in (0, 59, 60, 120, 9999)]
    assert prices == ["0.11", "0.11", "-0.01", "0.09", "0.09"]


def test_a_day_ahead_curve_has_no_price_before_its_first():
    with pytest.raises(NoPrice, match="this curve begins at 2026-02-28T23:00:00"):
        parse(AHEAD).price_at(datetime(2026, 2, 28, 22, 59, tzinfo=UTC))


def test_times_without_a_zone_are_in_the_zone_given():
    curve = parse("start,price_per_kwh\n2026-03-01T00:00,1", zone=timezone(timedelta(hours=2)))
    assert curve.valid_from == datetime(2026, 2, 28, 22, tzinfo=UTC)


def test_without_a_solar_column_solar_costs_what_the_grid_costs():
    price = parse(AHEAD).price_at(datetime(2026, 3, 1, tzinfo=UTC))
    assert price.solar_per_kwh == price.grid_per_kwh


def test_a_spreadsheet_s_byte_order_mark_is_no_problem():
    assert isinstance(parse("\ufefftime,price_per_kwh\r\n00:00,1\r\n"), TimeOfUse)


def test_every_bad_row_is_named_with_its_number():
    text = "time,price_per_kwh\n00:00,0.2\n\n25:00,0.3\n06:00,cheap\n07:00\n05:00,0.3\n04:00,0.3\n08:00+01:00,0.1"
    assert problems_of(text) == (
        "row 4: expected a time of day as HH:MM, got '25:00'",
        "row 5: a price must be a number, got 'cheap'",
        "row 6: expected 2 columns, got 1",
        "row 8: 04:00 does not come after the row before it",
        "row 9: expected a time of day without a zone, got '08:00+01:00'",
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "header: expected time or start, then price_per_kwh"),
        ("when,price_per_kwh\n00:00,1", "got 'when,price_per_kwh'"),
        ("time,price\n00:00,1", "got 'time,price'"),
        ("time,price_per_kwh\n", "no rows: a curve needs at least one price"),
        ("start,price_per_kwh\ntomorrow,1", "row 2: expected a date and time as 2026-03-01T17:00:00"),
        ("start,price_per_kwh\n0001-01-01T00:00+05:00,1", "row 2: "),
        ("start,price_per_kwh\n2026-01-01T00:00Z,1\n2026-01-01T01:00+01:00,1", "does not come after the row before"),
        ('time,price_per_kwh\n00:00,"' + "9" * 200_000 + '"', "row 2: not CSV"),
        ("time,price_per_kwh\n" + "00:00,1\n" * 20_001, "row 20001: a curve has at most 20000 rows"),
    ],
    ids=["empty", "first column", "second column", "no rows", "no date", "overflow", "same moment", "csv", "rows"],
)
def test_what_is_no_curve_is_refused_with_its_reason(text, problem):
    assert any(problem in line for line in problems_of(text))


def test_an_unknown_currency_is_refused_before_the_rows_are_read():
    with pytest.raises(UnknownCurrency):
        parse_price_curve(DAILY, currency_code="EURO")


@given(
    body=st.text(st.sampled_from('0123456789:-+TZ.,"#\n\r\t \x00eE'), max_size=200),
    kind=st.sampled_from(["time", "start"]),
)
@example(body="00:00,NaN", kind="time")
@example(body='"', kind="time")
def test_any_text_is_a_curve_or_a_price_curve_error(body, kind):
    try:
        curve = parse(f"{kind},price_per_kwh\n{body}")
    except PriceCurveError:
        return
    assert curve.price_at(datetime(9000, 1, 1, tzinfo=UTC)).currency.code == "EUR"


@pytest.mark.parametrize(
    ("hour", "price"), [(0, "0.21"), (5, "0.21"), (6, "0.30"), (17, "0.42"), (19, "0.42"), (20, "0.30")]
)
def test_the_default_curve_is_the_stated_one(hour, price):
    curve = default_time_of_use(Price.of("0.30", "EUR", solar_per_kwh="0.10"))
    at = curve.price_at(datetime(2026, 3, 1, hour, tzinfo=UTC))
    assert (at.grid_per_kwh, at.solar_per_kwh) == (Decimal(price), Decimal("0.10"))
