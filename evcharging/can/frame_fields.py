"""The fields of CAN frames: their ranges, their numbers on the wire, the checksum, and what is wrong with a bad one.

The frames themselves are in `evcharging.can.frames`.

Errors::

    FrameError
    ├── UnknownFrame   an id that is none of ours, or no classic data frame with an 11-bit id
    ├── WrongLength    bytes are missing or too many
    ├── WrongChecksum  the CRC does not fit: the frame was damaged or forged
    └── WrongValue     a field that is outside its range, in either direction

Each error carries ``reason``, a short word to count it under. A receiver counts the frame and drops it.
"""

from __future__ import annotations

from typing import ClassVar, Final

from evcharging.domain.charger import ChargerState, FaultCode

__all__ = [
    "FAULT_NUMBERS",
    "NOT_GIVEN",
    "STATES",
    "STATE_NUMBERS",
    "FrameError",
    "UnknownFrame",
    "WrongChecksum",
    "WrongLength",
    "WrongValue",
    "check_length",
    "check_range",
    "crc8_j1850",
    "fault_code",
    "finer",
]

NOT_GIVEN: Final = 0xFFFF
"""A uint16 that says nothing: no vehicle, or a current too large for hundredths of an ampere."""

# The numbers on the wire are positions in these tuples; the DBC's value tables say the same.
STATES: Final = (
    ChargerState.AVAILABLE,
    ChargerState.PLUGGED,
    ChargerState.CHARGING,
    ChargerState.SUSPENDED,
    ChargerState.FINISHED,
    ChargerState.FAULTED,
)
_FAULT_CODES: Final = (
    FaultCode.NONE,
    FaultCode.GROUND_FAULT,
    FaultCode.OVER_TEMPERATURE,
    FaultCode.CONTACTOR_WELDED,
    FaultCode.COMMUNICATION_LOSS,
)
STATE_NUMBERS: Final = {state: number for number, state in enumerate(STATES)}
FAULT_NUMBERS: Final = {code: number for number, code in enumerate(_FAULT_CODES)}


class FrameError(ValueError):
    """A frame that cannot be used. Count it under ``reason`` and drop it."""

    reason: ClassVar[str] = "frame"


class UnknownFrame(FrameError):
    """An id that is none of ours, or no classic data frame with an 11-bit id."""

    reason = "unknown_id"


class WrongLength(FrameError):
    """Bytes are missing or too many."""

    reason = "length"


class WrongChecksum(FrameError):
    """The CRC does not fit: the frame was damaged or forged."""

    reason = "crc"


class WrongValue(FrameError):
    """A field that is outside its range."""

    reason = "value"


def crc8_j1850(data: bytes | bytearray) -> int:
    """CRC-8 SAE J1850: polynomial 1Dh, start FFh, final XOR FFh; 4Bh for ``b"123456789"``."""
    crc = 0xFF
    for byte in data:
        crc = _CRC_TABLE[crc ^ byte]
    return crc ^ 0xFF


def _crc_table() -> tuple[int, ...]:
    table = []
    for start in range(256):
        crc = start
        for _ in range(8):
            crc = ((crc << 1) ^ 0x1D if crc & 0x80 else crc << 1) & 0xFF
        table.append(crc)
    return tuple(table)


_CRC_TABLE: Final = _crc_table()


def finer(whole: int, hundredths: int) -> float:
    """The current in A that the two fields of a frame mean."""
    return float(whole) if hundredths == NOT_GIVEN else hundredths / 100


def fault_code(can_id: int, number: int) -> FaultCode:
    """The fault code behind a number. Raises WrongValue."""
    if number >= len(_FAULT_CODES):
        raise WrongValue(f"{can_id:#x}: got fault code {number}, expected 0 to {len(_FAULT_CODES) - 1}")
    return _FAULT_CODES[number]


def check_length(can_id: int, data: bytes | bytearray, expected: int) -> None:
    """Raise WrongLength unless ``data`` has the expected number of bytes."""
    if len(data) != expected:
        raise WrongLength(f"{can_id:#x}: got {len(data)} bytes, expected {expected}")


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise WrongValue unless ``value`` is within the range that the field can carry."""
    if not low <= value <= high:
        raise WrongValue(f"{name}: got {value}, expected {low:g} to {high:g}")
