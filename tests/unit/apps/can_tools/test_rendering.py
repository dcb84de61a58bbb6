from __future__ import annotations

import json

import pytest
from can import Message

from evcharging.apps.can_tools.rendering import as_json, as_line
from evcharging.can.frames import ChargerStatus, CurrentLimit, MeasuredCurrent, StartCharging, encode
from evcharging.domain.charger import ChargerState, FaultCode


def stamped(message: Message) -> Message:
    message.timestamp = 1700000000.25
    message.channel = "CP-001"
    return message


def test_a_frame_is_a_line_as_candump_writes_it_with_its_meaning() -> None:
    assert as_line(stamped(encode(MeasuredCurrent(31.75)))) == (
        "(1700000000.250000) CP-001 300 [4] 20 00 67 0C             MeasuredCurrent CurrentWhole=32 Current=31.75"
    )


def test_an_empty_frame_is_a_line_too() -> None:
    line = as_line(stamped(encode(StartCharging())))
    assert line.split() == ["(1700000000.250000)", "CP-001", "200", "[0]", "StartCharging"]


def test_a_frame_as_json_has_its_bytes_and_its_signals() -> None:
    status = ChargerStatus(ChargerState.FAULTED, True, FaultCode.GROUND_FAULT, 7)
    document = json.loads(as_json(stamped(encode(status))))
    assert (document["ts"], document["channel"], document["id"]) == (1700000000.25, "CP-001", "301")
    assert document["name"] == "ChargerStatus"
    assert document["signals"]["State"] == "FAULTED"
    assert document["signals"]["FaultCode"] == "GROUND_FAULT"
    assert bytes.fromhex(document["data"]) == status.pack()
    assert "problem" not in document


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (Message(arbitration_id=0x301, is_extended_id=False, data=b"\x00\x00\x00\x00"), "got CRC 0x00, expected"),
        (Message(arbitration_id=0x123, is_extended_id=False, data=b"\x01"), "got id 0x123"),
        (Message(arbitration_id=0x300, is_extended_id=False, data=b"\x01"), "0x300"),
        (Message(arbitration_id=0x12345, is_extended_id=True), "got id 0x12345"),
    ],
    ids=["checksum", "unknown", "length", "extended"],
)
def test_a_damaged_frame_is_shown_with_what_is_wrong(message: Message, problem: str) -> None:
    _, _, told = as_line(stamped(message)).partition(" ! ")
    assert problem in told
    assert problem in json.loads(as_json(stamped(message)))["problem"]


def test_a_limit_in_its_short_form_is_read() -> None:
    short = Message(arbitration_id=0x210, is_extended_id=False, data=b"\x10\x00")
    assert as_line(stamped(short)).endswith("CurrentLimit LimitWhole=16")
    assert as_line(stamped(encode(CurrentLimit(16.5)))).endswith("CurrentLimit LimitWhole=16 Limit=16.5")
