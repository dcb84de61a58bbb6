from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.can import socketcand as wire

FRAMES = st.one_of(
    st.builds(wire.WireFrame, st.integers(0, 0x7FF), st.binary(max_size=8), st.just(False)),
    st.builds(wire.WireFrame, st.integers(0, 0x1FFFFFFF), st.binary(max_size=8), st.just(True)),
)
SECONDS = st.integers(0, 10**15).map(lambda microseconds: microseconds / 10**6)
NAMES = st.from_regex(r"[!-;=?-~]{1,64}", fullmatch=True)
REASONS = st.from_regex(r"[a-z]([a-z ]{0,60}[a-z])?", fullmatch=True)
ELEMENTS = st.one_of(
    st.sampled_from([wire.Hi(), wire.Ok(), wire.RawMode(), wire.Echo(), wire.ListChannels()]),
    st.builds(wire.Open, NAMES),
    st.builds(wire.ChannelList, st.lists(NAMES, max_size=3).map(tuple)),
    st.builds(wire.Send, FRAMES),
    st.builds(wire.Frame, FRAMES, SECONDS),
    st.builds(wire.ErrorFrame, st.integers(0, 0x1FFFFFFF), SECONDS, st.just("") | REASONS),
    st.builds(wire.Refused, REASONS),
)


def read(text: bytes) -> list[wire.Element]:
    return wire.ElementReader().feed(text)


def read_one(text: bytes) -> wire.Element:
    (element,) = read(text)
    return element


@given(st.lists(ELEMENTS, max_size=8), st.data())
def test_whatever_is_spelled_is_read_back_however_the_stream_is_cut(
    elements: list[wire.Element], data: st.DataObject
) -> None:
    stream = b"".join(map(wire.encode, elements))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reader = wire.ElementReader()
    got = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += reader.feed(stream[begin:end])
    assert got == elements


@given(
    st.lists(st.binary(max_size=300) | st.sampled_from([b"<", b">", b"< send ", b"< frame ", b" 200 "]), max_size=20)
)
def test_no_bytes_make_the_reader_raise_or_keep_more_than_its_bound(chunks: list[bytes]) -> None:
    reader = wire.ElementReader()
    for chunk in chunks:
        for element in reader.feed(chunk):
            assert isinstance(element, wire.Element)
        assert len(reader._rest) <= wire.MAX_ELEMENT_BYTES


@given(st.binary(max_size=80).filter(lambda garbage: b"<" not in garbage and b">" not in garbage), ELEMENTS)
def test_garbage_costs_only_itself(garbage: bytes, element: wire.Element) -> None:
    got = read(garbage + wire.encode(element))
    assert got[-1] == element
    assert all(isinstance(other, wire.Malformed) for other in got[:-1])


@given(st.from_regex(rb"send [ -;=?-~]{0,40}", fullmatch=True))
def test_a_send_is_either_a_frame_that_can_be_sent_or_malformed(content: bytes) -> None:
    element = read_one(b"< " + content + b" >")
    if isinstance(element, wire.Send):
        assert wire.encode(element).lower().split() == wire.encode(read_one(wire.encode(element))).lower().split()
    else:
        assert isinstance(element, wire.Malformed)


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        (b"< send 200 0 >", wire.WireFrame(0x200, b"")),
        (b"< send 200 0  >", wire.WireFrame(0x200, b"")),
        (b"<send 210 2 20 0>", wire.WireFrame(0x210, b"\x20\x00")),
        (b"< send 210 2 20 00 >", wire.WireFrame(0x210, b"\x20\x00")),
        (b"<  send  7ff   8  1 2 3 4 5 6 7 8 >", wire.WireFrame(0x7FF, bytes(range(1, 9)))),
        (b"< send 00000210 1 FF >", wire.WireFrame(0x210, b"\xff", is_extended=True)),
        (b"\r\n< send 1 1 a >\r\n", wire.WireFrame(0x1, b"\x0a")),
    ],
)
def test_a_send_is_read_as_clients_spell_it(text: bytes, frame: wire.WireFrame) -> None:
    assert read(text)[0] == wire.Send(frame)


