"""Prices that follow the clock: over every day (time of use) or hour by hour ahead, read from the text of a CSV file.

    time,price_per_kwh,solar_price_per_kwh      start,price_per_kwh
    00:00,0.21,0.10                             2026-03-01T00:00:00+01:00,0.11
    17:00,0.42,0.10                             2026-03-01T01:00:00+01:00,-0.01

The first column's name tells which it is; the solar price may be left out; blank lines and lines that begin with `#`
are skipped. A row holds until the next one. This module reads text; it opens no file and asks no market.
"""

import csv
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from decimal import Decimal
from typing import Final, TypeVar

from evcharging.domain.money import Currency, currency
from evcharging.domain.tariff import PRICE_DECIMALS, NoPrice, Price, require_aware

MAX_ROWS: Final = 20_000
"""Two years of hours; more is a mistake."""

_COLUMNS_WITH_SOLAR: Final = 3

_Moment = TypeVar("_Moment", time, datetime)


class PriceCurveError(ValueError):
    """Raised for a CSV that is no price curve. `problems` has one line for each, with the row's line number."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class TimeOfUse:
    """Prices over the day, the same every day; the last one of a day holds on to the first one of the next.

    `steps` is not empty and rises in time; `zone` is where the clock hangs.
    """

    steps: tuple[tuple[time, Price], ...]
    zone: tzinfo = UTC

    @property
    def currency(self) -> Currency:
        """The currency of every price in it."""
        return self.steps[0][1].currency

    def price_at(self, at: datetime) -> Price:
        """Return the price in force at an aware time."""
        require_aware(at)
        index = bisect_right(self.steps, at.astimezone(self.zone).time(), key=lambda step: step[0])
        return self.steps[index - 1][1]


@dataclass(frozen=True, slots=True)
class DayAhead:
    """Prices from given times on; the last one holds until another tariff takes over.

    `steps` is not empty and rises in time.
    """

    steps: tuple[tuple[datetime, Price], ...]

    @property
    def currency(self) -> Currency:
        """The currency of every price in it."""
        return self.steps[0][1].currency

    @property
    def valid_from(self) -> datetime:
        """The first time that has a price."""
        return self.steps[0][0]

    def price_at(self, at: datetime) -> Price:
        """Return the price in force at an aware time. Raises NoPrice before the first."""
        require_aware(at)
        index = bisect_right(self.steps, at, key=lambda step: step[0])
        if index == 0:
            raise NoPrice(f"this curve begins at {self.valid_from.isoformat()}, asked for {at.isoformat()}")
        return self.steps[index - 1][1]


def default_time_of_use(base: Price, *, zone: tzinfo = UTC) -> TimeOfUse:
    """Return the stated default curve: 70 % of `base` from 0 to 6 h, 140 % in the peak from 17 to 20 h, else 100 %.

    The grid price follows the curve; the solar price stays.
    """
    factors = ((0, Decimal("0.7")), (6, Decimal(1)), (17, Decimal("1.4")), (20, Decimal(1)))
    return TimeOfUse(
        tuple(
            (time(hour), Price(round(base.grid_per_kwh * factor, PRICE_DECIMALS), base.solar_per_kwh, base.currency))
            for hour, factor in factors
        ),
        zone,
    )


def parse_price_curve(text: str, *, currency_code: str, zone: tzinfo = UTC) -> TimeOfUse | DayAhead:
    """Read a price curve from CSV text; times without a zone are in `zone`.

    Raises PriceCurveError with every problem found, UnknownCurrency.
    """
    currency(currency_code)
    rows = _rows(text)
    _, header = next(rows, (1, []))
    kind = header[0] if header else ""
    if kind not in {"time", "start"} or header[1:] not in (["price_per_kwh"], ["price_per_kwh", "solar_price_per_kwh"]):
        expected = "time or start, then price_per_kwh, then solar_price_per_kwh if wanted"
        raise PriceCurveError([f"header: expected {expected}, got {','.join(header)!r}"])
    if kind == "time":
        return TimeOfUse(_steps(rows, len(header), currency_code, _time_of_day), zone)
    return DayAhead(_steps(rows, len(header), currency_code, lambda cell: _instant(cell, zone)))


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(text.removeprefix("\ufeff").splitlines())
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells) and not cells[0].startswith("#"):
                yield reader.line_num, cells
    except csv.Error as error:
        raise PriceCurveError([f"row {reader.line_num}: not CSV: {error}"]) from None


def _steps(
    rows: Iterator[tuple[int, list[str]]], width: int, currency_code: str, read_time: Callable[[str], _Moment]
) -> tuple[tuple[_Moment, Price], ...]:
    problems: list[str] = []
    steps: list[tuple[_Moment, Price]] = []
    for number, cells in rows:
        if number > MAX_ROWS:
            raise PriceCurveError([f"row {number}: a curve has at most {MAX_ROWS} rows"])
        try:
            step = _step(cells, width, currency_code, read_time)
        except (ValueError, OverflowError) as error:
            problems.append(f"row {number}: {error}")
            continue
        if steps and step[0] <= steps[-1][0]:
            problems.append(f"row {number}: {cells[0]} does not come after the row before it")
        steps.append(step)
    if not steps and not problems:
        problems.append("no rows: a curve needs at least one price")
    if problems:
        raise PriceCurveError(problems)
    return tuple(steps)


def _step(
    cells: list[str], width: int, currency_code: str, read_time: Callable[[str], _Moment]
) -> tuple[_Moment, Price]:
    if len(cells) != width:
        raise ValueError(f"expected {width} columns, got {len(cells)}")
    solar_per_kwh = cells[2] if width == _COLUMNS_WITH_SOLAR else None
    return read_time(cells[0]), Price.of(cells[1], currency_code, solar_per_kwh=solar_per_kwh)


def _time_of_day(cell: str) -> time:
    try:
        moment = time.fromisoformat(cell)
    except ValueError:
        raise ValueError(f"expected a time of day as HH:MM, got {cell!r}") from None
    if moment.tzinfo is not None:
        raise ValueError(f"expected a time of day without a zone, got {cell!r}")
    return moment


def _instant(cell: str, zone: tzinfo) -> datetime:
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        raise ValueError(f"expected a date and time as 2026-03-01T17:00:00+01:00, got {cell!r}") from None
    return (moment.replace(tzinfo=zone) if moment.tzinfo is None else moment).astimezone(UTC)
