from __future__ import annotations

import math

import pytest
from can import Message
from hypothesis import given
from hypothesis import strategies as st

from evcharging.can.dbc import load_dbc
from evcharging.can.frame_fields import crc8_j1850
from evcharging.can.frames import (
    CHARGER_IDS,
    COMMAND_IDS,
    ChargerStatus,
    Condition,
    CurrentLimit,
    Frame,
    Inject,
    InjectKind,
    MeasuredCurrent,
    Meter,
    StartCharging,
    StopCharging,
    UnknownFrame,
    WrongChecksum,
    WrongLength,
    WrongValue,
    decode,
    encode,
)
from evcharging.domain.charger import ChargerState, FaultCode

AMPS = st.floats(0.0, 1000.0)
STATUSES = st.builds(
    ChargerStatus,
    st.sampled_from(ChargerState),
    st.booleans(),
    st.sampled_from(FaultCode),
    st.integers(0, 255),
)
INJECTIONS = st.one_of(
    st.builds(Inject, st.sampled_from([InjectKind.UNPLUG, InjectKind.PLUG, InjectKind.CLEAR])),
    st.builds(Inject, st.just(InjectKind.FAULT), st.sampled_from([c for c in FaultCode if c is not FaultCode.NONE])),
)
REGISTERS = st.floats(0.0, 4e8)


def signals(frame: Frame) -> dict[str, object]:
    """The frame as the DBC reads it."""
    message = encode(frame)
    return load_dbc().decode_message(message.arbitration_id, bytes(message.data))


def message(can_id: int, data: bytes = b"", *, is_extended_id: bool = False) -> Message:
    return Message(arbitration_id=can_id, is_extended_id=is_extended_id, data=data)


@pytest.mark.parametrize("frame", [StartCharging(), StopCharging()])
def test_start_and_stop_are_empty_and_described_so(frame: Frame) -> None:
    assert bytes(encode(frame).data) == b""
    assert signals(frame) == {}
    assert decode(encode(frame)) == frame


@given(AMPS)
def test_a_limit_is_what_the_dbc_says_and_never_more_than_was_meant(limit_amps: float) -> None:
    frame = CurrentLimit(limit_amps)
    read = signals(frame)
    assert read["LimitWhole"] == math.floor(limit_amps + 1e-6)
    assert read["Limit"] == pytest.approx(min(math.floor(limit_amps * 100 + 1e-6) / 100, 655.35))
    back = decode(encode(frame))
    assert isinstance(back, CurrentLimit)
    assert back.limit_amps <= limit_amps + 1e-6
    assert limit_amps - back.limit_amps < (0.01 if limit_amps < 655.35 else 1.0)


@pytest.mark.parametrize(
    ("data", "limit_amps"),
    [
        (b"\x10\x00", 16.0),
        (b"\x00\x00", 0.0),
        (b"\x2c\x01", 300.0),
        (b"\x10\x00\x72\x06", 16.5),
        (b"\x10\x00\x00\x00", 0.0),
        (b"\x20\x03\xff\xff", 800.0),
    ],
    ids=["16 A", "0 A", "low byte first", "hundredths count", "hundredths count at 0", "more than hundredths can say"],
)
def test_a_limit_is_read_in_both_lengths(data: bytes, limit_amps: float) -> None:
    assert decode(message(0x210, data)) == CurrentLimit(limit_amps)


@given(INJECTIONS)
def test_an_injection_is_what_the_dbc_says(frame: Inject) -> None:
    read = signals(frame)
    assert str(read["InjectKind"]).upper() == frame.kind.name
    assert str(read["InjectFaultCode"]) == frame.fault_code
    assert decode(encode(frame)) == frame


@given(AMPS)
def test_a_current_is_what_the_dbc_says_to_a_hundredth(current_a: float) -> None:
    frame = MeasuredCurrent(current_a)
    read = signals(frame)
    assert read["CurrentWhole"] == round(current_a)
    back = decode(encode(frame))
    assert isinstance(back, MeasuredCurrent)
    if current_a < 655.34:
        assert read["Current"] == pytest.approx(current_a, abs=0.00501)
        assert back.current_a == pytest.approx(current_a, abs=0.00501)
    assert back.current_a == pytest.approx(current_a, abs=0.501)


@given(STATUSES)
def test_a_status_is_what_the_dbc_says(frame: ChargerStatus) -> None:
    read = signals(frame)
    assert str(read["State"]) == frame.state
    assert bool(read["Plugged"]) is frame.plugged
    assert str(read["FaultCode"]) == frame.fault_code
    assert read["RollingCounter"] == frame.counter
    assert decode(encode(frame)) == frame


@given(STATUSES, st.integers(0, 31))
def test_a_status_with_any_bit_turned_over_is_not_believed(frame: ChargerStatus, bit: int) -> None:
    data = bytearray(frame.pack())
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(WrongChecksum):
        decode(message(0x301, bytes(data)))


@given(REGISTERS, st.floats(0.0, 1000.0))
def test_a_meter_is_what_the_dbc_says_and_never_runs_ahead(register_wh: float, voltage_v: float) -> None:
    frame = Meter(register_wh, voltage_v)
    read = signals(frame)
    assert read["EnergyRegister"] == pytest.approx(register_wh, abs=0.1001)
    assert read["Voltage"] == pytest.approx(voltage_v, abs=0.0501)
    back = decode(encode(frame))
    assert isinstance(back, Meter)
    assert back.register_wh <= register_wh + 1e-6
    assert back.register_wh == pytest.approx(read["EnergyRegister"])


