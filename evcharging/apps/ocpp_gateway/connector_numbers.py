"""The numbers of connectors and EVSEs that the bus takes: 0, the whole station, to 255."""

from __future__ import annotations

from typing import Final

from evcharging.ocpp.errors import CallRejected, Fault

__all__ = ["connector_number", "transaction_place"]

HIGHEST: Final = 255
WHOLE_STATION: Final = 0


def connector_number(number: int, field: str) -> int:
    """``number``, if a station can have such a connector; the schemas know no bound.

    Raises:
        CallRejected: none has.
    """
    if not 0 <= number <= HIGHEST:
        raise CallRejected(Fault.PROPERTY_CONSTRAINT, f"{field}: {number}; expected 0 to {HIGHEST}")
    return number


def transaction_place(number: int) -> int:
    """Where a transaction is: at ``number``, or at the whole station where it cannot have such a connector.

    A message about a transaction is never refused for that: its station would repeat it, and then drop what is billed.
    """
    return number if 0 <= number <= HIGHEST else WHOLE_STATION
