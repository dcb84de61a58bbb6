"""What travels between an engine and its charger, frame by frame: values in, bytes out, and the other way round.

The layout is that of ``charger.dbc`` beside this module; the tests hold the two against each other. Bytes are packed by
hand because 0x300 comes ten times a second from each charger. Nothing here keeps state: whether a rolling counter moves
is for the receiver to see (`evcharging.can.link`).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Final, Self

from can import Message

from evcharging.can.frame_fields import (
    FAULT_NUMBERS,
    NOT_GIVEN,
    STATE_NUMBERS,
    STATES,
    FrameError,
    UnknownFrame,
    WrongChecksum,
    WrongLength,
    WrongValue,
    check_length,
    check_range,
    crc8_j1850,
    fault_code,
    finer,
)
from evcharging.domain.charger import ChargerState, FaultCode

__all__ = [
    "CHARGER_IDS",
    "COMMAND_IDS",
    "REGISTER_MODULUS_WH",
    "ChargerStatus",
    "Condition",
    "CurrentLimit",
    "Frame",
    "FrameError",
    "Inject",
    "InjectKind",
    "MeasuredCurrent",
    "Meter",
    "StartCharging",
    "StopCharging",
    "UnknownFrame",
    "WrongChecksum",
    "WrongLength",
    "WrongValue",
    "decode",
    "encode",
]

REGISTER_MODULUS_WH: Final = 2**32 / 10
"""The register on the wire begins again at 0 here (429 GWh)."""

_ROUNDING: Final = 1e-6
"""Binary fractions: 16.15 A · 100 is a hair under 1615, and means 1615."""


class InjectKind(IntEnum):
    """What `Inject` makes happen; the numbers are those on the wire."""

    UNPLUG = 0
    PLUG = 1
    FAULT = 2
    CLEAR = 3


@dataclass(frozen=True, slots=True)
class StartCharging:
    """0x200, engine to charger: charge the vehicle, with a fresh one on the cable where none waits. No data."""

    CAN_ID: ClassVar[int] = 0x200

    def pack(self) -> bytes:
        """No data."""
        return b""

    @classmethod
    def unpack(cls, data: bytes | bytearray) -> Self:
        """Read no data. Raises WrongLength."""
        check_length(cls.CAN_ID, data, 0)
        return cls()


@dataclass(frozen=True, slots=True)
class StopCharging:
    """0x201, engine to charger: the session is over. No data."""

    CAN_ID: ClassVar[int] = 0x201

    def pack(self) -> bytes:
        """No data."""
        return b""

    @classmethod
    def unpack(cls, data: bytes | bytearray) -> Self:
        """Read no data. Raises WrongLength."""
        check_length(cls.CAN_ID, data, 0)
        return cls()


@dataclass(frozen=True, slots=True)
class CurrentLimit:
    """0x210, engine to charger, each second: the current on offer, in A per phase.

    uint16 A, then the same as uint16 in 0.01 A, which counts where it is there. Both are rounded down, so that no
    reader takes more than was meant; from 655.35 A on only the first is given.
    """

    CAN_ID: ClassVar[int] = 0x210
    limit_amps: float

    def pack(self) -> bytes:
        """Four bytes. Raises WrongValue for a limit below 0 or above 65,535 A."""
        amps = self.limit_amps
        check_range("limit_amps", amps, 0.0, 65535.0)
        fine = math.floor(amps * 100 + _ROUNDING)
        return _TWO_U16.pack(math.floor(amps + _ROUNDING), min(fine, NOT_GIVEN))

    @classmethod
    def unpack(cls, data: bytes | bytearray) -> Self:
        """Read two or four bytes. Raises WrongLength."""
        if len(data) == 4:
            return cls(finer(*_TWO_U16.unpack(data)))
        if len(data) == 2:
            return cls(float(int.from_bytes(data, "little")))
        raise WrongLength(f"0x210: got {len(data)} bytes, expected 2 or 4")


@dataclass(frozen=True, slots=True)
class Inject:
    """0x2F0, engine to charger: what happens at the cable or in the hardware, for tests and for keys pressed."""

    CAN_ID: ClassVar[int] = 0x2F0
    kind: InjectKind
    fault_code: FaultCode = FaultCode.NONE

    def pack(self) -> bytes:
        """Two bytes. Raises WrongValue for a fault without its code."""
        self._check()
        return bytes((self.kind, FAULT_NUMBERS[self.fault_code]))

    @classmethod
    def unpack(cls, data: bytes | bytearray) -> Self:
        """Read two bytes. Raises WrongLength, WrongValue."""
        check_length(cls.CAN_ID, data, 2)
        if data[0] >= len(InjectKind):
            raise WrongValue(f"0x2F0: got kind {data[0]}, expected 0 to {len(InjectKind) - 1}")
        frame = cls(InjectKind(data[0]), fault_code(cls.CAN_ID, data[1]))
        frame._check()
        return frame

    def _check(self) -> None:
        if self.kind is InjectKind.FAULT and self.fault_code is FaultCode.NONE:
            raise WrongValue("0x2F0: a fault needs its code, got NONE")


@dataclass(frozen=True, slots=True)
class MeasuredCurrent:
    """0x300, charger to all, each 100 ms: the current that flows, in A per phase (or of the DC side).

    uint16 A to the nearest, then the same as uint16 in 0.01 A, which counts up to 655.34 A.
    """

    CAN_ID: ClassVar[int] = 0x300
    current_a: float

    def pack(self) -> bytes:
        """Four bytes. Raises WrongValue for a current below 0 or above 65,535 A."""
        amps = self.current_a
        check_range("current_a", amps, 0.0, 65535.0)
        fine = round(amps * 100)
        return _TWO_U16.pack(round(amps), min(fine, NOT_GIVEN))

    @classmethod
    def unpack(cls, data: bytes | bytearray) -> Self:
        """Read four bytes. Raises WrongLength."""
        if len(data) != 4:
            check_length(cls.CAN_ID, data, 4)
        return cls(finer(*_TWO_U16.unpack(data)))


@dataclass(frozen=True, slots=True)
class ChargerStatus:
    """0x301, charger to all, each second and at once when the state changes.

    Byte 0: state in bits 0 to 3, vehicle on the cable in bit 4. Byte 1: fault code. Byte 2: rolling counter, 0 to 255.
    Byte 3: CRC-8 SAE J1850 over bytes 0 to 2.
    """

    CAN_ID: ClassVar[int] = 0x301
    state: ChargerState
    plugged: bool
    fault_code: FaultCode
    counter: int

    def pack(self) -> bytes:
        """Four bytes. Raises WrongValue for a counter outside 0 to 255."""
        check_range("counter", self.counter, 0, 255)
        body = bytes(
            (
                STATE_NUMBERS[self.state] | (_PLUGGED_BIT if self.plugged else 0),
                FAULT_NUMBERS[self.fault_code],
                self.counter,
            )
        )
        return body + bytes((crc8_j1850(body),))

    @classmethod
    def unpack(cls, data: bytes | bytearray) -> Self:
        """Read four bytes. Raises WrongLength, WrongChecksum, WrongValue."""
        check_length(cls.CAN_ID, data, 4)
        expected = crc8_j1850(data[:3])
        if data[3] != expected:
            raise WrongChecksum(f"0x301: got CRC {data[3]:#04x}, expected {expected:#04x}")
        number = data[0] & ~_PLUGGED_BIT
        if number >= len(STATES):
            raise WrongValue(f"0x301: got state {number}, expected 0 to {len(STATES) - 1}")
        return cls(STATES[number], bool(data[0] & _PLUGGED_BIT), fault_code(cls.CAN_ID, data[1]), data[2])


@dataclass(frozen=True, slots=True)
class Meter:
    """0x302, charger to all, each second and at once when the state changes.

    uint32 energy register in 0.1 Wh, rounded down and rolling over at `REGISTER_MODULUS_WH`; uint16 voltage in 0.1 V.
    """

    CAN_ID: ClassVar[int] = 0x302
    register_wh: float
    voltage_v: float

    def pack(self) -> bytes:
        """Six bytes. Raises WrongValue for a register below 0 or a voltage outside 0 to 6,553.5 V."""
        check_range("register_wh", self.register_wh, 0.0, 1e15)
        check_range("voltage_v", self.voltage_v, 0.0, 6553.5)
        register = math.floor(self.register_wh * 10 + _ROUNDING) % 2**32
        return _U32_U16.pack(register, round(self.voltage_v * 10))

    @classmethod
    def unpack(cls, data: bytes | bytearray) -> Self:
        """Read six bytes. Raises WrongLength."""
        check_length(cls.CAN_ID, data, 6)
        register, voltage = _U32_U16.unpack(data)
        return cls(register / 10, voltage / 10)


@dataclass(frozen=True, slots=True)
class Condition:
    """0x303, charger to all, each second and at once when the state changes.

    int16 temperature of the power stage in 0.1 °C; uint16 state of charge of the vehicle in 0.01 %, FFFFh without one.
    Here the state of charge is a fraction from 0 to 1, or None.
    """

    CAN_ID: ClassVar[int] = 0x303
    temperature_c: float
    soc: float | None

    def pack(self) -> bytes:
        """Four bytes. Raises WrongValue for a temperature beyond ±3,276 °C or a state of charge outside 0 to 1."""
        check_range("temperature_c", self.temperature_c, -3276.8, 3276.7)
        if self.soc is not None:
            check_range("soc", self.soc, 0.0, 1.0)
        soc = NOT_GIVEN if self.soc is None else round(self.soc * 10_000)
        return _I16_U16.pack(round(self.temperature_c * 10), soc)

    @classmethod
    def unpack(cls, data: bytes | bytearray) -> Self:
        """Read four bytes. Raises WrongLength, WrongValue."""
        check_length(cls.CAN_ID, data, 4)
        temperature, soc = _I16_U16.unpack(data)
        if soc > 10_000 and soc != NOT_GIVEN:
            raise WrongValue(f"0x303: got a state of charge of {soc / 100} %, expected 0 to 100 or none")
        return cls(temperature / 10, None if soc == NOT_GIVEN else soc / 10_000)


Frame = StartCharging | StopCharging | CurrentLimit | Inject | MeasuredCurrent | ChargerStatus | Meter | Condition

COMMAND_IDS: Final = frozenset((0x200, 0x201, 0x210, 0x2F0))
"""What an engine sends."""
CHARGER_IDS: Final = frozenset((0x300, 0x301, 0x302, 0x303))
"""What a charger sends."""


def encode(frame: Frame) -> Message:
    """The frame as python-can's Message.

    Raises:
        WrongValue: a field does not fit its place in the frame.
    """
    return Message(arbitration_id=frame.CAN_ID, is_extended_id=False, data=frame.pack())


def decode(message: Message) -> Frame:
    """What the message says.

    Raises:
        FrameError: it is none of ours, or damaged; see the module's tree.
    """
    kind = _KINDS.get(message.arbitration_id)
    if kind is None:
        raise UnknownFrame(f"got id {message.arbitration_id:#x}, expected one of {_KNOWN_IDS}")
    if message.is_extended_id or message.is_remote_frame or message.is_error_frame or message.is_fd:
        raise UnknownFrame(f"id {message.arbitration_id:#x}: expected a classic data frame with an 11-bit id")
    return kind.unpack(message.data)


_TWO_U16: Final = struct.Struct("<HH")
_U32_U16: Final = struct.Struct("<IH")
_I16_U16: Final = struct.Struct("<hH")
_PLUGGED_BIT: Final = 0x10

_KINDS: Final[dict[int, type[Frame]]] = {
    kind.CAN_ID: kind
    for kind in (StartCharging, StopCharging, CurrentLimit, Inject, MeasuredCurrent, ChargerStatus, Meter, Condition)
}
_KNOWN_IDS: Final = ", ".join(f"{can_id:#x}" for can_id in _KINDS)
