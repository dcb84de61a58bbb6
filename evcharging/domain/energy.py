"""Energy as exact decimals, so that sums and bills do not depend on the order of their parts.

Wh are `Decimal` with three places: a hundred times finer than the CAN register (0.1 Wh), which is therefore carried
exactly, and fine enough for stations that meter in fractions of a Wh. Tenths of a Wh as integers would not hold those.
With at most 13 significant digits each, products with a price and their sums stay exact in Decimal's 28 digits.
"""

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Final

ENERGY_RESOLUTION_WH: Final = Decimal("0.001")
REGISTER_RESOLUTION_WH: Final = Decimal("0.1")
MAX_ENERGY_WH: Final = 10_000_000_000
WH_PER_KWH: Final = Decimal(1000)


class InvalidEnergy(ValueError):
    """Raised for an energy that is no number, below zero or out of any meter's range."""


def exact_wh(value: Decimal | float | str) -> Decimal:
    """Return `value` in Wh as an exact decimal, to the nearest 0.001 Wh. Raises InvalidEnergy."""
    if isinstance(value, float):
        if not 0.0 <= value <= MAX_ENERGY_WH:
            raise _invalid(value)
        return Decimal(round(value * 1000)).scaleb(-3)
    try:
        energy_wh = Decimal(value)
    except InvalidOperation:
        raise _invalid(value) from None
    if not energy_wh.is_finite() or not 0 <= energy_wh <= MAX_ENERGY_WH:
        raise _invalid(value)
    return energy_wh.quantize(ENERGY_RESOLUTION_WH, rounding=ROUND_HALF_EVEN)


def _invalid(value: object) -> InvalidEnergy:
    return InvalidEnergy(f"an energy must be a number of Wh from 0 to {MAX_ENERGY_WH}, got {value!r}")