@pytest.mark.parametrize(
    "text",
    [
        b"< send >",
        b"< send 200 >",
        b"< send 200 1 >",
        b"< send 200 0 11 >",
        b"< send 200 9 1 2 3 4 5 6 7 8 9 >",
        b"< send 200 1 111 >",
        b"< send 200 1 0x1 >",
        b"< send 200 1 -1 >",
        b"< send 200 1 +1 >",
        b"< send 200 2 1_1 >",
        b"< send 200 2 1  222 >",
        b"< send 800 0 >",
        b"< send 0200 0 >",
        b"< send FFFFFFFF 0 >",
        b"< send \xd9\xa3 0 >",
        b"< frame 300 1.5 123 >",
        b"< frame 300 -1.5 1234 >",
        b"< frame 300 nan 1234 >",
        b"< open >",
        b"< open two names >",
        b"< open " + b"x" * 65 + b" >",
        b"< sing >",
        b"< >",
        b"<>",
        b"send 200 0 >",
        b"< send " + b"1" * 300 + b" >",
    ],
)
def test_what_is_no_element_is_malformed_with_what_was_expected(text: bytes) -> None:
    element = read_one(text)
    assert isinstance(element, wire.Malformed)
    assert element.problem


def test_an_element_that_was_never_closed_costs_only_itself() -> None:
    lost, kept = read(b"< send 200 < send 201 0 >")
    assert isinstance(lost, wire.Malformed)
    assert kept == wire.Send(wire.WireFrame(0x201, b""))


def test_a_closing_bracket_that_never_comes_is_given_up_within_the_bound() -> None:
    reader = wire.ElementReader()
    assert reader.feed(b"< frame " + b"1" * 200) == []
    (lost,) = reader.feed(b"1" * 200)
    assert isinstance(lost, wire.Malformed)
    assert reader.feed(b"< ok >") == [wire.Ok()]


def test_an_empty_frame_has_two_spaces_before_the_bracket() -> None:
    empty = wire.WireFrame(0x200, b"")
    assert wire.encode_send(empty) == b"< send 200 0  >"
    assert wire.encode_frame(empty, 12.5) == b"< frame 200 12.500000  >"


def test_a_frame_is_spelled_as_socketcand_does() -> None:
    assert wire.encode_frame(wire.WireFrame(0x3, b"\xab\x01"), 1700000000.25) == b"< frame 003 1700000000.250000 ab01 >"
    extended = wire.WireFrame(0x3, b"", is_extended=True)
    assert wire.encode_frame(extended, 0.0) == b"< frame 00000003 0.000000  >"


def test_a_reason_cannot_smuggle_in_an_element() -> None:
    assert read(wire.encode(wire.Refused("no > < ok > \r\n"))) == [wire.Refused("no ? ? ok ? ??")]


@pytest.mark.parametrize(
    "element",
    [
        wire.Malformed("", ""),
        wire.Open("two names"),
        wire.Open(""),
        wire.ChannelList(("CP>",)),
        wire.Send(wire.WireFrame(0x800, b"")),
        wire.Send(wire.WireFrame(0x20000000, b"", is_extended=True)),
        wire.Send(wire.WireFrame(0x200, b"\x00" * 9)),
        wire.Frame(wire.WireFrame(-1, b""), 0.0),
    ],
)
def test_what_the_protocol_cannot_say_is_not_spelled(element: wire.Element) -> None:
    with pytest.raises(ValueError, match=r"."):
        wire.encode(element)


@given(FRAMES)
def test_a_frame_passes_through_python_cans_message(frame: wire.WireFrame) -> None:
    message = wire.to_message(frame, 12.5, "CP-001")
    assert wire.from_message(message) == frame
    assert (message.timestamp, message.channel, message.dlc) == (12.5, "CP-001", len(frame.data))
