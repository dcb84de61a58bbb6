from __future__ import annotations

import cantools
import pytest
from can import Message

from evcharging.can.dbc import dbc_path, decode_signals, load_dbc
from evcharging.can.frame_fields import UnknownFrame, WrongLength
from evcharging.can.frames import ChargerStatus, CurrentLimit, encode
from evcharging.domain.charger import ChargerState, FaultCode


def test_the_file_loads_strictly_in_other_peoples_tools() -> None:
    database = cantools.database.load_file(str(dbc_path()), strict=True)
    assert {m.frame_id for m in database.messages} == {m.frame_id for m in load_dbc().messages}


def test_every_message_says_what_it_is_for() -> None:
    assert all(message.comment for message in load_dbc().messages)


def test_cycle_times_are_those_of_the_interface() -> None:
    cycles = {m.frame_id: m.cycle_time for m in load_dbc().messages if m.cycle_time}
    assert cycles == {0x210: 1000, 0x300: 100, 0x301: 1000, 0x302: 1000, 0x303: 1000}


def test_signals_come_with_names_and_plain_values() -> None:
    frame = ChargerStatus(ChargerState.CHARGING, True, FaultCode.NONE, 7)
    name, signals = decode_signals(encode(frame))
    assert name == "ChargerStatus"
    assert signals["State"] == "CHARGING"
    assert type(signals["State"]) is str
    assert (signals["Plugged"], signals["FaultCode"], signals["RollingCounter"]) == (1, "NONE", 7)


def test_a_limit_without_hundredths_is_read() -> None:
    short = Message(arbitration_id=0x210, is_extended_id=False, data=b"\x10\x00")
    assert decode_signals(short) == ("CurrentLimit", {"LimitWhole": 16})
    assert decode_signals(encode(CurrentLimit(16.5)))[1] == {"LimitWhole": 16, "Limit": pytest.approx(16.5)}


def test_what_the_file_does_not_describe_is_refused() -> None:
    with pytest.raises(UnknownFrame, match="0x123"):
        decode_signals(Message(arbitration_id=0x123, is_extended_id=False))
    with pytest.raises(WrongLength, match="0x300"):
        decode_signals(Message(arbitration_id=0x300, is_extended_id=False, data=bytes(8)))
