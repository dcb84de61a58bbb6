"""Values of configuration keys and variables, as their texts spell them on the wire, in every version of OCPP alike."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["boolean", "measurands_of", "shown", "whole"]


def boolean(text: str) -> bool:
    """Read true or false."""
    values = {"true": True, "false": False}
    if text.strip().lower() not in values:
        raise ValueError(f"expected true or false, got {text!r}")
    return values[text.strip().lower()]


def whole(text: str, *, most: int = 2**31 - 1) -> int:
    """Read a whole number of 0 or more."""
    if not text.strip().isascii() or not text.strip().isdigit() or int(text) > most:
        raise ValueError(f"expected a whole number from 0 to {most}, got {text!r}")
    return int(text)


def measurands_of(text: str, known: Collection[str]) -> tuple[str, ...]:
    """Read a comma-separated list of measurands that are ``known``, each once."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"no such measurand here: {', '.join(unknown)}")
    return names


def shown(value: object) -> str:
    """Return a value as the wire spells it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:.0f}" if isinstance(value, float) else str(value)
