"""The DBC file that ships with the package, and what frames look like through it. Never on a hot path."""

from __future__ import annotations

import functools
from importlib import resources
from pathlib import Path

from can import Message
from cantools.database import DecodeError
from cantools.database.can import Database

from evcharging.can.frame_fields import UnknownFrame, WrongLength

__all__ = ["DecodedMessage", "dbc_path", "decode_signals", "load_dbc"]

DecodedMessage = tuple[str, dict[str, float | int | str]]


@functools.cache
def load_dbc() -> Database:
    """The database of ``charger.dbc``."""
    text = resources.files("evcharging.can").joinpath("charger.dbc").read_text(encoding="utf-8")
    database = Database()
    database.add_dbc_string(text)
    return database


def dbc_path() -> Path:
    """Where the file is, for other people's tools."""
    return Path(str(resources.files("evcharging.can").joinpath("charger.dbc")))


def decode_signals(message: Message) -> DecodedMessage:
    """The message's name and its signals, as the DBC describes them; numbers in the DBC's units.

    Raises:
        UnknownFrame: the DBC has no such id.
        WrongLength: bytes are missing or too many.
    """
    try:
        described = load_dbc().get_message_by_frame_id(message.arbitration_id)
    except KeyError:
        raise UnknownFrame(f"got id {message.arbitration_id:#x}, which the DBC does not know") from None
    try:
        signals = described.decode(bytes(message.data), allow_truncated=True, allow_excess=False)
    except (DecodeError, ValueError) as error:
        raise WrongLength(f"{message.arbitration_id:#x}: {error}") from error
    assert isinstance(signals, dict)  # noqa: S101 - anything else is for container messages, of which there are none
    return described.name, {name: _plain(value) for name, value in signals.items()}


def _plain(value: object) -> float | int | str:
    return value if isinstance(value, float | int) else str(value)
