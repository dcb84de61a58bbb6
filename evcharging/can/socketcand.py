"""The socketcand text protocol without I/O: bytes in, elements out, and the other way round.

Both ends of the wire use it: `evcharging.can.hub` (server) and `evcharging.can.hub_client` (client). It follows the
protocol description of the socketcand daemon for raw mode, with one word of our own, ``< channels >``, by which a
client asks a hub which channels it knows. It opens no socket, keeps no time and never raises on input: what cannot be
understood comes out as `Malformed`, and reading goes on with the next ``<``.

A dialogue, client on the right::

    < hi >
                                < open CP-001 >
    < ok >
                                < rawmode >
    < ok >
    < frame 300 1700000000.250000 2000800C >
                                < send 210 2 20 00 >
                                < send 200 0  >
"""

from __future__ import annotations

import re
from collections.abc import Callable

from can import Message

from evcharging.can.socketcand_elements import (
    ChannelList,
    Echo,
    Element,
    ErrorFrame,
    Frame,
    Hi,
    ListChannels,
    Malformed,
    Ok,
    Open,
    RawMode,
    Refused,
    Send,
    WireFrame,
)

__all__ = [
    "MAX_ELEMENT_BYTES",
    "NAME_RULE",
    "ChannelList",
    "Echo",
    "Element",
    "ElementReader",
    "ErrorFrame",
    "Frame",
    "Hi",
    "ListChannels",
    "Malformed",
    "Ok",
    "Open",
    "RawMode",
    "Refused",
    "Send",
    "WireFrame",
    "encode",
    "encode_frame",
    "encode_send",
    "from_message",
    "is_channel_name",
    "to_message",
]

MAX_ELEMENT_BYTES = 256
"""The longest element a reader waits for; a classic frame needs 60 bytes, a channel name at most 64."""

NAME_RULE = "1 to 64 printable ASCII characters without blank, '<' and '>'"
"""What a channel may be called."""

MAX_STANDARD_ID = 0x7FF
MAX_EXTENDED_ID = 0x1FFFFFFF
MAX_DATA_BYTES = 8
_MAX_REASON_CHARS = 120


class ElementReader:
    """Cuts a byte stream into elements, however the stream was cut into reads.

    ``max_element_bytes`` bounds what is kept while a closing ``>`` is awaited.
    """

    __slots__ = ("_limit", "_rest")

    def __init__(self, max_element_bytes: int = MAX_ELEMENT_BYTES) -> None:
        self._limit = max_element_bytes
        self._rest = b""

    def feed(self, data: bytes) -> list[Element]:
        """Take the next bytes of the stream and return the elements they complete, in order."""
        pieces = (self._rest + data).split(b">")
        self._rest = pieces.pop()
        elements: list[Element] = []
        for piece in pieces:
            self._read_piece(piece, elements)
        if len(self._rest) > self._limit:
            elements.append(_malformed(self._rest, f"no '>' within {self._limit} bytes"))
            self._rest = b""
        return elements

    def _read_piece(self, piece: bytes, elements: list[Element]) -> None:
        # The last "<" opens the element: an earlier one was never closed and costs only itself.
        before, opened, content = piece.rpartition(b"<")
        if not opened:
            elements.append(_malformed(piece, "'>' without '<'"))
            return
        if before and not before.isspace():
            elements.append(_malformed(before, "expected '<' between elements"))
        if len(content) > self._limit:
            elements.append(_malformed(content, f"longer than {self._limit} bytes"))
            return
        elements.append(_parse(content))


