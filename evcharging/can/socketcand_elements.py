"""What the two ends of a socketcand connection say to each other, element by element; spelled by `socketcand`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = [
    "ChannelList",
    "Echo",
    "Element",
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
]


class WireFrame(NamedTuple):
    """A classic data frame as the protocol carries it: no remote frames, no CAN FD."""

    can_id: int
    data: bytes
    is_extended: bool = False


@dataclass(frozen=True, slots=True)
class Hi:
    """The server's greeting."""


@dataclass(frozen=True, slots=True)
class Ok:
    """The server did what was asked."""


@dataclass(frozen=True, slots=True)
class Open:
    """The client chooses its channel."""

    channel: str


@dataclass(frozen=True, slots=True)
class RawMode:
    """The client asks for every frame of its channel."""


@dataclass(frozen=True, slots=True)
class Echo:
    """A sign of life; the server sends it back."""


@dataclass(frozen=True, slots=True)
class ListChannels:
    """The client asks for the channels in use (our own word)."""


@dataclass(frozen=True, slots=True)
class ChannelList:
    """The answer to `ListChannels`."""

    names: tuple[str, ...]


class Send(NamedTuple):
    """The client puts a frame on its channel."""

    frame: WireFrame


class Frame(NamedTuple):
    """A frame that somebody else put on the channel, with the time the server saw it (Unix seconds)."""

    frame: WireFrame
    timestamp_s: float


@dataclass(frozen=True, slots=True)
class ErrorFrame:
    """An error frame in raw mode: the controller's error class as id, and a reason where the server gave one."""

    can_id: int
    timestamp_s: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The server did not do what was asked, and says why (``< error ... >`` outside raw mode)."""

    reason: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """Bytes that are no element; ``problem`` says what was expected. Count it and go on."""

    text: str
    problem: str


Element = Hi | Ok | Open | RawMode | Echo | ListChannels | ChannelList | Send | Frame | ErrorFrame | Refused | Malformed
