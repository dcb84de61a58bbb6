from __future__ import annotations

import crccheck
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.can.frame_fields import (
    FAULT_NUMBERS,
    NOT_GIVEN,
    STATE_NUMBERS,
    FrameError,
    WrongLength,
    WrongValue,
    check_length,
    check_range,
    crc8_j1850,
    fault_code,
    finer,
)
from evcharging.domain.charger import ChargerState, FaultCode


def test_the_checksum_gives_the_standards_check_value() -> None:
    assert crc8_j1850(b"123456789") == 0x4B


@given(st.binary(max_size=16))
def test_the_checksum_is_sae_j1850s(data: bytes) -> None:
    assert crc8_j1850(data) == crccheck.crc.Crc8SaeJ1850.calc(data)


def test_every_state_and_fault_of_the_model_has_a_number() -> None:
    assert set(STATE_NUMBERS) == set(ChargerState)
    assert set(FAULT_NUMBERS) == set(FaultCode)


def test_fault_numbers_are_read_back() -> None:
    assert [fault_code(0x301, FAULT_NUMBERS[code]) for code in FaultCode] == list(FaultCode)
    with pytest.raises(WrongValue, match="0x301: got fault code 5, expected 0 to 4"):
        fault_code(0x301, 5)


def test_hundredths_count_where_they_are_given() -> None:
    assert finer(16, 1650) == 16.5
    assert finer(16, 0) == 0.0
    assert finer(700, NOT_GIVEN) == 700.0


def test_errors_say_what_was_got_and_what_was_expected() -> None:
    with pytest.raises(WrongLength, match="0x300: got 3 bytes, expected 4"):
        check_length(0x300, b"abc", 4)
    with pytest.raises(WrongValue, match=r"soc: got 1\.5, expected 0 to 1"):
        check_range("soc", 1.5, 0.0, 1.0)
    check_length(0x300, b"abcd", 4)
    check_range("soc", 1.0, 0.0, 1.0)


def test_each_error_is_counted_under_a_word_of_its_own() -> None:
    reasons = [kind.reason for kind in FrameError.__subclasses__()]
    assert sorted(reasons) == ["crc", "length", "unknown_id", "value"]