def encode(element: Element) -> bytes:
    """Spell an element.

    Raises:
        ValueError: the element cannot be spelled: `Malformed`, a frame or a channel name outside the protocol's range.
    """
    match element:
        case Send(frame):
            text = encode_send(frame)
        case Frame(frame, timestamp_s):
            text = encode_frame(frame, timestamp_s)
        case Open(channel):
            text = b"< open %b >" % _spell_channel(channel)
        case ChannelList(names):
            text = b"< %b >" % b" ".join((b"channels:", *map(_spell_channel, names)))
        case Refused(reason):
            text = b"< error %b >" % _printable(reason)
        case ErrorFrame(can_id, timestamp_s, reason):
            text = b"< error %08X %.6f %b >" % (can_id & MAX_EXTENDED_ID, timestamp_s, _printable(reason))
        case Malformed():
            raise ValueError("a malformed element is never sent")
        case _:
            text = _WORD_OF_TYPE[type(element)]
    return text


def encode_send(frame: WireFrame) -> bytes:
    """Spell ``< send ID LENGTH BYTE BYTE >``; an empty frame has two spaces before ``>``, as python-can writes it."""
    return b"< send %b %d %b >" % (_spell_id(frame), _checked_length(frame), frame.data.hex(" ").encode("ascii"))


def encode_frame(frame: WireFrame, timestamp_s: float) -> bytes:
    """Spell ``< frame ID SECONDS DATA >``; an empty frame has two spaces before ``>``, which python-can needs."""
    _checked_length(frame)
    return b"< frame %b %.6f %b >" % (_spell_id(frame), timestamp_s, frame.data.hex().encode("ascii"))


def to_message(frame: WireFrame, timestamp_s: float, channel: str) -> Message:
    """The frame as python-can's Message."""
    return Message(
        timestamp=timestamp_s,
        arbitration_id=frame.can_id,
        is_extended_id=frame.is_extended,
        data=frame.data,
        channel=channel,
    )


def from_message(message: Message) -> WireFrame:
    """The frame in python-can's Message, which must be a classic data frame (`evcharging.can.bus.check_sendable`)."""
    return WireFrame(message.arbitration_id, bytes(message.data), message.is_extended_id)


def is_channel_name(name: str) -> bool:
    """Whether a channel may be called so; `NAME_RULE` says how."""
    return _CHANNEL_NAME.fullmatch(name) is not None


_CHANNEL_NAME = re.compile(r"[!-;=?-~]{1,64}")
_ID = rb"([0-9A-Fa-f]{8}|[0-9A-Fa-f]{1,3})"
_SECONDS = rb"([0-9]{1,12}(?:\.[0-9]{1,9})?)"
_SEND = re.compile(rb"send +" + _ID + rb" +([0-8])((?: +[0-9A-Fa-f]{1,2}){0,8})")
_FRAME = re.compile(rb"frame +" + _ID + rb" +" + _SECONDS + rb"(?: +((?:[0-9A-Fa-f]{2}){0,8}))?")
_ERROR_FRAME = re.compile(rb"error +([0-9A-Fa-f]{1,8}) +" + _SECONDS + rb"(?: +(.*))?", re.DOTALL)

_WORD_OF_TYPE: dict[type, bytes] = {
    Hi: b"< hi >",
    Ok: b"< ok >",
    RawMode: b"< rawmode >",
    Echo: b"< echo >",
    ListChannels: b"< channels >",
}
_ELEMENT_OF_WORD: dict[bytes, Element] = {
    b"hi": Hi(),
    b"ok": Ok(),
    b"rawmode": RawMode(),
    b"echo": Echo(),
    b"channels": ListChannels(),
}


def _parse(content: bytes) -> Element:
    text = content.strip()
    word, _, _ = text.partition(b" ")
    parse = _PARSER_OF_WORD.get(word)
    if parse is not None:
        return parse(text)
    return _ELEMENT_OF_WORD.get(text) or _malformed(text, "unknown word")


