"""What energy costs, by source, currency and time. It prices intervals exactly and never rounds: see `money`."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final, Protocol, Self

from evcharging.domain.energy import WH_PER_KWH
from evcharging.domain.money import Currency, currency

PRICE_DECIMALS: Final = 6
MAX_PRICE: Final = Decimal(10) ** 7
"""Prices are held to six decimals under ten million, so that energy times price is exact in 28 digits."""


class InvalidPrice(ValueError):
    """Raised for a price that is no number, has more than six decimals or is out of range."""


class NoPrice(LookupError):
    """Raised where a tariff has no price for a time or a currency."""


class Pricing(Protocol):
    """Anything that has one price in force at any time: a flat price, a curve over the day, a day-ahead curve."""

    @property
    def currency(self) -> Currency:
        """The currency of every price in it."""

    def price_at(self, at: datetime) -> "Price":
        """Return the price in force at an aware time. Raises NoPrice."""


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a kWh, from the grid and from the site's sun. Below zero is allowed: day-ahead markets go there."""

    grid_per_kwh: Decimal
    solar_per_kwh: Decimal
    currency: Currency

    def __post_init__(self) -> None:
        for amount in (self.grid_per_kwh, self.solar_per_kwh):
            if not amount.is_finite() or abs(amount) >= MAX_PRICE or amount != round(amount, PRICE_DECIMALS):
                raise InvalidPrice(
                    f"a price needs at most {PRICE_DECIMALS} decimals and under 10 million, got {amount}"
                )

    @classmethod
    def of(
        cls,
        grid_per_kwh: Decimal | float | str,
        currency_code: str,
        *,
        solar_per_kwh: Decimal | float | str | None = None,
    ) -> Self:
        """Make a price from plain numbers; without a solar price, solar costs what the grid costs.

        A float counts as the shortest decimal that prints it. Raises InvalidPrice, UnknownCurrency.
        """
        grid = _amount(grid_per_kwh)
        return cls(grid, grid if solar_per_kwh is None else _amount(solar_per_kwh), currency(currency_code))

    def price_at(self, at: datetime) -> "Price":
        """Return itself: a flat price holds at all times."""
        return self

    def cost(self, *, solar_wh: Decimal, grid_wh: Decimal) -> Decimal:
        """Return the unrounded cost of energy by source, in major units of the currency."""
        return (solar_wh * self.solar_per_kwh + grid_wh * self.grid_per_kwh) / WH_PER_KWH


class PriceHistory:
    """Every price that was or will be in force, so that an interval can be priced late as if it had come in time.

    An interval that spans a change is priced whole with what was in force at its start. Prices may be of several
    currencies: a session keeps the currency it began in, and asks for it.
    """

    def __init__(self, valid_from: datetime, pricing: Pricing) -> None:
        self._entries: list[tuple[datetime, Pricing]] = []
        self.change(valid_from, pricing)

    @property
    def entries(self) -> tuple[tuple[datetime, Pricing], ...]:
        """All changes in the order of their time."""
        return tuple(self._entries)

    def change(self, valid_from: datetime, pricing: Pricing) -> None:
        """Put `pricing` in force from an aware time on, until the next change; a change at the same time is replaced.

        Raises NoPrice where `pricing` begins later than that, ValueError for a time without a zone.
        """
        require_aware(valid_from)
        pricing.price_at(valid_from)
        index = bisect_right(self._entries, valid_from, key=_time_of)
        if index and self._entries[index - 1][0] == valid_from:
            self._entries[index - 1] = (valid_from, pricing)
        else:
            self._entries.insert(index, (valid_from, pricing))

    def price_at(self, at: datetime, *, in_currency: Currency | None = None) -> Price:
        """Return the price in force at an aware time: the last change at or before it, in `in_currency` if given.

        Before the first of them, that one counts. Raises NoPrice where there never is one in that currency.
        """
        require_aware(at)
        index = bisect_right(self._entries, at, key=_time_of)
        for _, pricing in reversed(self._entries[:index]):
            if in_currency is None or pricing.currency == in_currency:
                return pricing.price_at(at)
        for valid_from, pricing in self._entries[index:]:
            if in_currency is None or pricing.currency == in_currency:
                return pricing.price_at(valid_from)
        wanted = "" if in_currency is None else f" in {in_currency.code}"
        raise NoPrice(f"no price{wanted} at {at.isoformat()}, before or after")


def require_aware(at: datetime) -> None:
    """Raise ValueError for a time without a zone: it cannot be ordered among others."""
    if at.utcoffset() is None:
        raise ValueError(f"a time needs a zone, got {at.isoformat()}; say which, for instance {at.isoformat()}+00:00")


def _time_of(entry: tuple[datetime, Pricing]) -> datetime:
    return entry[0]


def _amount(value: Decimal | float | str) -> Decimal:
    try:
        return value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        raise InvalidPrice(f"a price must be a number, got {value!r}") from None


DEFAULT_PRICES: Final[Mapping[str, Price]] = {
    "EUR": Price.of("0.30", "EUR"),
    "JMD": Price.of("50", "JMD", solar_per_kwh="10"),
    "INR": Price.of("20", "INR"),
}
"""The price to begin with, by currency code."""
