"""The tariff in force, and every one before it, so that an interval is priced by the moment it began."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from evcharging.apps.ev_central.errors import InvalidPricing
from evcharging.domain.money import UnknownCurrency
from evcharging.domain.tariff import InvalidPrice, Price, PriceHistory
from evcharging.messages.network import SiteSignal
from evcharging.store.database import Database
from evcharging.store.simulator import network
from evcharging.store.simulator.rows import TariffRow

__all__ = ["Prices", "price_of"]


class Prices:
    """The price history in memory; the database holds the same. Another copy's change arrives by `site.signals`."""

    def __init__(self, history: PriceHistory, latest: TariffRow) -> None:
        self.history = history
        self._latest = latest

    @classmethod
    async def load(cls, database: Database, *, first: TariffRow) -> Prices:
        """Read the history; a database without any gets ``first``.

        Raises:
            InvalidPricing: ``first`` cannot be charged.
            DatabaseUnavailable: it cannot be read.
        """
        price_of(first)
        async with database.begin() as transaction:
            rows = await network.tariff_history(transaction)
            if not rows:
                await network.add_tariff(transaction, first)
                rows = [first]
        history = PriceHistory(rows[0].valid_from, price_of(rows[0]))
        for row in rows[1:]:
            history.change(row.valid_from, price_of(row))
        return cls(history, rows[-1])

    @property
    def latest(self) -> TariffRow:
        """The tariff in force."""
        return self._latest

    @property
    def currency(self) -> str:
        """The currency that new sessions are billed in."""
        return self._latest.currency

    def change(self, row: TariffRow) -> None:
        """Put ``row`` into force; running sessions go on in their own currency."""
        self.history.change(row.valid_from, price_of(row))
        if row.valid_from >= self._latest.valid_from:
            self._latest = row

    def learn(self, signal: SiteSignal) -> None:
        """Take over a change that another copy of Central made."""
        row = tariff_of(signal)
        if signal.ts > self._latest.valid_from and not _same(row, self._latest):
            self.change(row)

    def signal(self, site_id: str, now: Callable[[], datetime]) -> SiteSignal:
        """The signal that tells everyone the price now."""
        return SiteSignal(
            ts=now(),
            site_id=site_id,
            price_per_kwh=float(self._latest.price_per_kwh),
            solar_price_per_kwh=_float(self._latest.solar_price_per_kwh),
            currency=self._latest.currency,
        )


def price_of(row: TariffRow) -> Price:
    """The price a row stands for.

    Raises:
        InvalidPricing: a price that is no number or out of range, or no ISO 4217 currency.
    """
    try:
        return Price.of(row.price_per_kwh, row.currency, solar_per_kwh=row.solar_price_per_kwh)
    except (InvalidPrice, UnknownCurrency) as error:
        raise InvalidPricing(str(error)) from None


def tariff_of(signal: SiteSignal) -> TariffRow:
    """The tariff that a signal announces, in force from the signal's time on."""
    solar = signal.solar_price_per_kwh
    return TariffRow(
        valid_from=signal.ts,
        price_per_kwh=Decimal(str(signal.price_per_kwh)),
        solar_price_per_kwh=None if solar is None else Decimal(str(solar)),
        currency=signal.currency,
    )


def _same(a: TariffRow, b: TariffRow) -> bool:
    return (a.price_per_kwh, a.solar_price_per_kwh, a.currency) == (b.price_per_kwh, b.solar_price_per_kwh, b.currency)


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
