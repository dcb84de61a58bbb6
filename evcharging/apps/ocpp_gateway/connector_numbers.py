"""The numbers of connectors and EVSEs that the bus takes: 0, the whole station, to 255."""

from __future__ import annotations

from typing import Final

from evcharging.ocpp.errors import CallRejected, Fault

__all__ = ["connector_number"]

HIGHEST: Final = 255


def connector_number(number: int, field: str) -> int:
    """``number``, if a station can have such a connector; the schemas know no bound.

    Raises:
        CallRejected: none has.
    """
    if not 0 <= number <= HIGHEST:
        raise CallRejected(Fault.PROPERTY_CONSTRAINT, f"{field}: {number}; expected 0 to {HIGHEST}")
    return number