def _parse_send(text: bytes) -> Element:
    match = _SEND.fullmatch(text)
    if match is None:
        return _malformed(text, "expected: send ID LENGTH BYTE..., all hexadecimal, at most 8 bytes")
    id_text, length, spelled = match.groups()
    count = int(length)
    if len(spelled) == 3 * count and spelled.count(b" ") == count:
        # Two digits and one space for each byte: the usual case, and the quick one.
        data = bytes.fromhex(spelled.decode("ascii"))
    else:
        data = bytes([int(byte, 16) for byte in spelled.split()])
    if len(data) != count:
        return _malformed(text, f"length says {count}, but {len(data)} bytes follow")
    frame = _wire_frame(id_text, data)
    return (
        _malformed(text, "an id of three digits is at most 7FF, one of eight 1FFFFFFF")
        if frame is None
        else Send(frame)
    )


def _parse_frame(text: bytes) -> Element:
    match = _FRAME.fullmatch(text)
    if match is None:
        return _malformed(text, "expected: frame ID SECONDS DATA, data hexadecimal and at most 8 bytes")
    id_text, seconds, spelled = match.groups()
    frame = _wire_frame(id_text, bytes.fromhex(spelled.decode("ascii")) if spelled else b"")
    if frame is None:
        return _malformed(text, "an id of three digits is at most 7FF, one of eight 1FFFFFFF")
    return Frame(frame, float(seconds))


def _parse_open(text: bytes) -> Element:
    name = text[4:].strip().decode("ascii", "replace")
    return Open(name) if is_channel_name(name) else _malformed(text, f"expected: open NAME, {NAME_RULE}")


def _parse_channel_list(text: bytes) -> Element:
    names = tuple(text[9:].decode("ascii", "replace").split())
    if not all(map(is_channel_name, names)):
        return _malformed(text, f"expected channel names, each {NAME_RULE}")
    return ChannelList(names)


def _parse_error(text: bytes) -> Element:
    match = _ERROR_FRAME.fullmatch(text)
    if match is None:
        return Refused(text[5:].strip().decode("ascii", "replace"))
    id_text, seconds, reason = match.groups()
    can_id = int(id_text, 16) & MAX_EXTENDED_ID
    return ErrorFrame(can_id, float(seconds), (reason or b"").decode("ascii", "replace"))


def _wire_frame(id_text: bytes, data: bytes) -> WireFrame | None:
    can_id = int(id_text, 16)
    is_extended = len(id_text) == 8
    if can_id > (MAX_EXTENDED_ID if is_extended else MAX_STANDARD_ID):
        return None
    return WireFrame(can_id, data, is_extended)


def _spell_id(frame: WireFrame) -> bytes:
    if frame.is_extended:
        if not 0 <= frame.can_id <= MAX_EXTENDED_ID:
            raise ValueError(f"extended id {frame.can_id:#x} is not in 0..0x1FFFFFFF")
        return b"%08X" % frame.can_id
    if not 0 <= frame.can_id <= MAX_STANDARD_ID:
        raise ValueError(f"standard id {frame.can_id:#x} is not in 0..0x7FF")
    return b"%03X" % frame.can_id


def _checked_length(frame: WireFrame) -> int:
    length = len(frame.data)
    if length > MAX_DATA_BYTES:
        raise ValueError(f"{length} bytes of data, a classic frame carries at most {MAX_DATA_BYTES}")
    return length


def _spell_channel(name: str) -> bytes:
    if not is_channel_name(name):
        raise ValueError(f"channel name {name!r}: expected {NAME_RULE}")
    return name.encode("ascii")


def _printable(reason: str) -> bytes:
    kept = "".join(c if " " <= c <= "~" and c not in "<>" else "?" for c in reason[:_MAX_REASON_CHARS])
    return kept.strip().encode("ascii")


def _malformed(text: bytes, problem: str) -> Malformed:
    return Malformed(text[:_MAX_REASON_CHARS].decode("ascii", "backslashreplace"), problem)


_PARSER_OF_WORD: dict[bytes, Callable[[bytes], Element]] = {
    b"send": _parse_send,
    b"frame": _parse_frame,
    b"open": _parse_open,
    b"error": _parse_error,
    b"channels:": _parse_channel_list,
}