@given(REGISTERS, REGISTERS)
def test_the_register_on_the_wire_falls_only_where_the_register_does(one_wh: float, other_wh: float) -> None:
    low, high = (Meter(wh, 230.0).unpack(Meter(wh, 230.0).pack()) for wh in sorted((one_wh, other_wh)))
    assert low.register_wh <= high.register_wh


def test_the_register_rolls_over_as_a_meter_does() -> None:
    assert Meter.unpack(Meter(2**32 / 10 + 7.3, 230.0).pack()).register_wh == 7.3


@given(st.floats(-40.0, 150.0), st.none() | st.floats(0.0, 1.0))
def test_a_condition_is_what_the_dbc_says(temperature_c: float, soc: float | None) -> None:
    frame = Condition(temperature_c, soc)
    read = signals(frame)
    assert read["Temperature"] == pytest.approx(temperature_c, abs=0.0501)
    assert read["StateOfCharge"] == pytest.approx(655.35 if soc is None else soc * 100, abs=0.00501)
    back = decode(encode(frame))
    assert isinstance(back, Condition)
    assert back.soc == (None if soc is None else pytest.approx(soc, abs=0.0000501))


def test_every_frame_of_the_dbc_is_known_with_its_direction() -> None:
    described = {m.frame_id: m.senders for m in load_dbc().messages}
    assert {can_id for can_id, senders in described.items() if senders == ["Engine"]} == COMMAND_IDS
    assert {can_id for can_id, senders in described.items() if senders == ["Charger"]} == CHARGER_IDS


@given(st.integers(0, 0x7FF).filter(lambda can_id: can_id not in COMMAND_IDS | CHARGER_IDS))
def test_any_other_id_is_unknown(can_id: int) -> None:
    with pytest.raises(UnknownFrame, match=f"got id {can_id:#x}, expected one of 0x200"):
        decode(message(can_id))


@pytest.mark.parametrize(
    "wrong",
    [
        Message(arbitration_id=0x300, is_extended_id=True, data=bytes(4)),
        Message(arbitration_id=0x300, is_extended_id=False, is_remote_frame=True),
        Message(arbitration_id=0x300, is_extended_id=False, is_error_frame=True, data=bytes(4)),
        Message(arbitration_id=0x300, is_extended_id=False, is_fd=True, data=bytes(4)),
    ],
    ids=["29-bit id", "remote", "error", "CAN FD"],
)
def test_a_frame_of_another_kind_is_unknown(wrong: Message) -> None:
    with pytest.raises(UnknownFrame):
        decode(wrong)


@pytest.mark.parametrize("can_id", sorted(COMMAND_IDS | CHARGER_IDS))
@pytest.mark.parametrize("length", range(9))
def test_a_wrong_length_says_what_was_got_and_expected(can_id: int, length: int) -> None:
    expected = {0x200: {0}, 0x201: {0}, 0x210: {2, 4}, 0x2F0: {2}, 0x300: {4}, 0x301: {4}, 0x302: {6}, 0x303: {4}}
    if length in expected[can_id]:
        return
    with pytest.raises(WrongLength, match=rf"{can_id:#x}: got {length} bytes, expected {min(expected[can_id])}"):
        decode(message(can_id, bytes(length)))


@pytest.mark.parametrize(
    ("can_id", "data"),
    [
        (0x2F0, b"\x04\x00"),
        (0x2F0, b"\x02\x00"),
        (0x2F0, b"\x02\x05"),
        (0x301, b"\x06\x00\x00" + bytes([crc8_j1850(b"\x06\x00\x00")])),
        (0x301, b"\x22\x00\x00" + bytes([crc8_j1850(b"\x22\x00\x00")])),
        (0x303, b"\x00\x00\x11\x27"),
    ],
    ids=["kind", "fault without code", "fault code", "state", "bits without a meaning", "state of charge over 100 %"],
)
def test_a_field_outside_its_range_is_refused(can_id: int, data: bytes) -> None:
    with pytest.raises(WrongValue):
        decode(message(can_id, data))


@pytest.mark.parametrize(
    "frame",
    [
        CurrentLimit(-0.1),
        CurrentLimit(65536.0),
        CurrentLimit(math.nan),
        MeasuredCurrent(-1.0),
        MeasuredCurrent(math.inf),
        Inject(InjectKind.FAULT),
        ChargerStatus(ChargerState.AVAILABLE, False, FaultCode.NONE, 256),
        Meter(-1.0, 230.0),
        Meter(0.0, 6553.6),
        Condition(4000.0, None),
        Condition(20.0, 1.01),
    ],
    ids=repr,
)
def test_a_value_that_does_not_fit_is_not_packed(frame: Frame) -> None:
    with pytest.raises(WrongValue):
        encode(frame)


@given(st.sampled_from(sorted(COMMAND_IDS | CHARGER_IDS)), st.binary(max_size=8))
def test_any_data_decodes_to_what_can_be_said_again_or_is_refused(can_id: int, data: bytes) -> None:
    try:
        frame = decode(message(can_id, data))
    except (WrongLength, WrongChecksum, WrongValue):
        return
    assert decode(encode(frame)) == frame
