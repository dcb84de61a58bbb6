"""Frames of the TCP control plane: ``<STX>DATA<ETX><LRC>`` and the four control characters between them, without I/O.

LRC is the XOR of DATA and ETX, so it may be any byte, also one that looks like a control character. It is taken by
position, as the one byte behind ETX, and never looked at otherwise. DATA is JSON in UTF-8, which holds no control byte
but tab, LF and CR (JSON escapes the others inside strings): the first ETX behind STX is the end of DATA, a second STX
is a peer that starts its frame again, and any other control byte cannot be brought back into step.

Who may say what, and how often, is `evcharging.apps.ev_central.tcp_link`. Nothing here knows what DATA means.
"""

from __future__ import annotations

import enum
import functools
import operator
import re
from dataclasses import dataclass

__all__ = ["LARGEST_DATA_BYTES", "Fault", "Frame", "FrameDecoder", "LinkBroken", "Signal", "encode_frame", "lrc_of"]

LARGEST_DATA_BYTES = 64 * 1024

STX, ETX = 0x02, 0x03
CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class Signal(enum.IntEnum):
    """The control characters that travel between frames."""

    EOT = 0x04
    ENQ = 0x05
    ACK = 0x06
    NACK = 0x15


class Fault(enum.StrEnum):
    """Why a link was ended or a frame not taken."""

    DAMAGED = "damaged"
    OVERSIZED = "oversized"
    GARBAGE = "garbage"
    SLOW = "slow"
    INVALID = "invalid"


class LinkBroken(Exception):
    """The peer is out of step for good: its connection is lost, and only that."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as it came. Of a frame that is not ``intact`` nothing is to be believed."""

    data: bytes
    intact: bool = True


def lrc_of(data: bytes) -> int:
    """Longitudinal redundancy check: the XOR of DATA and ETX."""
    return functools.reduce(operator.xor, data, ETX)


def encode_frame(data: bytes) -> bytes:
    """Wrap DATA.

    Raises:
        ValueError: it is longer than 64 KiB, or holds a control byte, which JSON does not.
    """
    if len(data) > LARGEST_DATA_BYTES:
        raise ValueError(f"DATA of {len(data)} bytes; the most is {LARGEST_DATA_BYTES}")
    if found := CONTROL.search(data):
        raise ValueError(f"DATA holds the control byte 0x{found[0][0]:02x} at {found.start()}; expected JSON in UTF-8")
    return b"%c%b%c%c" % (STX, data, ETX, lrc_of(data))


class FrameDecoder:
    """Takes a stream of bytes apart, however it was cut into pieces. Holds one frame and one piece at most."""

    def __init__(self) -> None:
        self._unread = bytearray()
        self._data: bytearray | None = None
        self._at_lrc = False

    @property
    def mid_frame(self) -> bool:
        """Whether a frame has begun and its LRC is still to come."""
        return self._data is not None

    def feed(self, piece: bytes) -> None:
        """Add what was received."""
        self._unread += piece

    def next(self) -> Signal | Frame | None:
        """Return what comes next in the stream; None when more bytes are needed.

        Raises:
            LinkBroken: a byte that belongs nowhere, or DATA over 64 KiB. The decoder is of no further use.
        """
        while self._unread:
            if self._data is not None and not self._at_lrc:
                if cut_short := self._read_data():
                    return cut_short
                continue
            byte = self._unread[0]
            del self._unread[:1]
            if self._at_lrc:
                return self._checked(byte)
            if byte != STX:
                return _signal(byte)
            self._data = bytearray()
        return None

    def _read_data(self) -> Frame | None:
        """Move DATA over up to the next control byte; return the spoilt frame when that is the STX of another."""
        assert self._data is not None  # noqa: S101 - only called inside a frame
        found = CONTROL.search(self._unread)
        end = found.start() if found else len(self._unread)
        if len(self._data) + end > LARGEST_DATA_BYTES:
            raise LinkBroken(Fault.OVERSIZED, f"DATA over {LARGEST_DATA_BYTES} bytes")
        self._data += self._unread[:end]
        control = self._unread[end] if found else None
        del self._unread[: end + 1]
        if control == STX:
            spoilt, self._data = bytes(self._data), bytearray()
            return Frame(spoilt, intact=False)
        if control == ETX:
            self._at_lrc = True
        elif control is not None:
            raise LinkBroken(Fault.GARBAGE, f"control byte 0x{control:02x} inside a frame")
        return None

    def _checked(self, lrc: int) -> Frame:
        data = bytes(self._data or b"")
        self._data, self._at_lrc = None, False
        return Frame(data, intact=lrc_of(data) == lrc)


def _signal(byte: int) -> Signal:
    try:
        return Signal(byte)
    except ValueError:
        raise LinkBroken(Fault.GARBAGE, f"byte 0x{byte:02x} outside a frame") from None
