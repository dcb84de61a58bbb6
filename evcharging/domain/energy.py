"""Energy as exact decimals, so that sums and bills do not depend on the order of their parts.

Wh are `Decimal` with three places: a hundred times finer than the CAN register (0.1 Wh), which is therefore carried
exactly, and fine enough for stations that meter in fractions of a Wh. Tenths of a Wh as integers would not hold those.
With at most 13 significant digits each, products with a price and their sums stay exact in Decimal's 28 digits.
"""

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Final

ENERGY_RESOLUTION_WH: Final = Decimal("0.001")
REGISTER_RESOLUTION_WH: Final = Decimal("0.1")
MAX_ENERGY_WH: Final = Decimal(10) ** 10
WH_PER_KWH: Final = Decimal(1000)


class InvalidEnergy(ValueError):
    """Raised for an energy that is no number, below zero or out of any meter's range."""


def exact_wh(value: Decimal | float | str) -> Decimal:
    """Return `value` in Wh as an exact decimal; a float counts as the shortest decimal that prints it.

    Anything finer than 0.001 Wh is rounded half to even. Raises InvalidEnergy.
    """
    try:
        energy_wh = value if isinstance(value, Decimal) else Decimal(str(value))
        in_range = energy_wh.is_finite() and 0 <= energy_wh <= MAX_ENERGY_WH
    except InvalidOperation:
        in_range = False
    if not in_range:
        raise InvalidEnergy(f"an energy must be a number of Wh from 0 to {MAX_ENERGY_WH:.0e}, got {value!r}")
    return energy_wh.quantize(ENERGY_RESOLUTION_WH, rounding=ROUND_HALF_EVEN)
