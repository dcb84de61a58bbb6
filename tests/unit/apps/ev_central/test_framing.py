"""Frames of the TCP control plane: whatever the bytes and however they were cut."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evcharging.apps.ev_central.framing import (
    LARGEST_DATA_BYTES,
    Fault,
    Frame,
    FrameDecoder,
    LinkBroken,
    Signal,
    encode_frame,
    lrc_of,
)

STX, ETX = 0x02, 0x03
json_objects = st.dictionaries(
    st.text(max_size=8), st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=4), max_size=4
)


def decoded(*pieces: bytes) -> list[Signal | Frame | Fault]:
    """Everything a decoder says of the pieces; a fault ends the list."""
    decoder, said = FrameDecoder(), []
    for piece in pieces:
        decoder.feed(piece)
        try:
            while (token := decoder.next()) is not None:
                said.append(token)
        except LinkBroken as broken:
            return [*said, broken.fault]
    return said


def test_a_frame_is_stx_data_etx_and_the_xor_of_data_and_etx():
    assert encode_frame(b"AB") == bytes([STX, 0x41, 0x42, ETX, 0x41 ^ 0x42 ^ ETX])


def test_signals_between_frames_are_told_apart():
    assert decoded(b"\x05\x06\x15\x04") == [Signal.ENQ, Signal.ACK, Signal.NACK, Signal.EOT]


def test_a_frame_and_the_signals_around_it_come_in_order():
    assert decoded(b"\x05" + encode_frame(b"{}") + b"\x04") == [Signal.ENQ, Frame(b"{}"), Signal.EOT]


@pytest.mark.parametrize("lrc", [STX, ETX, *Signal, 0x00, 0x20, 0xFF])
def test_an_lrc_that_looks_like_a_control_character_is_taken_by_its_place(lrc):
    data = bytes([0x20, 0x20 ^ 0x40 ^ ETX ^ lrc, 0x40])
    assert lrc_of(data) == lrc
    wire = encode_frame(data) + bytes([Signal.EOT])
    assert decoded(*(bytes([byte]) for byte in wire)) == [Frame(data), Signal.EOT]


def test_a_wrong_lrc_spoils_the_frame_and_nothing_after_it():
    spoilt = bytearray(encode_frame(b'{"a": 1}'))
    spoilt[-1] ^= 0x01
    assert decoded(bytes(spoilt) + encode_frame(b"{}")) == [Frame(b'{"a": 1}', intact=False), Frame(b"{}")]


def test_a_frame_that_begins_again_is_taken_from_its_second_beginning():
    assert decoded(b'\x02{"a": ' + encode_frame(b"{}")) == [Frame(b'{"a": ', intact=False), Frame(b"{}")]


@pytest.mark.parametrize("byte", [b"\x00", b"{", b"\x03", b"\xff"])
def test_a_byte_that_belongs_nowhere_breaks_the_link(byte):
    assert decoded(b"\x05" + byte + b"\x05") == [Signal.ENQ, Fault.GARBAGE]


@pytest.mark.parametrize("control", [0x00, 0x04, 0x05, 0x06, 0x08, 0x15, 0x1F])
def test_a_control_byte_inside_a_frame_breaks_the_link(control):
    assert decoded(bytes([STX, 0x7B, control])) == [Fault.GARBAGE]


def test_json_laid_out_over_lines_is_no_fault():
    data = b'{\r\n\t"a": 1\r\n}'
    assert decoded(encode_frame(data)) == [Frame(data)]


@pytest.mark.parametrize("cut", [1, 4096, LARGEST_DATA_BYTES + 4])
def test_data_of_64_kib_is_taken_and_one_byte_more_breaks_the_link(cut):
    largest = b"x" * LARGEST_DATA_BYTES
    wire = encode_frame(largest)
    assert decoded(*(wire[i : i + cut] for i in range(0, len(wire), cut))) == [Frame(largest)]
    too_large = bytes([STX]) + largest + b"x"
    assert decoded(*(too_large[i : i + cut] for i in range(0, len(too_large), cut))) == [Fault.OVERSIZED]


def test_a_frame_that_never_ends_is_not_gathered_beyond_64_kib():
    decoder = FrameDecoder()
    decoder.feed(bytes([STX]))
    with pytest.raises(LinkBroken, match="65536"):
        for _ in range(LARGEST_DATA_BYTES // 4096 + 1):
            decoder.feed(b"x" * 4096)
            assert decoder.next() is None


def test_a_decoder_says_whether_it_is_inside_a_frame():
    decoder = FrameDecoder()
    said = []
    for byte in encode_frame(b"{}"):
        decoder.feed(bytes([byte]))
        decoder.next()
        said.append(decoder.mid_frame)
    assert said == [True, True, True, True, False]


@pytest.mark.parametrize("data", [b"a\x02", b"\x03", b"\x00", b"x" * (LARGEST_DATA_BYTES + 1)])
def test_data_that_could_not_be_read_back_is_not_encoded(data):
    with pytest.raises(ValueError, match="DATA"):
        encode_frame(data)


@given(st.lists(json_objects, max_size=5), st.data())
def test_any_json_comes_back_however_the_stream_was_cut(objects, data):
    bodies = [json.dumps(body, ensure_ascii=data.draw(st.booleans())).encode() for body in objects]
    wire = b"".join(map(encode_frame, bodies))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=8)))
    pieces = [wire[a:b] for a, b in pairwise([0, *cuts, len(wire)])]
    assert decoded(*pieces) == [Frame(body) for body in bodies]


@given(st.binary(max_size=200) | st.lists(st.sampled_from(b"\x02\x03\x04\x05\x06\x15{}a"), max_size=60).map(bytes))
@example(b"\x02\x03\x03\x02\x03\x02")
def test_garbage_is_read_the_same_whole_or_byte_by_byte_and_never_ends_in_another_error(wire):
    assert decoded(*(bytes([byte]) for byte in wire)) == decoded(wire)


@given(json_objects, st.data())
def test_one_wrong_byte_never_delivers_another_object(body, data):
    wire = bytearray(encode_frame(json.dumps(body).encode()))
    at = data.draw(st.integers(0, len(wire) - 1))
    wire[at] ^= data.draw(st.integers(1, 255))
    for token in decoded(bytes(wire)):
        if isinstance(token, Frame) and token.intact:
            with pytest.raises(ValueError, match=r"."):
                json.loads(token.data)
