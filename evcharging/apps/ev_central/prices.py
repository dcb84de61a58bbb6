"""The tariff in force, and every one before it, so that an interval is priced by the moment it began."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from evcharging.apps.ev_central.errors import InvalidPricing
from evcharging.domain.money import UnknownCurrency
from evcharging.domain.tariff import InvalidPrice, Price, PriceHistory
from evcharging.messages.network import SiteSignal
from evcharging.store.database import Database
from evcharging.store.simulator import network
from evcharging.store.simulator.rows import TariffRow

__all__ = ["Prices", "price_of", "signal_of"]


class Prices:
    """The price history in memory; the database holds the same, and is read anew after another copy's change."""

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
        return cls(_history_of(rows), rows[-1])

    async def reload(self, database: Database) -> None:
        """Read the history anew.

        Raises:
            DatabaseUnavailable: it cannot be read; what is known stays.
        """
        async with database.begin() as transaction:
            rows = await network.tariff_history(transaction)
        self.history, self._latest = _history_of(rows), rows[-1]

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

    def knows(self, signal: SiteSignal) -> bool:
        """Whether ``signal`` says what is known here, or something older."""
        latest = self._latest
        return signal.ts <= latest.valid_from or (
            signal.price_per_kwh == float(latest.price_per_kwh)
            and signal.solar_price_per_kwh == _float(latest.solar_price_per_kwh)
            and signal.currency == latest.currency
        )


def signal_of(row: TariffRow, site_id: str, now: datetime) -> SiteSignal:
    """The signal that tells everyone at a site what energy costs now."""
    return SiteSignal(
        ts=now,
        site_id=site_id,
        price_per_kwh=float(row.price_per_kwh),
        solar_price_per_kwh=_float(row.solar_price_per_kwh),
        currency=row.currency,
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


def _history_of(rows: Sequence[TariffRow]) -> PriceHistory:
    history = PriceHistory(rows[0].valid_from, price_of(rows[0]))
    for row in rows[1:]:
        history.change(row.valid_from, price_of(row))
    return history


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
