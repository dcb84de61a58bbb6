"""Why a station ended a transaction, where the standard has no word for it: the price, the hour, a cap of its own.

To the standard such a stop is ``Local``. What says more is optional and means nothing to others: in 1.6 the vendor's
error code and the info of the StatusNotification that tells ``Finishing``, in 2.0.1 the customData of the transaction.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from evcharging.domain.end_reasons import EndReason

__all__ = ["VENDOR_ID", "StopNote", "custom_data_of", "read_custom_data", "read_vendor_code", "vendor_fields_of"]

VENDOR_ID: Final = "evcharging"
LONGEST_INFO: Final = 50
"""CiString50 of 1.6, section 4.9."""
_CODES: Final = {
    f"{VENDOR_ID}:{reason.value}": reason
    for reason in (
        EndReason.PRICE_TOO_HIGH,
        EndReason.POLICY_STOP,
        EndReason.TARGET_REACHED,
        EndReason.BATTERY_FULL,
    )
}


class StopNote(NamedTuple):
    """The reason in one word and in the station's own text."""

    reason: EndReason
    text: str


def vendor_fields_of(note: StopNote) -> dict[str, str]:
    """What a StatusNotification of 1.6 says of it."""
    return {
        "info": note.text[:LONGEST_INFO],
        "vendorId": VENDOR_ID,
        "vendorErrorCode": f"{VENDOR_ID}:{note.reason.value}",
    }


def read_vendor_code(code: str | None) -> EndReason | None:
    """The reason in a vendor's error code; None where it is somebody else's."""
    return None if code is None else _CODES.get(code)


def custom_data_of(note: StopNote) -> dict[str, str]:
    """The customData of 2.0.1 that says it."""
    return {"vendorId": VENDOR_ID, "endReason": f"{VENDOR_ID}:{note.reason.value}", "text": note.text}


def read_custom_data(custom: Any) -> EndReason | None:
    """The reason in customData; None where it says nothing of it, or is somebody else's."""
    code = custom.get("endReason") if isinstance(custom, dict) else None
    return read_vendor_code(code) if isinstance(code, str) else None
