"""OCPP-J frames: what is read, what is refused, and with which answer."""

from __future__ import annotations

from contextlib import suppress

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.ocpp.errors import CallRejected, Fault, UnreadableFrame
from evcharging.ocpp.frames import Call, CallError, CallResult, encode, parse

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=10,
)
payloads = st.dictionaries(st.text(max_size=8), json_values, max_size=5)
ids = st.text(min_size=1, max_size=36)
frames = st.one_of(
    st.builds(Call, ids, st.text(max_size=30), payloads),
    st.builds(CallResult, ids, payloads),
    st.builds(CallError, ids, st.text(max_size=30), st.text(max_size=255), payloads),
)


@given(frames)
def test_a_frame_is_read_as_it_was_written(frame):
    assert parse(encode(frame)) == frame


@given(st.binary(max_size=200) | st.text(max_size=200) | json_values.map(orjson.dumps))
def test_no_text_does_more_than_be_refused(data):
    with suppress(UnreadableFrame, CallRejected):
        parse(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b'{"a": 1}',
        b"[]",
        b'[2, "1"]',
        b'[2, 7, "Heartbeat", {}]',
        b'[2, "", "Heartbeat", {}]',
        b'[3, "1", []]',
        b'[3, "1", {}, {}]',
        b'[4, "1", 7]',
        b"\xff\xfe",
        b"[" * 5000 + b"]" * 5000,
    ],
)
def test_what_names_no_call_cannot_be_answered(data):
    with pytest.raises(UnreadableFrame):
        parse(data)


@pytest.mark.parametrize(
    "data",
    [b'[2, "m1", "Heartbeat"]', b'[2, "m1", "Heartbeat", null]', b'[2, "m1", 5, {}]', b'[2, "m1", "Heartbeat", {}, 1]'],
)
def test_a_malformed_call_is_refused_by_its_message_id(data):
    with pytest.raises(CallRejected) as caught:
        parse(data)
    assert (caught.value.fault, caught.value.message_id) == (Fault.FORMAT_VIOLATION, "m1")


@pytest.mark.parametrize("message_type", [b"1", b"5", b'"2"', b"2.0", b"null"])
def test_a_message_type_that_is_none_is_named(message_type):
    with pytest.raises(CallRejected) as caught:
        parse(b'[%s, "m1", "Heartbeat", {}]' % message_type)
    assert caught.value.fault is Fault.MESSAGE_TYPE_NOT_SUPPORTED


def test_a_message_id_is_36_characters_at_most():
    with pytest.raises(CallRejected) as caught:
        parse(orjson.dumps([2, "x" * 37, "Heartbeat", {}]))
    assert caught.value.fault is Fault.FORMAT_VIOLATION


@pytest.mark.parametrize("rest", [b"", b', ""', b', "why"', b", null, null", b', "why", []'])
def test_an_error_whose_details_are_left_out_is_still_an_error(rest):
    frame = parse(b'[4, "1", "GenericError"%s]' % rest)
    assert isinstance(frame, CallError)
    assert (frame.code, frame.details) == ("GenericError", {})


def test_a_long_description_is_cut_to_what_the_standard_allows():
    frame = orjson.loads(encode(CallError("1", "GenericError", "x" * 300)))
    assert len(frame[3]) == 255
