"""Currencies, and the one rounding of money.

Amounts are Decimal in major units (euros, not cents) and stay unrounded until `round_money`. What an amount means (a
price, a cost) is for others to say.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final


class UnknownCurrency(ValueError):
    """Raised for a code that is no circulating ISO 4217 currency."""


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency by its ISO 4217 code, with the number of decimals its minor unit has. Made by `currency`."""

    code: str
    minor_digits: int

    @property
    def minor_unit(self) -> Decimal:
        """The smallest amount that can be billed."""
        return Decimal(1).scaleb(-self.minor_digits)


def currency(code: str) -> Currency:
    """Return the currency with ISO 4217 `code`, spelled in capitals. Raises UnknownCurrency."""
    if code in _ODD_MINOR_DIGITS:
        return Currency(code, _ODD_MINOR_DIGITS[code])
    if code in _TWO_DIGITS:
        return Currency(code, 2)
    raise UnknownCurrency(f"expected an ISO 4217 currency code such as EUR, got {code!r}")


def round_money(amount: Decimal, in_currency: Currency) -> Decimal:
    """Round an amount to its currency's minor unit, half away from zero, as bills are rounded in trade.

    Done once, on the total: a sum of rounded parts would drift from the meter.
    """
    return amount.quantize(in_currency.minor_unit, rounding=ROUND_HALF_UP)


def _codes(text: str) -> list[str]:
    return text.split()


_ODD_MINOR_DIGITS: Final = {
    **dict.fromkeys(_codes("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"), 0),
    **dict.fromkeys(_codes("BHD IQD JOD KWD LYD OMR TND"), 3),
}

_TWO_DIGITS: Final = frozenset(
    _codes(
        """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC
        CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD
        KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO
        NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL
        THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
        """
    )
)
